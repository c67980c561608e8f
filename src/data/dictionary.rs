use ndarray::Array2;

use crate::{
    linalg::orthonormal_columns,
    metrics::{coherent, random_atoms},
    random::Draws,
    spec::{DataSpec, Dictionary},
};

/// The dictionary `M`, `(p, d)`, with columns of unit length: orthonormal ones, unless the settings ask for others.
///
/// The orthonormal one is the Q of a Householder QR of a standard Gaussian matrix, with the signs of LAPACK, hence of
/// NumPy. The authors' draws (`exact`) need LAPACK's last bits as well, which libtorch provides. (A build without
/// libtorch does not train on those draws; it redraws the dictionaries of finished runs, up to rounding.)
pub fn draw(spec: &DataSpec, exact: bool, draws: &mut dyn Draws) -> Array2<f64> {
    let (p, d) = (spec.p, spec.d);
    let orthonormal = match spec.dictionary {
        Dictionary::Identity => Array2::eye(p),
        Dictionary::Orthonormal => {
            let gaussian = Array2::from_shape_simple_fn((p, d), || draws.normal());
            if exact { lapack(&gaussian) } else { orthonormal_columns(&gaussian) }
        }
        Dictionary::Gaussian => return random_atoms(draws, p, d),
    };
    if spec.coherence == 0.0 { orthonormal } else { orthonormal.dot(&coherent(d, spec.coherence)) }
}

#[cfg(not(feature = "torch"))]
fn lapack(matrix: &Array2<f64>) -> Array2<f64> {
    orthonormal_columns(matrix)
}

/// Q of libtorch's QR, which is LAPACK's.
#[cfg(feature = "torch")]
fn lapack(matrix: &Array2<f64>) -> Array2<f64> {
    use tch::Tensor;

    let (rows, columns) = matrix.dim();
    let flat: Vec<f64> = matrix.iter().copied().collect();
    let (q, _) = Tensor::linalg_qr(&Tensor::from_slice(&flat).reshape([rows as i64, columns as i64]), "reduced");
    let values = Vec::<f64>::try_from(q.contiguous().reshape([-1])).expect("a double tensor on the CPU");
    Array2::from_shape_vec((rows, columns), values).expect("as many values as the shape says")
}

#[cfg(all(test, feature = "torch"))]
mod tests {
    use super::*;
    use crate::random::native::Key;

    #[test]
    fn our_decomposition_is_lapacks_to_a_rounding() {
        for (p, d) in [(50, 10), (20, 20), (3, 1), (1, 1)] {
            let mut draws = Key::from_seed(3).stream();
            let gaussian = Array2::from_shape_simple_fn((p, d), || draws.normal());
            let difference = orthonormal_columns(&gaussian) - lapack(&gaussian);
            assert!(difference.iter().all(|entry| entry.abs() < 1e-13), "{p} x {d}: {difference}");
        }
    }
}
