//! Arrays as they are stored.

use ndarray::{ArrayBase, Data, Dimension};
use safetensors::Dtype as Stored;

use crate::{record::StoredTensor, spec::Dtype};

/// Numbers, in a precision.
pub fn reals<S: Data<Elem = f64>, D: Dimension>(name: &str, array: &ArrayBase<S, D>, dtype: Dtype) -> StoredTensor {
    let values = array.iter(); // row by row, however the array lies in memory
    let (stored, bytes) = match dtype {
        Dtype::Float32 => (Stored::F32, values.flat_map(|&value| (value as f32).to_le_bytes()).collect()),
        Dtype::Float64 => (Stored::F64, values.flat_map(|&value| value.to_le_bytes()).collect()),
    };
    (name.into(), stored, array.shape().to_vec(), bytes)
}

/// Whole numbers.
pub fn integers(name: &str, values: &[i64]) -> StoredTensor {
    (name.into(), Stored::I64, vec![values.len()], values.iter().flat_map(|value| value.to_le_bytes()).collect())
}
