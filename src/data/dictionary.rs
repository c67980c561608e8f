use ndarray::Array2;
use tch::{Device, Kind, Tensor};

use crate::{
    random::Draws,
    spec::{DataSpec, Dictionary},
};

/// The dictionary `M`, `(p, d)`, with orthonormal columns.
///
/// The orthonormal one is the Q of LAPACK's Householder QR of a standard Gaussian matrix, so its signs are NumPy's.
pub fn draw(spec: &DataSpec, draws: &mut dyn Draws) -> Array2<f64> {
    let (p, d) = (spec.p, spec.d);
    match spec.dictionary {
        Dictionary::Identity => Array2::eye(p),
        Dictionary::Orthonormal => {
            let gaussian: Vec<f64> = (0..p * d).map(|_| draws.normal()).collect();
            let gaussian = Tensor::from_slice(&gaussian).reshape([p as i64, d as i64]);
            let (q, _) = Tensor::linalg_qr(&gaussian, "reduced");
            from_tensor(&q)
        }
    }
}

fn from_tensor(matrix: &Tensor) -> Array2<f64> {
    let (rows, columns) = matrix.size2().expect("a matrix");
    let flat = matrix.to_device(Device::Cpu).to_kind(Kind::Double).contiguous().reshape([-1]);
    let values = Vec::<f64>::try_from(&flat).expect("a double tensor on the CPU");
    Array2::from_shape_vec((rows as usize, columns as usize), values).expect("as many values as the shape says")
}
