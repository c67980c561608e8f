use nalgebra::DMatrix;
use ndarray::{Array2, Axis};

/// Added to the diagonal of the representations' second moments, relative to its mean, for neurons that are silent or
/// duplicates.
const RIDGE: f64 = 1e-6;

/// How well a linear map decodes the latents from the representation: R² over all latents, fitted by least squares on
/// every other sample and scored on the rest, so that chance scores about zero or less.
///
/// `representation` `(B, m)` and `latents` `(B, d)` belong to the same samples. `None` unless half of the samples
/// outnumber the neurons and every value is finite.
pub fn latent_r2(representation: &Array2<f64>, latents: &Array2<f64>) -> Option<f64> {
    let (samples, m) = representation.dim();
    if samples / 2 <= m || representation.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let half =
        |matrix: &Array2<f64>, first: usize| matrix.select(Axis(0), &(first..samples).step_by(2).collect::<Vec<_>>());
    let (h, z) = (half(representation, 0), half(latents, 0));
    let (mean_h, mean_z) = (h.mean_axis(Axis(0))?, z.mean_axis(Axis(0))?);
    let (h, z) = (h - &mean_h, z - &mean_z);
    let moments = h.t().dot(&h);
    let ridge = RIDGE * moments.diag().mean()?;
    if !(ridge.is_finite() && ridge > 0.0) {
        return None; // of a collapsed run, or one that diverges
    }
    let normal = DMatrix::from_fn(m, m, |i, j| moments[[i, j]] + if i == j { ridge } else { 0.0 });
    let answers = h.t().dot(&z);
    let answers = DMatrix::from_fn(m, z.ncols(), |i, j| answers[[i, j]]);
    let map = normal.cholesky()?.solve(&answers);
    let map = Array2::from_shape_fn((m, z.ncols()), |(i, j)| map[(i, j)]);
    let (h, z) = (half(representation, 1) - &mean_h, half(latents, 1) - &mean_z);
    let square = |matrix: &Array2<f64>| matrix.iter().map(|value| value * value).sum::<f64>();
    let (rest, total) = (square(&(h.dot(&map) - &z)), square(&z));
    (total > 0.0).then(|| 1.0 - rest / total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Draws, native::Key};

    fn gaussian(shape: (usize, usize), seed: u64) -> Array2<f64> {
        let mut draws = Key::from_seed(seed).stream();
        Array2::from_shape_simple_fn(shape, || draws.normal())
    }

    #[test]
    fn a_linear_code_is_decoded_and_noise_is_not() {
        let latents = gaussian((400, 3), 1);
        let code = latents.dot(&gaussian((3, 8), 2)) + 5.0;
        assert!((latent_r2(&code, &latents).unwrap() - 1.0).abs() < 1e-4);
        let unrelated = latent_r2(&gaussian((400, 8), 3), &latents).unwrap();
        assert!(unrelated < 0.02, "{unrelated}");
    }

    #[test]
    fn noise_as_strong_as_the_signal_leaves_half() {
        let latents = gaussian((4000, 2), 1);
        let noisy = &latents + &gaussian((4000, 2), 4);
        assert!((latent_r2(&noisy, &latents).unwrap() - 0.5).abs() < 0.03);
    }

    #[test]
    fn too_few_samples_and_collapse_are_not_measured() {
        assert_eq!(latent_r2(&gaussian((16, 8), 1), &gaussian((16, 2), 2)), None);
        assert_eq!(latent_r2(&Array2::zeros((40, 8)), &gaussian((40, 2), 2)), None);
        assert_eq!(latent_r2(&(gaussian((40, 8), 1) * f64::NAN), &gaussian((40, 2), 2)), None);
    }
}
