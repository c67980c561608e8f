//! State dicts that `torch.save` wrote (`.pt`, `.pth`): a zip of a pickle, `data.pkl`, and one raw file for each storage.
//!
//! The pickle is read, not executed: it can name tensors and dictionaries; anything else that it asks Python to build
//! becomes an object that holds nothing. Whatever it says, reading it takes time and memory in proportion to the file.

mod pickle;
mod tensor;

use std::{fs::File, io::Read, path::Path};

use anyhow::{Context, Result, ensure};
use zip::ZipArchive;

use self::pickle::Pickle;
use super::regular;
use crate::spec::layout::StateDict;

/// Reads a state dict saved alone or, as the authors do, under `model_state_dict` in a dictionary.
///
/// # Errors
/// A file that is no zip of `torch.save` (before PyTorch 1.6 it wrote another format), tensors other than float32,
/// float64 and int64, and a file that ends early or contradicts itself.
pub fn read_torch_state(path: &Path) -> Result<StateDict> {
    let read = || -> Result<StateDict> {
        let file = regular::open(path)?;
        let length = file.metadata()?.len();
        let mut archive = ZipArchive::new(file).context("not a file of torch.save of PyTorch 1.6 or newer")?;
        let folder = archive.file_names().find_map(|name| name.strip_suffix("data.pkl")).map(String::from);
        let folder = folder.context("no data.pkl in it: not a file of torch.save")?;
        if let Ok(order) = bytes(&mut archive, &format!("{folder}byteorder")) {
            ensure!(order == b"little", "it was saved on a big-endian machine");
        }
        let pickle = bytes(&mut archive, &format!("{folder}data.pkl"))?;
        ensure!(pickle.len() <= LONGEST_PICKLE, "its pickle has more than {LONGEST_PICKLE} bytes");
        let pickle = Pickle::read(&pickle)?;
        let mut state = StateDict::new();
        let mut read = 0;
        for (name, tensor) in pickle.state_dict()? {
            let storage = bytes(&mut archive, &format!("{folder}data/{}", tensor.storage.key))?;
            read += storage.len() as u64;
            ensure!(read <= SHARED * length, "more than {SHARED} of its tensors share each of its storages");
            state.insert(name.into(), tensor.values(&storage).with_context(|| name.to_string())?);
        }
        Ok(state)
    };
    read().with_context(|| format!("cannot read {}", path.display()))
}

/// Bytes of a pickle, at most: a state dict takes about a hundred for each tensor.
const LONGEST_PICKLE: usize = 1 << 20;

/// How often, on average, a storage may serve. (The authors' trained models name some parameters twice.)
const SHARED: u64 = 8;

/// A file of the archive. `torch.save` does not compress: whatever would unpack to more than it takes is refused.
fn bytes(archive: &mut ZipArchive<File>, name: &str) -> Result<Vec<u8>> {
    let file = archive.by_name(name).with_context(|| format!("no {name} in it"))?;
    let length = file.compressed_size();
    ensure!(file.size() <= length, "{name} is compressed, which torch.save does not do");
    let mut out = Vec::new();
    file.take(length).read_to_end(&mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn fixture() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/final_model.pt")
    }

    /// `tests/data/make_final_model.py` wrote the file.
    #[test]
    fn what_torch_saved_is_read() {
        let state = read_torch_state(&fixture()).unwrap();
        let names: Vec<&str> = state.keys().map(String::as_str).collect();
        assert_eq!(names, ["Wo.weight", "Wo.bias", "Wt.weight", "Wt.bias", "bo", "double", "bno.num_batches_tracked"]);
        // Stored transposed, as the authors' encoders are.
        assert_eq!(state["Wo.weight"], array![[0.0, 2.0, 4.0], [1.0, 3.0, 5.0]].into_dyn());
        assert_eq!(state["Wo.bias"], array![0.5, -0.5].into_dyn());
        assert_eq!(state["bo"], state["Wo.bias"]);
        assert_eq!(state["double"], array![1.0 / 3.0].into_dyn());
        assert_eq!(state["bno.num_batches_tracked"], ndarray::arr0(7.0).into_dyn());
    }

    #[test]
    fn what_is_no_such_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.pt");
        assert!(read_torch_state(&path).is_err());
        std::fs::write(&path, b"\x80\x02}q\x00.").unwrap();
        assert!(format!("{:#}", read_torch_state(&path).unwrap_err()).contains("1.6 or newer"));
    }

    /// A file as torch.save writes it, of a pickle and one storage; with the opcodes of `middle` in the pickle's dictionary.
    fn saved(compression: zip::CompressionMethod, storage: &[u8], middle: &[u8]) -> Result<StateDict> {
        use std::io::Write;
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("x.pt");
        let mut archive = zip::ZipWriter::new(File::create(&path)?);
        let options = zip::write::SimpleFileOptions::default().compression_method(compression);
        let mut pickle = b"\x80\x02}q\x00(".to_vec();
        pickle.extend(b"X\x01\x00\x00\x00actorch._utils\n_rebuild_tensor_v2\nq\x01((X\x07\x00\x00\x00storage");
        pickle.extend(b"ctorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x02tQK\x00K\x02\x85K\x01\x85tR");
        pickle.extend(middle);
        pickle.extend(b"u.");
        for (name, content) in [("x/data.pkl", &*pickle), ("x/data/0", storage)] {
            archive.start_file(name, options)?;
            archive.write_all(content)?;
        }
        archive.finish()?;
        read_torch_state(&path)
    }

    #[test]
    fn what_unpacks_to_more_than_the_file_is_refused() {
        let two = [0u8; 8];
        let plain = saved(zip::CompressionMethod::Stored, &two, b"").unwrap();
        assert_eq!(plain["a"], array![0.0, 0.0].into_dyn());
        // Twenty thousand copies of a dictionary, and of a tuple, take no more than one.
        let copies = b"X\x01\x00\x00\x00bctorch._utils\n_rebuild_parameter\nh\x00\x85R".repeat(20_000);
        assert_eq!(saved(zip::CompressionMethod::Stored, &two, &copies).unwrap().len(), 1);
        let shared: Vec<u8> =
            (0..40u8).flat_map(|i| [b"X\x01\x00\x00\x00".as_slice(), &[b'A' + i], &again()].concat()).collect();
        let error = format!("{:#}", saved(zip::CompressionMethod::Stored, &[0; 80_000], &shared).unwrap_err());
        assert!(error.contains("share each of its storages"), "{error}");
    }

    /// The tensor of [`saved`] once more.
    fn again() -> Vec<u8> {
        let mut pickle = b"h\x01((X\x07\x00\x00\x00storage".to_vec();
        pickle.extend(b"ctorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x02tQK\x00K\x02\x85K\x01\x85tR");
        pickle
    }
}
