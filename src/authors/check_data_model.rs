//! `verify_data_model/check_data_model.py`: dictionary learning on the same data, by two known algorithms.

use std::path::PathBuf;

use anyhow::{Result, bail};
use ndarray::{Array2, ArrayView2};

use super::{
    Config,
    argparse::{Flag, flag, split},
};
use crate::{
    data::{Dataset, RunStreams},
    input_error, metrics,
    plots::{Curve, Figure, Panel},
    spec::{DataSpec, Dictionary, Latents, Noise, Random, Strengths},
};

/// The script's flags.
pub const THEIRS: &[Flag] = &[
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

/// Our flags beside them.
pub const OURS: &[Flag] = &[
    flag("seed", "SEED", "seed of NumPy's generator, which the script leaves to chance [1]"),
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
    theirs_stops_at: Option<usize>,
}

/// The outcome of a check.
#[derive(Clone, Debug)]
pub struct Checked {
    /// `result.png` in `--logDir`.
    pub picture: PathBuf,
    /// The step at which the published script stops, if it does: it compares `W`, not its transpose, with M.
    pub theirs_stops_at: Option<usize>,
}

/// Runs the script with these arguments.
///
/// # Errors
/// Input errors that name the flag; a dictionary that leaves the region where the algorithm is known to converge.
pub fn check_data_model(arguments: &[String]) -> Result<Checked> {
    let settings = Settings::parse(arguments)?;
    let trace = settings.learn()?;
    let picture = settings.log_dir.join("result.png");
    settings.figure(&trace).draw(&picture)?;
    Ok(Checked { picture, theirs_stops_at: trace.theirs_stops_at })
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
        for given in split(arguments, THEIRS, OURS)? {
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
            coherence: 0.0,
            correlation: 0.0,
            strengths: Strengths::Equal,
            latents: Latents::FixedSupport { sparsity: d.ln().ln() / d },
            noise: self.noise,
            noise_per_view: false,
            fresh: false,
        };
        Dataset::draw(&spec, &mut RunStreams::new(Random::Authors, self.seed.into()))
    }

    /// From `W = M^T`, step by step.
    fn learn(&self) -> Result<Trace> {
        let Dataset { dictionary, latents, x } = self.data(); // (p, d), (n, d), (n, p)
        let mut w = dictionary.t().to_owned(); // (m, p)
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
            check_closeness(&w.t(), &dictionary)?;
            if trace.theirs_stops_at.is_none() && stops_theirs(&w, &dictionary) {
                trace.theirs_stops_at = Some(step);
            }
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
            x_label: "step".into(),
            y_label: "Frobenius norm".into(),
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

/// Frobenius norm to five decimals, the precision that the script keeps.
fn rounded_norm(matrix: &Array2<f64>) -> f64 {
    let norm = matrix.iter().map(|v| v * v).sum::<f64>().sqrt();
    (norm * 1e5).round_ties_even() / 1e5
}

/// Whether `learnt` `(p, d)` is where the algorithm is known to converge ((delta, 2)-near, in Arora et al.): every atom within
/// 50 / ln d of M's, and `|learnt - M| <= 2 |M|` in spectral norm, where `|M|` is 1.
fn check_closeness(learnt: &ArrayView2<f64>, m: &Array2<f64>) -> Result<()> {
    let difference = learnt - m;
    let bound = 50.0 / (m.ncols() as f64).ln();
    let farthest = difference.columns().into_iter().map(|column| column.dot(&column).sqrt()).fold(0.0, f64::max);
    if farthest.is_nan() || farthest > bound {
        bail!("an atom is {farthest:.3} away from the dictionary's, beyond 50 / ln d = {bound:.3}");
    }
    let distance = spectral_norm(&difference);
    if distance.is_nan() || distance > 2.0 {
        bail!("|W^T - M| = {distance:.4} is beyond 2 |M| = 2");
    }
    Ok(())
}

/// Whether the published script stops here. It makes the same assertion of `W` itself instead of its transpose. Both
/// are orthogonal at first, so their distance is 2 as soon as one has an eigenvalue opposite to one of the other's, and
/// a step can push it beyond.
fn stops_theirs(w: &Array2<f64>, m: &Array2<f64>) -> bool {
    spectral_norm(&(w - m)) > 2.0 + 1e-9
}

fn spectral_norm(matrix: &Array2<f64>) -> f64 {
    metrics::spectrum(matrix).map_or(f64::NAN, |spectrum| spectrum.largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Their functions, with NumPy seeded with 1, and 2001 steps.
    #[test]
    fn the_authors_numbers() {
        let flags = ["--cfg", "/dev/null", "--logDir", ".", "--NUM_EPOCHES", "2001"].map(String::from);
        let trace = Settings::parse(&flags).unwrap().learn().unwrap();
        for (at, step, [loss, dictionary, latents]) in [
            (0, 0.0, [3.68881, 3e-5, 1.2371]),
            (1, 50.0, [3.68712, 0.00127, 1.23711]),
            (40, 2000.0, [3.62841, 0.04708, 1.23752]),
        ] {
            assert_eq!(trace.step[at], step);
            // Kept to five decimals; the last may be rounded the other way.
            for (ours, theirs) in
                [(trace.loss[at], loss), (trace.dictionary[at], dictionary), (trace.latents[at], latents)]
            {
                assert!((ours - theirs).abs() < 1.5e-5, "step {step}: {ours} and {theirs}");
            }
        }
    }
}
