//! The SReLU loss (Eq. 15) in expectation over latents, noise and masks: exactly, by all values of a view, or on samples.

use ndarray::{Array2, Zip, aview1};

use crate::random::Draws;

/// SReLU_b (Eq. 14) with `bias` b >= 0: the part of `x` beyond b on either side.
pub fn srelu(x: f64, bias: f64) -> f64 {
    (x.abs() - bias).max(0.0).copysign(x)
}

/// Noise of the data `x = z + eps`, independent by coordinate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Noise {
    /// `x = z`.
    None,
    /// +-sigma: bounded noise, as the theorem asks for.
    TwoPoint(f64),
    /// N(0, sigma^2), through samples only.
    Gaussian(f64),
}

/// The data of Theorem 3, M = I: symmetric latents seen through two independent masks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Source {
    /// Atoms, and dimension of the data.
    pub d: usize,
    /// Probability of a latent entry to be non-zero, before latents of zeros are redrawn.
    pub sparsity: f64,
    /// Probability that a mask keeps a coordinate.
    pub alpha: f64,
}

/// Which of the two views an encoder sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// `D1 x`, the online encoder's.
    First,
    /// `D2 x`, the target encoder's.
    Second,
}

/// A distribution of pairs of views with weights, over which expectations are sums.
#[derive(Clone, Debug)]
pub struct Pairs {
    /// All values of a view, `(N, d)`, or the first view of every sample.
    first: Array2<f64>,
    joint: Joint,
}

#[derive(Clone, Debug)]
enum Joint {
    /// A signed mixture of products over coordinates: weight and probabilities of one coordinate's values in the first
    /// and in the second view, `(q, q)`. Views are numbered with the last coordinate running fastest.
    Product(Vec<(f64, Array2<f64>)>),
    /// The second view of every sample.
    Sampled(Array2<f64>),
}

impl Source {
    /// All values of the two views with their probabilities. There are 3^d values of a view without noise and 7^d with
    /// two-point noise. `None` for Gaussian noise, which has too many.
    pub fn pairs(&self, noise: Noise) -> Option<Pairs> {
        let Self { d, sparsity, alpha } = *self;
        let noises = match noise {
            Noise::None => vec![0.0],
            Noise::TwoPoint(sigma) => vec![sigma, -sigma],
            Noise::Gaussian(_) => return None,
        };
        let latents = [(0.0, 1.0 - sparsity), (1.0, sparsity / 2.0), (-1.0, sparsity / 2.0)];
        // One coordinate of x = z + eps with its probability, z as given.
        let inputs = |latents: &[(f64, f64)]| -> Vec<(f64, f64)> {
            let with = |(z, chance): &(f64, f64)| {
                noises.clone().into_iter().map({
                    let (z, chance, count) = (*z, *chance, noises.len() as f64);
                    move |noise| (z + noise, chance / count)
                })
            };
            latents.iter().flat_map(with).collect()
        };
        let mut alphabet = vec![0.0];
        for (x, _) in inputs(&latents) {
            if !alphabet.contains(&x) {
                alphabet.push(x);
            }
        }
        let place = |x: f64| alphabet.iter().position(|&value| value == x).unwrap_or(0);
        let joint = |latents: &[(f64, f64)]| {
            let mut joint = Array2::zeros((alphabet.len(), alphabet.len()));
            for (x, chance) in inputs(latents) {
                for (first, of_first) in [(x, alpha), (0.0, 1.0 - alpha)] {
                    for (second, of_second) in [(x, alpha), (0.0, 1.0 - alpha)] {
                        joint[[place(first), place(second)]] += chance * of_first * of_second;
                    }
                }
            }
            joint
        };
        // Given that z is not zero: everything minus the contribution of a latent of zeros.
        let zero = (1.0 - sparsity).powi(d as i32);
        let terms = vec![(1.0 / (1.0 - zero), joint(&latents)), (-zero / (1.0 - zero), joint(&[(0.0, 1.0)]))];
        let q = alphabet.len();
        let first = Array2::from_shape_fn((q.pow(d as u32), d), |(k, j)| alphabet[k / q.pow((d - 1 - j) as u32) % q]);
        Some(Pairs { first, joint: Joint::Product(terms) })
    }

    /// `n` samples of the two views.
    pub fn sample(&self, noise: Noise, n: usize, draws: &mut impl Draws) -> Pairs {
        let Self { d, sparsity, alpha } = *self;
        let mut samples = Array2::zeros((n, d));
        for mut x in samples.rows_mut() {
            while x.iter().all(|&entry: &f64| entry == 0.0) {
                x.mapv_inplace(|_| match draws.uniform() / sparsity {
                    share if share < 0.5 => 1.0,
                    share if share < 1.0 => -1.0,
                    _ => 0.0,
                });
            }
            match noise {
                Noise::None => {}
                Noise::TwoPoint(sigma) => x.mapv_inplace(|z| z + if draws.below(2) == 0 { sigma } else { -sigma }),
                Noise::Gaussian(sigma) => x.mapv_inplace(|z| z + sigma * draws.normal()),
            }
        }
        let mut view = || samples.mapv(|x| if draws.uniform() < alpha { x } else { 0.0 });
        Pairs { first: view(), joint: Joint::Sampled(view()) }
    }
}

impl Pairs {
    /// The values of a view, `(N, d)`.
    pub fn values(&self, view: View) -> &Array2<f64> {
        match (&self.joint, view) {
            (Joint::Sampled(second), View::Second) => second,
            _ => &self.first,
        }
    }

    /// How the other view answers every value of `view`: `E[SReLU_b(W a') ; a = value]`, `(m, N)`, for the weight W of
    /// the encoder that sees the other view a'. The expectation includes the probability of the value.
    pub fn answers(&self, other: &Array2<f64>, bias: f64, view: View) -> Array2<f64> {
        match &self.joint {
            Joint::Sampled(second) => {
                let seen = if view == View::First { second } else { &self.first };
                other.dot(&seen.t()).mapv_into(|x| srelu(x, bias)) / seen.nrows() as f64
            }
            // The two views have the same distribution, whichever comes first.
            Joint::Product(terms) => {
                let responses = other.dot(&self.first.t()).mapv_into(|x| srelu(x, bias));
                let mut answers = Array2::zeros(responses.dim());
                for (weight, joint) in terms {
                    Zip::from(answers.rows_mut()).and(responses.rows()).for_each(|mut answer, response| {
                        answer.scaled_add(*weight, &aview1(&apply(joint, response.to_vec(), self.first.ncols())));
                    });
                }
                answers
            }
        }
    }

    /// The loss `2 - 2 E <SReLU_b(W a), SReLU_b(W' a')>` of the encoder W that sees `view`, given the other's
    /// [answers](Self::answers).
    pub fn loss(&self, weight: &Array2<f64>, answers: &Array2<f64>, bias: f64, view: View) -> f64 {
        let responses = weight.dot(&self.values(view).t()).mapv_into(|x| srelu(x, bias));
        2.0 - 2.0 * (responses * answers).sum()
    }

    /// The gradient of [`loss`](Self::loss) with respect to W, `(m, d)`. It depends on W only through where its neurons
    /// are active. Without a bias SReLU is the identity, active everywhere.
    pub fn gradient(&self, weight: &Array2<f64>, answers: &Array2<f64>, bias: f64, view: View) -> Array2<f64> {
        let mut active = weight.dot(&self.values(view).t());
        Zip::from(&mut active)
            .and(answers)
            .for_each(|x, &answer| *x = if x.abs() > bias || bias == 0.0 { answer } else { 0.0 });
        active.dot(self.values(view)) * -2.0
    }
}

/// Applies `joint` to every coordinate of a function on `d` coordinates: the sum over the second view's values.
fn apply(joint: &Array2<f64>, mut function: Vec<f64>, d: usize) -> Vec<f64> {
    let q = joint.nrows();
    let rest = function.len() / q;
    // The last coordinate is summed over and becomes the first, d times over.
    for _ in 0..d {
        let table = Array2::from_shape_vec((rest, q), function).expect("q values for each of the rest");
        function = joint.dot(&table.t()).into_raw_vec_and_offset().0;
    }
    function
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{random::native::Key, theory::columns::frobenius};

    const SOURCE: Source = Source { d: 3, sparsity: 0.3, alpha: 0.6 };

    fn gaussian(shape: (usize, usize), seed: u64) -> Array2<f64> {
        let mut draws = Key::from_seed(seed).derive(1000u64).stream();
        Array2::from_shape_simple_fn(shape, || draws.normal())
    }

    /// The loss from its definition: all latents, noises and pairs of masks.
    fn brute_force(source: Source, sigma: f64, online: &Array2<f64>, target: &Array2<f64>, bias: f64) -> f64 {
        let Source { d, sparsity, alpha } = source;
        let power = |base: f64, n: usize| base.powi(n as i32);
        let (mut overlap, mut total) = (0.0, 0.0);
        for code in 1..3usize.pow(d as u32) {
            let z: Vec<f64> = (0..d).map(|i| [0.0, 1.0, -1.0][code / 3usize.pow(i as u32) % 3]).collect();
            let support = z.iter().filter(|&&entry| entry != 0.0).count();
            let chance = power(sparsity / 2.0, support) * power(1.0 - sparsity, d - support);
            total += chance;
            for signs in 0..1usize << d {
                let x = |i: usize| z[i] + sigma * if signs >> i & 1 == 1 { 1.0 } else { -1.0 };
                for masks in 0..1usize << (2 * d) {
                    let kept = masks.count_ones() as usize;
                    let masks_chance = power(alpha, kept) * power(1.0 - alpha, 2 * d - kept);
                    let masked =
                        |shift: usize| Array2::from_shape_fn((d, 1), |(i, _)| x(i) * (masks >> (i + shift) & 1) as f64);
                    let encode = |w: &Array2<f64>, a: Array2<f64>| w.dot(&a).mapv_into(|x| srelu(x, bias));
                    let product = (encode(online, masked(0)) * encode(target, masked(d))).sum();
                    overlap += chance * masks_chance * product / power(2.0, d);
                }
            }
        }
        2.0 - 2.0 * overlap / total
    }

    #[test]
    fn srelu_is_the_papers() {
        let relu = |x: f64| x.max(0.0);
        for x in [-2.0, -0.5, -0.1, 0.0, 0.3, 1.7] {
            assert_eq!(srelu(x, 0.3), relu(x - 0.3) - relu(-x - 0.3));
            assert_eq!(srelu(x, 0.0), x);
        }
    }

    #[test]
    fn the_expectation_is_that_of_all_latents_noises_and_masks() {
        for d in 1..=3 {
            for (noise, sigma) in [(Noise::None, 0.0), (Noise::TwoPoint(0.2), 0.2)] {
                let source = Source { d, ..SOURCE };
                let (online, target) = (gaussian((2, d), 1), gaussian((2, d), 2));
                let pairs = source.pairs(noise).unwrap();
                let expected = brute_force(source, sigma, &online, &target, 0.4);
                let first = pairs.loss(&online, &pairs.answers(&target, 0.4, View::First), 0.4, View::First);
                let second = pairs.loss(&target, &pairs.answers(&online, 0.4, View::Second), 0.4, View::Second);
                assert!((first - expected).abs() < 1e-13, "{first} is not {expected}");
                assert!((second - expected).abs() < 1e-13, "{second} is not {expected}");
            }
        }
    }

    #[test]
    fn samples_agree_with_the_expectation_within_their_error() {
        let (online, target) = (gaussian((3, 3), 3), gaussian((3, 3), 4));
        for noise in [Noise::None, Noise::TwoPoint(0.3)] {
            let pairs = SOURCE.pairs(noise).unwrap();
            let expected = pairs.loss(&online, &pairs.answers(&target, 0.2, View::First), 0.2, View::First);
            let mut draws = Key::from_seed(5).derive(1000u64).stream();
            let losses: Vec<f64> = (0..100)
                .map(|_| {
                    let pairs = SOURCE.sample(noise, 200, &mut draws);
                    let first = pairs.loss(&online, &pairs.answers(&target, 0.2, View::First), 0.2, View::First);
                    let second = pairs.loss(&target, &pairs.answers(&online, 0.2, View::Second), 0.2, View::Second);
                    assert!((first - second).abs() < 1e-12);
                    first
                })
                .collect();
            let mean = losses.iter().sum::<f64>() / 100.0;
            let error = (losses.iter().map(|loss| (loss - mean).powi(2)).sum::<f64>() / 99.0 / 100.0).sqrt();
            assert!((mean - expected).abs() < 4.0 * error, "{mean}, {expected}, {error}");
        }
        assert!(SOURCE.pairs(Noise::Gaussian(0.1)).is_none());
    }

    #[test]
    fn gradients_are_finite_differences() {
        let mut draws = Key::from_seed(6).derive(1000u64).stream();
        let exact = SOURCE.pairs(Noise::TwoPoint(0.1)).unwrap();
        let sampled = SOURCE.sample(Noise::Gaussian(0.1), 50, &mut draws);
        let (weight, other) = (gaussian((2, 3), 7), gaussian((2, 3), 8));
        for (pairs, view) in [(&exact, View::First), (&sampled, View::First), (&sampled, View::Second)] {
            for bias in [0.0, 0.3] {
                let answers = pairs.answers(&other, bias, view);
                let gradient = pairs.gradient(&weight, &answers, bias, view);
                let differences = Array2::from_shape_fn(weight.dim(), |place| {
                    let loss = |by: f64| {
                        let mut weight = weight.clone();
                        weight[place] += by;
                        pairs.loss(&weight, &answers, bias, view)
                    };
                    (loss(1e-6) - loss(-1e-6)) / 2e-6
                });
                assert!(frobenius(&(gradient - differences)) < 1e-8);
            }
        }
    }
}
