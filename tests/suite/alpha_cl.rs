//! A published log, replayed from its seeds: eleven losses and 22 recovery scores that somebody else's program printed.
//!
//! Tian (ICLR 2023, arXiv 2206.01342, Section 5) trains two layers with InfoNCE on sequences of ten places, where patterns
//! of five tokens are the truth, and asks whether the first layer's neurons find the tokens. The published repository holds
//! the log of one run. Here the same experiment is written anew, on this program's generators and kernels; the numbers are
//! the log's.

use contrastive_landscape::{
    kernels::{Matrix, accumulate, product, unit_norm},
    random::{Draws, python::Random, shuffle, torch::Generator},
};
use ndarray::{Array2, Axis};

const PLACES: usize = 10;
const TOKENS: usize = 20;
const TOKENS_OF_PLACE: usize = 5;
const PATTERNS: usize = 40;
const PATTERN_LENGTH: usize = 5;
/// Neurons that see a place: five for each of its tokens.
const NEURONS: usize = 25;
const OUTPUTS: usize = 50;
const BATCH: usize = 128;
const STEPS: usize = 5000;
const TEMPERATURE: f32 = 0.1;
const LR: f32 = 0.02;
const MOMENTUM: f32 = 0.9;
const WEIGHT_DECAY: f32 = 0.005;

/// Step and loss, as logged.
const LOSSES: [(usize, f64); 11] = [
    (0, 2.595567226409912),
    (500, 1.5258710384368896),
    (1000, 1.5300947427749634),
    (1500, 1.5061111450195312),
    (2000, 1.4396307468414307),
    (2500, 1.5044890642166138),
    (3000, 1.4585031270980835),
    (3500, 1.472838282585144),
    (4000, 1.421286940574646),
    (4500, 1.341599464416504),
    (4999, 1.5294005870819092),
];

/// For each place the score of the tokens that its patterns have, and that of the others; and the means.
const SCORES: [[f64; 2]; 11] = [
    [0.9961947202682495, 0.005383226554840803],
    [0.9986963272094727, -0.00016310946375597268],
    [0.9985083341598511, -0.0002446844591759145],
    [0.9983118772506714, -0.0002287515817442909],
    [0.9983332753181458, -0.0002713123394642025],
    [0.9984112977981567, -0.00028966396348550916],
    [0.9983190298080444, -0.0002980256685987115],
    [0.9980360269546509, -0.00040157922194339335],
    [0.9986146092414856, -0.00030036718817427754],
    [0.9987049102783203, 0.023116284981369972],
    [0.9982131123542786, 0.002630201866850257],
];

/// A token at each place, or none where any token may stand.
type Pattern = [Option<usize>; PLACES];
type Sequence = [usize; PLACES];

fn patterns(random: &mut Random) -> Vec<Pattern> {
    let mut tokens: Vec<usize> = (0..TOKENS).collect();
    let of_place: Vec<Vec<usize>> = (0..PLACES)
        .map(|_| {
            shuffle(random, &mut tokens);
            tokens[..TOKENS_OF_PLACE].to_vec()
        })
        .collect();
    let mut places: Vec<usize> = (0..PLACES).collect();
    (0..PATTERNS)
        .map(|_| {
            shuffle(random, &mut places);
            let mut pattern = [None; PLACES];
            for &place in &places[..PATTERN_LENGTH] {
                pattern[place] = Some(of_place[place][random.below(TOKENS_OF_PLACE)]);
            }
            pattern
        })
        .collect()
}

/// A batch: sequences that hold patterns, and the same with every token outside of the pattern drawn again.
fn views(random: &mut Random, patterns: &[Pattern]) -> [Vec<Sequence>; 2] {
    let chosen: Vec<&Pattern> = (0..BATCH).map(|_| &patterns[random.place(PATTERNS)]).collect();
    let first: Vec<Sequence> =
        chosen.iter().map(|pattern| pattern.map(|token| token.unwrap_or_else(|| random.below(TOKENS)))).collect();
    let mut second = first.clone();
    for (sequence, pattern) in second.iter_mut().zip(&chosen) {
        let mut free: Vec<usize> = (0..PLACES).filter(|&place| pattern[place].is_none()).collect();
        shuffle(random, &mut free);
        free.into_iter().for_each(|place| sequence[place] = random.below(TOKENS));
    }
    [first, second]
}

/// A layer's weight with its gradient and momentum.
struct Weight {
    /// `(outputs, inputs)`, row by row.
    value: Vec<f32>,
    gradient: Vec<f32>,
    momentum: Vec<f32>,
    inputs: usize,
}

impl Weight {
    /// As `torch.nn.Linear` draws it.
    fn drawn(generator: &mut Generator, inputs: usize, outputs: usize) -> Self {
        let (value, _) = generator.linear_init(inputs, outputs, false);
        let zeros = vec![0.0; value.len()];
        Self { value, gradient: zeros.clone(), momentum: zeros, inputs }
    }

    fn matrix(values: &[f32], inputs: usize) -> ndarray::ArrayView2<'_, f32> {
        ndarray::ArrayView2::from_shape((values.len() / inputs, inputs), values).unwrap()
    }

    /// A step of SGD with momentum, from a momentum of zero.
    fn step(&mut self) {
        for ((value, gradient), momentum) in self.value.iter_mut().zip(&mut self.gradient).zip(&mut self.momentum) {
            *momentum = MOMENTUM * *momentum + (*gradient + WEIGHT_DECAY * *value);
            *value -= LR * *momentum;
            *gradient = 0.0;
        }
    }
}

/// One view on its way through the network; feature-major, as everywhere here.
struct Pass {
    /// After ReLU and batch norm, `(PLACES NEURONS, B)`.
    hidden: Matrix,
    /// Whether ReLU let it through.
    active: Vec<bool>,
    /// `1 / sqrt(var + eps)` of every neuron.
    inverse: Vec<f32>,
}

struct Network {
    /// Of each place, `(NEURONS, TOKENS)`.
    first: Vec<Weight>,
    /// `(OUTPUTS, PLACES NEURONS)`
    second: Weight,
}

fn zeros(rows: usize, columns: usize) -> Matrix {
    let mut matrix = Matrix::default();
    matrix.reshape(rows, columns);
    matrix
}

impl Network {
    fn drawn(generator: &mut Generator) -> Self {
        let first = (0..PLACES).map(|_| Weight::drawn(generator, TOKENS, NEURONS)).collect();
        Self { first, second: Weight::drawn(generator, PLACES * NEURONS, OUTPUTS) }
    }

    /// Outputs `(OUTPUTS, B)`. Inputs are one-hot: a product with them picks a column.
    fn forward(&self, sequences: &[Sequence]) -> (Matrix, Pass) {
        let mut hidden = zeros(PLACES * NEURONS, BATCH);
        let mut active = vec![false; PLACES * NEURONS * BATCH];
        let mut inverse = Vec::new();
        for (neuron, row) in hidden.iter_mut().enumerate() {
            let (place, weights) = (neuron / NEURONS, &self.first[neuron / NEURONS].value[neuron % NEURONS * TOKENS..]);
            for ((h, sequence), active) in row.iter_mut().zip(sequences).zip(&mut active[neuron * BATCH..]) {
                *h = weights[sequence[place]].max(0.0);
                *active = *h > 0.0;
            }
            let mean = row.iter().map(|&h| f64::from(h)).sum::<f64>() / BATCH as f64;
            let variance = row.iter().map(|&h| (f64::from(h) - mean).powi(2)).sum::<f64>() / BATCH as f64;
            let scale = 1.0 / (variance + 1e-5).sqrt() as f32;
            row.iter_mut().for_each(|h| *h = (*h - mean as f32) * scale);
            inverse.push(scale);
        }
        let mut out = zeros(OUTPUTS, BATCH);
        product(Weight::matrix(&self.second.value, PLACES * NEURONS), hidden.view(), out.view_mut());
        (out, Pass { hidden, active, inverse })
    }

    /// Adds the gradients, given that of the outputs. Batch norm's mean passes a gradient on, its variance is taken as a
    /// constant.
    fn backward(&mut self, sequences: &[Sequence], pass: &Pass, gradient: &Matrix) {
        let inputs = self.second.inputs;
        let mut of_hidden = zeros(PLACES * NEURONS, BATCH);
        product(Weight::matrix(&self.second.value, inputs).t(), gradient.view(), of_hidden.view_mut());
        let shape = (OUTPUTS, inputs);
        let second = ndarray::ArrayViewMut2::from_shape(shape, &mut self.second.gradient).unwrap();
        accumulate(gradient.view(), pass.hidden.view().reversed_axes(), second);
        for (neuron, row) in of_hidden.iter().enumerate() {
            let place = neuron / NEURONS;
            let mean = (row.iter().map(|&g| f64::from(g)).sum::<f64>() / BATCH as f64) as f32;
            let out = &mut self.first[place].gradient[neuron % NEURONS * TOKENS..];
            for ((g, sequence), active) in row.iter().zip(sequences).zip(&pass.active[neuron * BATCH..]) {
                if *active {
                    out[sequence[place]] += (g - mean) * pass.inverse[neuron];
                }
            }
        }
    }

    fn step(&mut self) {
        self.first.iter_mut().chain([&mut self.second]).for_each(Weight::step);
    }
}

/// Cross entropy of the similarities of view 1 with itself, `u1_i . u1_j / T`, but `u1_i . u2_i / T` where i = j. Returns
/// the loss and its gradient with respect to the units, `(OUTPUTS, B)` of each view.
fn info_nce([u1, u2]: [&Matrix; 2]) -> (f64, [Matrix; 2]) {
    let mut logits = zeros(BATCH, BATCH);
    product(u1.view().reversed_axes(), u1.view(), logits.view_mut());
    let mut partner = vec![0.0f32; BATCH];
    for (u1, u2) in u1.iter().zip(u2.iter()) {
        partner.iter_mut().zip(u1.iter().zip(u2)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    let mut loss = 0.0;
    // Gradient with respect to the similarities; its diagonal, of the partners', apart.
    let mut of_partner = vec![0.0f32; BATCH];
    for (i, row) in logits.iter_mut().enumerate() {
        row[i] = partner[i];
        row.iter_mut().for_each(|s| *s /= TEMPERATURE);
        let (own, highest) = (row[i], row.iter().copied().fold(f32::MIN, f32::max));
        row.iter_mut().for_each(|s| *s = (*s - highest).exp());
        let sum: f64 = row.iter().map(|&e| f64::from(e)).sum();
        loss += f64::from(highest) + sum.ln() - f64::from(own);
        let scale = (1.0 / (sum * BATCH as f64)) as f32 / TEMPERATURE;
        row.iter_mut().for_each(|e| *e *= scale);
        of_partner[i] = row[i] - 1.0 / (BATCH as f32 * TEMPERATURE);
        row[i] = 0.0;
    }
    let mut gradients = [zeros(OUTPUTS, BATCH), zeros(OUTPUTS, BATCH)];
    product(u1.view(), logits.view(), gradients[0].view_mut());
    accumulate(u1.view(), logits.view().reversed_axes(), gradients[0].view_mut());
    for (gradient, other) in gradients.iter_mut().zip([u2, u1]) {
        for (gradient, other) in gradient.iter_mut().zip(other.iter()) {
            for ((g, &other), &factor) in gradient.iter_mut().zip(other).zip(&of_partner) {
                *g = factor.mul_add(other, *g);
            }
        }
    }
    (loss / BATCH as f64, gradients)
}

/// The mean over tokens of the highest share that the token has of a neuron's weights `(NEURONS, TOKENS)`: nearly the
/// maximal cosine between neurons and token.
fn score(weights: &Array2<f64>, tokens: &[usize]) -> f64 {
    let largest = weights.iter().fold(0.0f64, |most, w| most.max(w.abs()));
    let lengths = weights.map_axis(Axis(1), |row| row.dot(&row).sqrt() + (largest / 1000.0).max(1e-6));
    let of_token = |&token: &usize| (&weights.column(token) / &lengths).into_iter().fold(f64::MIN, f64::max);
    tokens.iter().map(of_token).sum::<f64>() / tokens.len() as f64
}

#[test]
fn a_published_log_is_met_from_its_seeds() {
    let (mut random, mut generator) = (Random::new(1), Generator::new(3));
    let patterns = patterns(&mut random);
    let mut network = Network::drawn(&mut generator);
    let mut worst: f64 = 0.0;
    for step in 0..STEPS {
        let views = views(&mut random, &patterns);
        let passes = views.each_ref().map(|view| network.forward(view));
        let units = passes.each_ref().map(|(out, _)| {
            let mut unit = zeros(OUTPUTS, BATCH);
            let inverse = unit_norm::forward(out, &mut unit, 0);
            (unit, inverse)
        });
        let (loss, gradients) = info_nce([&units[0].0, &units[1].0]);
        if let Some((_, logged)) = LOSSES.iter().find(|(logged, _)| *logged == step) {
            assert!((loss - logged).abs() < 1e-6, "step {step}: loss {loss}, logged {logged}");
            worst = worst.max((loss - logged).abs());
        }
        for (((view, (_, pass)), (unit, inverse)), of_unit) in views.iter().zip(&passes).zip(&units).zip(&gradients) {
            let mut gradient = Matrix::default();
            unit_norm::backward(unit, of_unit, 0, inverse, &mut gradient);
            network.backward(view, pass, &gradient);
        }
        network.step();
    }
    let mut scores = Vec::new();
    for (place, weight) in network.first.iter().enumerate() {
        let weights = Weight::matrix(&weight.value, TOKENS).mapv(f64::from);
        let (there, others): (Vec<usize>, Vec<usize>) =
            (0..TOKENS).partition(|&token| patterns.iter().any(|pattern| pattern[place] == Some(token)));
        scores.push([score(&weights, &there), score(&weights, &others)]);
    }
    let mean = |which: usize| scores.iter().map(|score| score[which]).sum::<f64>() / PLACES as f64;
    scores.push([mean(0), mean(1)]);
    for (place, (ours, logged)) in scores.iter().zip(SCORES).enumerate() {
        for (ours, logged) in ours.iter().zip(logged) {
            assert!((ours - logged).abs() < 1e-6, "score at {place}: {ours}, logged {logged}");
            worst = worst.max((ours - logged).abs());
        }
    }
    println!("11 losses and 22 scores met, largest difference {worst:.1e}");
}
