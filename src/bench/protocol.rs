//! What every side of the benchmark speaks: one JSON object a line, on standard input and output. The Python sides'
//! half is `benches/peers/protocol.py`.

use indexmap::IndexMap;
use ndarray::{Array2, ArrayD, ArrayView2, Ix2, IxDyn};
use serde::{Deserialize, Serialize};

use crate::spec::{RunSpec, layout::StateDict};

/// Rows of a matrix.
pub type Rows = Vec<Vec<f64>>;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Answered by an empty object.
    Load(Box<Load>),
    /// Losses of `steps` steps on given views `(B, p)`, from the state that was loaded.
    Check { x1: Rows, x2: Rows, steps: usize },
    /// Train for at least this long (and at least an epoch or a few): order, masks, gather, steps.
    Time { seconds: f64 },
}

/// What to train: R runs of `spec`, each on its own draws.
#[derive(Serialize, Deserialize)]
pub struct Load {
    pub spec: RunSpec,
    pub runs: usize,
    /// Samples `(n, p)` for the sides that draw none of their own.
    pub x: Rows,
    pub state: IndexMap<String, Nested>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Answer {
    pub losses: Vec<f64>,
    pub seconds: f64,
    /// Steps taken in that time, summed over the runs.
    pub run_steps: f64,
    /// Most memory that the process ever held, in bytes.
    pub memory: f64,
}

/// An array as nested lists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Nested {
    Scalar(f64),
    Vector(Vec<f64>),
    Matrix(Rows),
}

/// A state dict as nested lists.
pub fn nested(state: &StateDict) -> IndexMap<String, Nested> {
    let array = |value: &ArrayD<f64>| match value.view().into_dimensionality::<Ix2>() {
        Ok(matrix) => Nested::Matrix(rows(matrix)),
        Err(_) if value.ndim() == 0 => Nested::Scalar(value.sum()),
        Err(_) => Nested::Vector(value.iter().copied().collect()),
    };
    state.iter().map(|(name, value)| (name.clone(), array(value))).collect()
}

/// The state dict of nested lists.
pub fn state(nested: IndexMap<String, Nested>) -> StateDict {
    let array = |value: Nested| match value {
        Nested::Scalar(value) => ArrayD::from_elem(IxDyn(&[]), value),
        Nested::Vector(values) => ndarray::Array1::from(values).into_dyn(),
        Nested::Matrix(rows) => matrix(&rows).into_dyn(),
    };
    nested.into_iter().map(|(name, value)| (name, array(value))).collect()
}

pub fn rows(matrix: ArrayView2<f64>) -> Rows {
    matrix.outer_iter().map(|row| row.to_vec()).collect()
}

/// The matrix of rows of one length.
pub fn matrix(rows: &Rows) -> Array2<f64> {
    Array2::from_shape_fn((rows.len(), rows.first().map_or(0, Vec::len)), |(i, j)| rows[i][j])
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn arrays_survive_the_journey() {
        let arrays =
            [array![[1.0, -0.1], [1e-300, 4.0]].into_dyn(), array![0.3, 0.1].into_dyn(), ArrayD::zeros(IxDyn(&[]))];
        let names = ["Wo.weight", "Wo.bias", "bno.num_batches_tracked"];
        let dict: StateDict = names.map(String::from).into_iter().zip(arrays).collect();
        let text = serde_json::to_string(&nested(&dict)).unwrap();
        assert_eq!(state(serde_json::from_str(&text).unwrap()), dict);
    }

    /// What `benches/peers/protocol.py` reads and writes.
    #[test]
    fn requests_have_one_key() {
        let request = Request::Time { seconds: 0.5 };
        assert_eq!(serde_json::to_string(&request).unwrap(), r#"{"time":{"seconds":0.5}}"#);
        let answer: Answer = serde_json::from_str(r#"{"losses": [1.5]}"#).unwrap();
        assert_eq!(answer.losses, [1.5]);
    }
}
