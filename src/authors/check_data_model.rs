//! `verify_data_model/check_data_model.py`: dictionary learning on the same data, by two known algorithms.

use std::path::PathBuf;

use anyhow::{Result, bail};
use ndarray::Array2;

use super::{
    Config,
    flags::{Flag, split},
};
use crate::{
    data::{Dataset, RunStreams},
    input_error, metrics,
    plots::{Curve, Figure, Panel},
    spec::{DataSpec, Dictionary, Latents, Noise, Random},
};

const fn flag(name: &'static str, value: &'static str, help: &'static str) -> Flag {
    Flag { name, value: Some(value), help }
}

/// The script's flags.
pub const THEIRS: [Flag; 11] = [
    flag("cfg", "FILE", "configuration file; read, and of no effect (required)"),
    flag("logDir", "DIR", "folder of result.png (required)"),
    flag("nn", "N", "samples [100]"),
    flag("NUM_EPOCHES", "N", "steps [100000]"),
    flag("c", "C", "read and ignored: the start is the dictionary"),
    flag("p", "N", "input dimension [20]"),
    flag("d", "N", "atoms; p = d = m [20]"),
    flag("m", "N", "neurons [20]"),
    flag("lr", "RATE", "step size [5e-4]"),
    flag("sigma0", "EXPONENT", "noise, as gaussian_noise_levels [None]"),
    flag("threshold", "C", "of decoding [0.7]"),
];

/// Flags of ours beside them.
pub const OURS: [Flag; 2] = [
    flag("seed", "SEED", "of NumPy's generator, which the script leaves to chance [1]"),
    flag("update", "RULE", "neural (Algorithm 2 of Arora et al. 2015) or olshausen-field [neural]"),
];

/// Gradient of the dictionary.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Update {
    /// `(x - z W)^T sign(z) / n`: Algorithm 2 of Arora, Ge, Ma and Moitra (2015).
    Neural,
    /// `(x - z W)^T z / n`: Olshausen and Field (1997).
    OlshausenField,
}

struct Settings {
    log_dir: PathBuf,
    samples: usize,
    steps: usize,
    size: usize,
    lr: f64,
    noise: Noise,
    threshold: f64,
    seed: u32,
    update: Update,
}

/// What is measured every 50 steps.
#[derive(Default)]
struct Trace {
    step: Vec<f64>,
    loss: Vec<f64>,
    dictionary: Vec<f64>,
    latents: Vec<f64>,
}

/// Runs the script with these arguments; returns the picture it wrote.
///
/// # Errors
/// Input errors that name the flag; a dictionary that leaves the region where the algorithm is known to converge, which
/// the script asserts.
pub fn check_data_model(arguments: &[String]) -> Result<PathBuf> {
    let settings = Settings::parse(arguments)?;
    let trace = settings.learn()?;
    let path = settings.log_dir.join("result.png");
    settings.figure(&trace).draw(&path)?;
    Ok(path)
}

impl Settings {
    fn parse(arguments: &[String]) -> Result<Self> {
        let mut settings = Self {
            log_dir: PathBuf::new(),
            samples: 100,
            steps: 100_000,
            size: 20,
            lr: 5e-4,
            noise: Noise::Authors { exponent: 1.0 },
            threshold: 0.7,
            seed: 1,
            update: Update::Neural,
        };
        let (mut p, mut d, mut m, mut cfg) = (20, 20, 20, None);
        for given in split(arguments, &THEIRS, &OURS)? {
            match given.name {
                "cfg" => cfg = Some(PathBuf::from(&given.value)),
                "logDir" => settings.log_dir = given.value.clone().into(),
                "nn" => settings.samples = given.int()?,
                "NUM_EPOCHES" => settings.steps = given.int()?,
                "p" => p = given.int()?,
                "d" => d = given.int()?,
                "m" => m = given.int()?,
                "lr" => settings.lr = given.float()?,
                "sigma0" => {
                    settings.noise = match given.float()? {
                        0.0 => Noise::None,
                        exponent => Noise::Authors { exponent },
                    }
                }
                "threshold" => settings.threshold = given.float()?,
                "seed" => settings.seed = given.int()?.try_into().map_err(|_| input_error!("--seed: below 2^32"))?,
                "update" => {
                    settings.update = match given.value.as_str() {
                        "neural" => Update::Neural,
                        "olshausen-field" => Update::OlshausenField,
                        other => return Err(input_error!("--update {other}: valid are neural and olshausen-field")),
                    }
                }
                // `--c` has no effect.
                _ => _ = given.float()?,
            }
        }
        Config::read(&cfg.ok_or_else(|| input_error!("--cfg FILE is required"))?)?;
        if settings.log_dir.as_os_str().is_empty() {
            return Err(input_error!("--logDir DIR is required"));
        }
        if p != d || d != m || p < 3 {
            return Err(input_error!(
                "--p, --d, --m: the script compares W with M entry by entry, which needs p = d = m >= 3, not {p}, {d}, {m}"
            ));
        }
        if settings.samples == 0 || settings.steps == 0 {
            return Err(input_error!("--nn, --NUM_EPOCHES: at least 1"));
        }
        settings.size = p;
        Ok(settings)
    }

    fn data(&self) -> Dataset {
        let d = self.size as f64;
        let spec = DataSpec {
            samples: self.samples,
            p: self.size,
            d: self.size,
            dictionary: Dictionary::Orthonormal,
            latents: Latents::FixedSupport { sparsity: d.ln().ln() / d },
            noise: self.noise,
        };
        Dataset::draw(&spec, &mut RunStreams::new(Random::Authors, self.seed.into()))
    }

    /// From `W = M^T`, step by step.
    fn learn(&self) -> Result<Trace> {
        let Dataset { dictionary, latents, x } = self.data(); // (p, d), (n, d), (n, p)
        let mut w = dictionary.t().to_owned(); // (m, p)
        check_closeness(&w, &dictionary)?;
        let mut trace = Trace::default();
        for step in 0..self.steps {
            let half = self.threshold / 2.0;
            let z = x.dot(&w.t()).mapv(|z| if z.abs() <= half { 0.0 } else { z }); // (n, m)
            let residual = &x - &z.dot(&w); // (n, p)
            let factor = match self.update {
                Update::Neural => z.mapv(|z| if z == 0.0 { 0.0 } else { z.signum() }),
                Update::OlshausenField => z.clone(),
            };
            let gradient = residual.t().dot(&factor) / self.samples as f64; // (p, m)
            w.scaled_add(self.lr, &gradient.t());
            check_closeness(&w, &dictionary)?;
            if step % 50 == 0 {
                trace.step.push(step as f64);
                trace.loss.push(rounded_norm(&(&x - &z.dot(&w))));
                trace.dictionary.push(rounded_norm(&(&w.t() - &dictionary)));
                trace.latents.push(rounded_norm(&(&z - &latents)));
            }
        }
        Ok(trace)
    }

    fn figure(&self, trace: &Trace) -> Figure {
        let panel = |title: &str, values: &[f64]| Panel {
            title: title.into(),
            x_label: "steps".into(),
            y_label: title.into(),
            curves: vec![Curve { x: trace.step.clone(), runs: vec![values.to_vec()], ..Curve::default() }],
            ..Panel::default()
        };
        let rule = match self.update {
            Update::Neural => "Algorithm 2 of Arora et al. (2015)",
            Update::OlshausenField => "Olshausen-Field updates",
        };
        Figure {
            title: format!("Dictionary learning from the truth: {rule}"),
            subtitle: format!(
                "n = {}, p = d = m = {}, step size {}, threshold {}, seed {}",
                self.samples, self.size, self.lr, self.threshold, self.seed
            ),
            panels: vec![
                panel("loss |x - z W|", &trace.loss),
                panel("dictionary error |W^T - M|", &trace.dictionary),
                panel("latents error |z - z*|", &trace.latents),
            ],
            columns: 3,
            ..Figure::default()
        }
    }
}

/// Frobenius norm to five decimals, as the script keeps it.
fn rounded_norm(matrix: &Array2<f64>) -> f64 {
    let norm = matrix.iter().map(|v| v * v).sum::<f64>().sqrt();
    (norm * 1e5).round_ties_even() / 1e5
}

/// The script's assertions: every column of `W` within 50 / ln n of M's, and `|W - M| <= 2 |M|` in spectral norm.
///
/// They compare `W`, not its transpose, with `M`; so does this.
fn check_closeness(w: &Array2<f64>, m: &Array2<f64>) -> Result<()> {
    let difference = w - m;
    let bound = 50.0 / (w.ncols() as f64).ln();
    let farthest = difference.columns().into_iter().map(|column| column.dot(&column).sqrt()).fold(0.0, f64::max);
    if farthest.is_nan() || farthest > bound {
        bail!("an atom has gone {farthest:.3} from the dictionary's, beyond 50 / ln n = {bound:.3}");
    }
    let (distance, limit) = (spectral_norm(&difference), 2.0 * spectral_norm(m));
    // At the start the distance of an orthogonal matrix from its transpose can be the bound itself.
    if distance.is_nan() || distance > limit * (1.0 + 1e-9) {
        bail!("|W - M| = {distance:.4} has gone beyond 2 |M| = {limit:.4}");
    }
    Ok(())
}

fn spectral_norm(matrix: &Array2<f64>) -> f64 {
    metrics::spectrum(matrix).map_or(f64::NAN, |spectrum| spectrum.largest)
}
