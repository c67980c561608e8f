use ndarray::Array2;

use crate::{
    random::Draws,
    spec::{DataSpec, Noise},
};

/// Standard deviation of the noise on each input.
pub fn sigma(spec: &DataSpec) -> f64 {
    let d = spec.d as f64;
    match spec.noise {
        Noise::None => 0.0,
        Noise::Authors { exponent } => (d.ln().sqrt() / d).powf(exponent),
        Noise::Paper => (d.ln() / d).sqrt(),
        Noise::Gaussian { sigma } => sigma,
    }
}

/// Noise `eps` of every sample, `(n, p)`; drawn input by input, as the authors do. Nothing is drawn without noise.
pub fn draw(spec: &DataSpec, draws: &mut dyn Draws) -> Array2<f64> {
    let (n, p, sigma) = (spec.samples, spec.p, sigma(spec));
    if sigma == 0.0 {
        return Array2::zeros((n, p));
    }
    let values: Vec<f64> = (0..p * n).map(|_| sigma * draws.normal()).collect();
    Array2::from_shape_vec((p, n), values).expect("n values for each input").reversed_axes()
}
