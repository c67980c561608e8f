use ndarray::Array2;

use crate::{
    random::Draws,
    spec::{DataSpec, Noise, geometric},
};

/// Standard deviation of the noise on each input, `(p,)`.
pub fn sigmas(spec: &DataSpec) -> Vec<f64> {
    let d = spec.d as f64;
    let sigma = match spec.noise {
        Noise::None => 0.0,
        Noise::Authors { exponent } => (d.ln().sqrt() / d).powf(exponent),
        Noise::Paper => (d.ln() / d).sqrt(),
        Noise::Gaussian { sigma } => sigma,
        Noise::Heteroskedastic { first, last } => return geometric(first, last, spec.p),
    };
    vec![sigma; spec.p]
}

/// Noise `eps` of every sample, `(n, p)`; drawn input by input, as the authors do. Nothing is drawn without noise.
pub fn draw(spec: &DataSpec, draws: &mut dyn Draws) -> Array2<f64> {
    let (n, p, sigmas) = (spec.samples, spec.p, sigmas(spec));
    if sigmas.iter().all(|&sigma| sigma == 0.0) {
        return Array2::zeros((n, p));
    }
    let mut of_input = |sigma: f64| (0..n).map(|_| sigma * draws.normal()).collect::<Vec<_>>();
    let values: Vec<f64> = sigmas.into_iter().flat_map(&mut of_input).collect();
    Array2::from_shape_vec((p, n), values).expect("n values for each input").reversed_axes()
}
