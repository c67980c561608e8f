//! Tensors as a pickle names them, and their values from the raw bytes beside it.

use anyhow::{Result, bail, ensure};
use ndarray::{ArrayD, Dimension, IxDyn};

/// A file of numbers, by what torch calls its type.
#[derive(Clone, Debug)]
pub struct Storage {
    pub class: String,
    pub key: String,
}

/// A strided view of a storage.
#[derive(Clone, Debug)]
pub struct SavedTensor {
    pub storage: Storage,
    pub offset: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

impl SavedTensor {
    /// Its entries, from the bytes of its storage.
    pub fn values(&self, storage: &[u8]) -> Result<ArrayD<f64>> {
        let flat: Vec<f64> = match self.storage.class.as_str() {
            "torch.FloatStorage" => numbers(storage, |bytes| f64::from(f32::from_le_bytes(bytes))),
            "torch.DoubleStorage" => numbers(storage, f64::from_le_bytes),
            "torch.LongStorage" => numbers(storage, |bytes| i64::from_le_bytes(bytes) as f64),
            other => bail!("its type is {other}; float32, float64 and int64 can be read"),
        };
        ensure!(self.shape.len() == self.strides.len(), "its shape and strides differ in length");
        let count = self.shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size));
        // An array without entries still has lengths along its other axes.
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

#[cfg(test)]
mod tests {
    use super::*;

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
