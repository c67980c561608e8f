//! State dicts that `torch.save` wrote (`.pt`, `.pth`): a zip of a pickle, `data.pkl`, and one raw file for each storage.
//!
//! The pickle is read, not executed: it can name tensors and dictionaries; anything else that it asks Python to build
//! becomes an object that holds nothing. Whatever it says, reading it takes time and memory in proportion to the file.

use std::{collections::HashMap, fs::File, io::Read, path::Path};

use anyhow::{Context, Result, bail, ensure};
use ndarray::{ArrayD, Dimension, IxDyn};
use zip::ZipArchive;

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

/// Most bytes of a pickle: a state dict takes about a hundred for each tensor.
const LONGEST_PICKLE: usize = 1 << 20;

/// How often, on average, a storage may serve. (The authors' trained models name some parameters twice.)
const SHARED: u64 = 8;

/// Letters of a class's or storage's name, and axes of a tensor, at most.
const LONGEST_NAME: usize = 200;
const MOST_AXES: usize = 16;

/// A file of the archive, which torch.save does not compress: what would unpack to more than it takes is another's.
fn bytes(archive: &mut ZipArchive<File>, name: &str) -> Result<Vec<u8>> {
    let file = archive.by_name(name).with_context(|| format!("no {name} in it"))?;
    let length = file.compressed_size();
    ensure!(file.size() <= length, "{name} is compressed, which torch.save does not do");
    let mut out = Vec::new();
    file.take(length).read_to_end(&mut out)?;
    Ok(out)
}

/// A file of numbers, by what torch calls its type.
#[derive(Clone, Debug)]
struct Storage {
    class: String,
    key: String,
}

/// A strided view of a storage.
#[derive(Clone, Debug)]
struct SavedTensor {
    storage: Storage,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

impl SavedTensor {
    fn values(&self, storage: &[u8]) -> Result<ArrayD<f64>> {
        let flat: Vec<f64> = match self.storage.class.as_str() {
            "torch.FloatStorage" => numbers(storage, |bytes| f64::from(f32::from_le_bytes(bytes))),
            "torch.DoubleStorage" => numbers(storage, f64::from_le_bytes),
            "torch.LongStorage" => numbers(storage, |bytes| i64::from_le_bytes(bytes) as f64),
            other => bail!("its type is {other}; float32, float64 and int64 can be read"),
        };
        ensure!(self.shape.len() == self.strides.len(), "its shape and strides differ in length");
        let count = self.shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size));
        // Arrays without entries have lengths along their other axes all the same.
        let spans = self
            .shape
            .iter()
            .filter(|&&size| size > 0)
            .try_fold(1isize, |span, &size| span.checked_mul(isize::try_from(size).ok()?));
        ensure!(spans.is_some(), "its shape cannot be counted");
        let farthest =
            self.shape.iter().zip(&self.strides).try_fold(self.offset, |at, (&size, &stride)| {
                at.checked_add(size.saturating_sub(1).checked_mul(stride)?)
            });
        let fits = count == Some(0) || farthest.is_some_and(|at| at < flat.len());
        ensure!(fits && count.is_some_and(|count| count <= flat.len()), "it is larger than its storage");
        let at = |index: IxDyn| -> usize {
            self.offset + index.slice().iter().zip(&self.strides).map(|(i, stride)| i * stride).sum::<usize>()
        };
        Ok(ArrayD::from_shape_fn(IxDyn(&self.shape), |index| flat[at(index)]))
    }
}

fn numbers<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    bytes.chunks_exact(N).map(|chunk| number(chunk.try_into().expect("chunks of N bytes"))).collect()
}

/// What a pickle builds. Children are indices of [`Pickle::objects`], so that sharing and cycles cost nothing.
#[derive(Clone, Debug)]
enum Object {
    /// `None`, truth values, lists, and everything that plays no part in a state dict.
    Other,
    Int(i64),
    Text(String),
    /// A class or function, as `module.name`.
    Global(String),
    Tuple(Vec<usize>),
    Dictionary(Vec<(usize, usize)>),
    Storage(Storage),
    Tensor(SavedTensor),
}

/// The objects of a pickle; the last one on its stack is the one that was saved.
#[derive(Default)]
struct Pickle {
    objects: Vec<Object>,
    stack: Vec<usize>,
    /// Heights of the stack at the open marks.
    marks: Vec<usize>,
    memo: HashMap<u32, usize>,
}

impl Pickle {
    /// Runs the opcodes of protocols 2 to 5 that saving dictionaries of tensors uses.
    fn read(mut rest: &[u8]) -> Result<Self> {
        let mut pickle = Self::default();
        let bytes = &mut rest;
        loop {
            match take::<1>(bytes)?[0] {
                b'.' => return Ok(pickle),
                0x80 => _ = take::<1>(bytes)?,
                0x95 => _ = take::<8>(bytes)?,
                b'(' => pickle.marks.push(pickle.stack.len()),
                b'N' | 0x88 | 0x89 | b']' => pickle.push(Object::Other),
                b'}' => pickle.push(Object::Dictionary(Vec::new())),
                b')' => pickle.push(Object::Tuple(Vec::new())),
                b'K' => pickle.push(Object::Int(take::<1>(bytes)?[0].into())),
                b'M' => pickle.push(Object::Int(u16::from_le_bytes(take(bytes)?).into())),
                b'J' => pickle.push(Object::Int(i32::from_le_bytes(take(bytes)?).into())),
                b'G' => {
                    take::<8>(bytes)?;
                    pickle.push(Object::Other);
                }
                0x8a => {
                    let length = take::<1>(bytes)?[0].into();
                    pickle.push(long(slice(bytes, length)?));
                }
                b'X' => {
                    let length = u32::from_le_bytes(take(bytes)?) as usize;
                    pickle.push(text(slice(bytes, length)?)?);
                }
                0x8c => {
                    let length = take::<1>(bytes)?[0].into();
                    pickle.push(text(slice(bytes, length)?)?);
                }
                b'c' => {
                    let name = format!("{}.{}", line(bytes)?, line(bytes)?);
                    pickle.push(Object::Global(name));
                }
                0x93 => pickle.global()?,
                b't' => {
                    let items = pickle.since_mark()?;
                    pickle.push(Object::Tuple(items));
                }
                code @ 0x85..=0x87 => {
                    let mut items = (0x84..code).map(|_| pickle.pop()).collect::<Result<Vec<_>>>()?;
                    items.reverse();
                    pickle.push(Object::Tuple(items));
                }
                b'q' => pickle.memoize(take::<1>(bytes)?[0].into())?,
                b'r' => pickle.memoize(u32::from_le_bytes(take(bytes)?))?,
                0x94 => pickle.memoize(pickle.memo.len() as u32)?,
                b'h' => pickle.recall(take::<1>(bytes)?[0].into())?,
                b'j' => pickle.recall(u32::from_le_bytes(take(bytes)?))?,
                b's' => {
                    let (value, key) = (pickle.pop()?, pickle.pop()?);
                    pickle.insert(&[key, value])?;
                }
                b'u' => {
                    let items = pickle.since_mark()?;
                    pickle.insert(&items)?;
                }
                // Lists play no part: what is appended is dropped.
                b'a' | b'b' => _ = pickle.pop()?,
                b'e' => _ = pickle.since_mark()?,
                b'Q' => pickle.storage()?,
                b'R' | 0x81 => pickle.call()?,
                code => bail!("its pickle has the opcode {code:#04x}, which a state dict does not need"),
            }
        }
    }

    fn push(&mut self, object: Object) {
        self.stack.push(self.objects.len());
        self.objects.push(object);
    }

    fn pop(&mut self) -> Result<usize> {
        let floor = self.marks.last().copied().unwrap_or(0);
        ensure!(self.stack.len() > floor, "its pickle takes more than it has");
        Ok(self.stack.pop().expect("checked"))
    }

    fn since_mark(&mut self) -> Result<Vec<usize>> {
        let mark = self.marks.pop().context("its pickle closes what it has not opened")?;
        Ok(self.stack.split_off(mark))
    }

    fn top(&self) -> Result<usize> {
        self.stack.last().copied().context("its pickle takes more than it has")
    }

    fn memoize(&mut self, key: u32) -> Result<()> {
        self.memo.insert(key, self.top()?);
        Ok(())
    }

    fn recall(&mut self, key: u32) -> Result<()> {
        self.stack.push(*self.memo.get(&key).context("its pickle recalls what it has not seen")?);
        Ok(())
    }

    fn insert(&mut self, items: &[usize]) -> Result<()> {
        let target = self.top()?;
        if let Object::Dictionary(entries) = &mut self.objects[target] {
            entries.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1])));
        }
        Ok(())
    }

    /// A class or function of two strings.
    fn global(&mut self) -> Result<()> {
        let (name, module) = (self.pop()?, self.pop()?);
        let (Object::Text(module), Object::Text(name)) = (&self.objects[module], &self.objects[name]) else {
            bail!("its pickle names a class by no name");
        };
        ensure!(
            module.len() + name.len() <= LONGEST_NAME,
            "its pickle names a class by more than {LONGEST_NAME} letters"
        );
        self.push(Object::Global(format!("{module}.{name}")));
        Ok(())
    }

    /// A reference to a storage: `("storage", class, key, device, length)`.
    fn storage(&mut self) -> Result<()> {
        let reference = self.pop()?;
        let object = match &self.tuple(reference)[..] {
            [_, Object::Global(class), Object::Text(key), ..] if class.len() + key.len() <= LONGEST_NAME => {
                Object::Storage(Storage { class: class.clone(), key: key.clone() })
            }
            _ => bail!("its pickle refers to something that is not a storage"),
        };
        self.push(object);
        Ok(())
    }

    /// A function call: those that make dictionaries and tensors are understood.
    fn call(&mut self) -> Result<()> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let name = match &self.objects[function] {
            Object::Global(name) => name.as_str(),
            _ => "",
        };
        let object = match (name, &self.tuple(arguments)[..]) {
            ("collections.OrderedDict", _) => Object::Dictionary(Vec::new()),
            ("torch._utils._rebuild_parameter", [Object::Tensor(tensor), ..]) => Object::Tensor(tensor.clone()),
            (
                "torch._utils._rebuild_tensor_v2" | "torch._utils._rebuild_tensor",
                [Object::Storage(storage), Object::Int(offset), Object::Tuple(shape), Object::Tuple(strides), ..],
            ) => Object::Tensor(SavedTensor {
                storage: storage.clone(),
                offset: size(*offset)?,
                shape: self.sizes(shape)?,
                strides: self.sizes(strides)?,
            }),
            _ => Object::Other,
        };
        self.push(object);
        Ok(())
    }

    /// The first items of a tuple, as many as calls need; none of anything else.
    fn tuple(&self, at: usize) -> Vec<&Object> {
        match &self.objects[at] {
            Object::Tuple(items) => items.iter().take(8).map(|&item| &self.objects[item]).collect(),
            _ => Vec::new(),
        }
    }

    fn sizes(&self, items: &[usize]) -> Result<Vec<usize>> {
        ensure!(items.len() <= MOST_AXES, "its pickle has a tensor of more than {MOST_AXES} axes");
        let item = |&item: &usize| match self.objects[item] {
            Object::Int(value) => size(value),
            _ => bail!("its pickle gives a shape that is not a number"),
        };
        items.iter().map(item).collect()
    }

    /// Tensors by name.
    fn state_dict(&self) -> Result<Vec<(&str, &SavedTensor)>> {
        let root = self.entries(self.top()?).context("what it holds is no dictionary")?;
        let nested = root.iter().find(|(name, _)| *name == "model_state_dict").and_then(|&(_, at)| self.entries(at));
        let tensors = nested.unwrap_or(root).into_iter().filter_map(|(name, at)| match &self.objects[at] {
            Object::Tensor(tensor) => Some((name, tensor)),
            _ => None,
        });
        let tensors: Vec<_> = tensors.collect();
        ensure!(!tensors.is_empty(), "there are no tensors in it");
        Ok(tensors)
    }

    fn entries(&self, at: usize) -> Option<Vec<(&str, usize)>> {
        let Object::Dictionary(entries) = &self.objects[at] else { return None };
        let named = entries.iter().filter_map(|&(key, value)| match &self.objects[key] {
            Object::Text(name) => Some((name.as_str(), value)),
            _ => None,
        });
        Some(named.collect())
    }
}

fn slice<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length).context("its pickle ends early")?;
    *bytes = rest;
    Ok(taken)
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N]> {
    Ok(slice(bytes, N)?.try_into().expect("N bytes"))
}

fn line(bytes: &mut &[u8]) -> Result<String> {
    let end = bytes.iter().position(|&byte| byte == b'\n').context("its pickle ends early")?;
    let line = String::from_utf8(slice(bytes, end)?.to_vec())?;
    slice(bytes, 1)?;
    Ok(line)
}

fn text(bytes: &[u8]) -> Result<Object> {
    Ok(Object::Text(String::from_utf8(bytes.to_vec())?))
}

/// A little-endian integer in two's complement; one beyond 64 bits plays no part.
fn long(bytes: &[u8]) -> Object {
    if bytes.len() > 8 {
        return Object::Other;
    }
    let sign = if bytes.last().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 };
    let mut word = [sign; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    Object::Int(i64::from_le_bytes(word))
}

fn size(value: i64) -> Result<usize> {
    usize::try_from(value).context("its pickle gives a negative size")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

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

    #[test]
    fn every_beginning_of_a_pickle_is_an_error() {
        let mut archive = ZipArchive::new(File::open(fixture()).unwrap()).unwrap();
        let pickle = bytes(&mut archive, "final_model/data.pkl").unwrap();
        assert!(Pickle::read(&pickle).unwrap().state_dict().is_ok());
        for end in 0..pickle.len() - 1 {
            assert!(Pickle::read(&pickle[..end]).is_err());
        }
    }

    /// A file as torch.save writes it, of a pickle and one storage; `copies` opcodes stand in the pickle's middle.
    fn saved(compression: zip::CompressionMethod, storage: &[u8], middle: &[u8]) -> Result<StateDict> {
        use std::io::Write;
        let path = tempfile::tempdir()?.keep().join("x.pt");
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

    #[test]
    fn a_tensor_beyond_its_storage_is_an_error() {
        let tensor = |offset: usize, shape: &[usize], strides: &[usize]| SavedTensor {
            storage: Storage { class: "torch.FloatStorage".into(), key: "0".into() },
            offset,
            shape: shape.to_vec(),
            strides: strides.to_vec(),
        };
        let storage = [0u8; 16];
        assert!(tensor(1, &[3], &[1]).values(&storage).is_ok());
        assert!(tensor(9, &[0], &[1]).values(&storage).is_ok());
        for wrong in [
            tensor(2, &[3], &[1]),
            tensor(0, &[2, 2], &[3, 1]),
            tensor(0, &[usize::MAX, 2], &[0, 0]),
            tensor(0, &[1 << 40], &[0]),
            tensor(0, &[2], &[]),
            tensor(usize::MAX, &[2], &[usize::MAX]),
            tensor(0, &[0, 1 << 62, 1 << 62], &[0, 0, 0]),
        ] {
            assert!(wrong.values(&storage).is_err());
        }
    }
}
