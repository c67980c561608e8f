//! Parameters as safetensors, under the names of the authors' state dicts.

use std::path::Path;

use anyhow::{Context, Result, bail};
use ndarray::{ArrayD, IxDyn};
use safetensors::{Dtype as Stored, SafeTensors, tensor::TensorView};

use super::regular;
use crate::spec::{Dtype, layout::StateDict};

/// A tensor as it is stored: name, type, shape, bytes.
pub type StoredTensor = (String, Stored, Vec<usize>, Vec<u8>);

/// Writes a state dict: parameters in the run's precision, batch counts as 64-bit integers.
pub fn write_state(path: &Path, state: &StateDict, dtype: Dtype) -> Result<()> {
    super::write_whole(path, &serialize(&stored(state, dtype))?)
}

/// A state dict as [`write_state`] writes it.
pub fn stored(state: &StateDict, dtype: Dtype) -> Vec<StoredTensor> {
    let mut tensors = Vec::with_capacity(state.len());
    for (name, value) in state {
        let (stored, bytes) = if name.ends_with("num_batches_tracked") {
            (Stored::I64, value.iter().flat_map(|v| (*v as i64).to_le_bytes()).collect())
        } else if dtype == Dtype::Float32 {
            (Stored::F32, value.iter().flat_map(|v| (*v as f32).to_le_bytes()).collect())
        } else {
            (Stored::F64, value.iter().flat_map(|v| v.to_le_bytes()).collect())
        };
        tensors.push((name.clone(), stored, value.shape().to_vec(), bytes));
    }
    tensors
}

/// The bytes of a safetensors file.
pub fn serialize(tensors: &[StoredTensor]) -> Result<Vec<u8>> {
    let views: Vec<(&String, TensorView)> = tensors
        .iter()
        .map(|(name, stored, shape, bytes)| Ok((name, TensorView::new(*stored, shape.clone(), bytes)?)))
        .collect::<Result<_>>()?;
    Ok(safetensors::serialize(views, None)?)
}

/// Reads a state dict.
pub fn read_state(path: &Path) -> Result<StateDict> {
    let bytes = regular::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse_state(&bytes).with_context(|| format!("cannot read {}", path.display()))
}

/// The state dict of a file's content.
pub fn parse_state(bytes: &[u8]) -> Result<StateDict> {
    let file = SafeTensors::deserialize(bytes).context("not safetensors")?;
    state_of(file.tensors())
}

/// The state dict that tensors make up.
pub fn state_of<'a>(tensors: impl IntoIterator<Item = (String, TensorView<'a>)>) -> Result<StateDict> {
    let mut state = StateDict::new();
    for (name, view) in tensors {
        let values: Vec<f64> = match view.dtype() {
            Stored::F32 => chunks(view.data()).map(|b| f64::from(f32::from_le_bytes(b))).collect(),
            Stored::F64 => chunks(view.data()).map(f64::from_le_bytes).collect(),
            Stored::I64 => chunks(view.data()).map(|b| i64::from_le_bytes(b) as f64).collect(),
            other => bail!("{name} has the type {other:?}; float32, float64 and int64 can be read"),
        };
        state.insert(name, ArrayD::from_shape_vec(IxDyn(view.shape()), values)?);
    }
    Ok(state)
}

/// Little-endian numbers of N bytes each.
pub fn chunks<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> + '_ {
    bytes.chunks_exact(N).map(|chunk| chunk.try_into().expect("chunks of N bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_survives_the_disk() {
        let mut state = StateDict::new();
        state.insert("Wo.weight".into(), ArrayD::from_shape_fn(IxDyn(&[3, 2]), |i| (i[0] * 2 + i[1]) as f64 / 3.0));
        state.insert("bno.num_batches_tracked".into(), ArrayD::from_elem(IxDyn(&[]), 7.0));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.safetensors");
        write_state(&path, &state, Dtype::Float64).unwrap();
        let read = read_state(&path).unwrap();
        for (name, value) in &state {
            assert_eq!(&read[name], value);
        }
        write_state(&path, &state, Dtype::Float32).unwrap();
        let rounded = state["Wo.weight"].mapv(|v| f64::from(v as f32));
        assert_eq!(read_state(&path).unwrap()["Wo.weight"], rounded);
    }
}
