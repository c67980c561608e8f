//! PyTorch's CPU generator, from which the authors' layers take their initial weights and their loaders the order of
//! an epoch.

use super::mt19937::Mt19937;

/// `torch.Generator()` on the CPU, seeded: also the global one after `torch.manual_seed(seed)`.
#[derive(Clone, Debug)]
pub struct Generator {
    twister: Mt19937,
}

/// What permutes the samples of an epoch, in `DataLoader(shuffle=True)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampler {
    /// A fresh generator, whose seed the sampler draws: PyTorch 1.9 and newer.
    Seeded,
    /// The global generator, after the sampler has drawn a seed in vain: PyTorch 1.7 and 1.8, whose `RandomSampler` seeds
    /// a generator and then permutes by the one that it was given, which is none.
    Global,
}

impl Generator {
    /// Seeds as `manual_seed(seed)` does: PyTorch keeps the low 32 bits.
    pub fn new(seed: u64) -> Self {
        Self { twister: Mt19937::new(seed as u32) }
    }

    /// The state, as [`Self::restored`] takes it.
    pub fn save(&self) -> Vec<u32> {
        self.twister.save()
    }

    /// A generator in a saved state; none if the words are not a state.
    pub fn restored(words: &[u32]) -> Option<Self> {
        Some(Self { twister: Mt19937::restored(words)? })
    }

    /// A word of 32 bits.
    pub fn random_u32(&mut self) -> u32 {
        self.twister.next_u32()
    }

    /// A word of 64 bits.
    pub fn random_u64(&mut self) -> u64 {
        self.twister.next_u64()
    }

    /// An entry of `Tensor.random_()` for int64, uniform in `[0, 2^63)`: a word without its top bit.
    pub fn random_i64(&mut self) -> i64 {
        (self.random_u64() & i64::MAX as u64) as i64
    }

    /// An entry of `Tensor.uniform_(from, to)` for float32: 24 random bits, scaled. `torch.rand` is `uniform_f32(0, 1)`.
    ///
    /// PyTorch's kernels for AVX2 and newer are compiled to a fused multiply-add, which rounds once: so does this.
    pub fn uniform_f32(&mut self, from: f32, to: f32) -> f32 {
        let unit = (self.random_u32() & 0x00ff_ffff) as f32 / (1u32 << 24) as f32;
        unit.mul_add(to - from, from)
    }

    /// `torch.randperm(n)`: Fisher and Yates from the first item up, with PyTorch's (slightly biased) remainder.
    pub fn randperm(&mut self, n: usize) -> Vec<usize> {
        let mut items: Vec<usize> = (0..n).collect();
        let short = n < (u32::MAX / 20) as usize;
        for i in 0..n.saturating_sub(1) {
            let word = if short { u64::from(self.random_u32()) } else { self.random_u64() };
            items.swap(i, i + (word % (n - i) as u64) as usize);
        }
        items
    }

    /// The initial parameters of `torch.nn.Linear(in_features, out_features, bias)`: the weight `(out, in)`, row by row,
    /// and the bias `(out)`, both U(-1/sqrt(in), 1/sqrt(in)), the weight drawn first.
    pub fn linear_init(&mut self, in_features: usize, out_features: usize, bias: bool) -> (Vec<f32>, Option<Vec<f32>>) {
        let fan_in = in_features as f64;
        // On paper `kaiming_uniform_(a=sqrt(5))` comes to 1/sqrt(fan_in), but in float64 only nearly: hence step by
        // step.
        let gain = (2.0 / (1.0 + 5f64.sqrt() * 5f64.sqrt())).sqrt();
        let weight_bound = 3f64.sqrt() * (gain / fan_in.sqrt());
        let weight = self.symmetric_uniforms(in_features * out_features, weight_bound);
        let bias = bias.then(|| self.symmetric_uniforms(out_features, 1.0 / fan_in.sqrt()));
        (weight, bias)
    }

    /// The order in which one epoch of `DataLoader(shuffle=True)` takes `n` samples.
    ///
    /// The loader draws a base seed for its workers, used or not; its sampler then draws a seed, and permutes by the
    /// generator that PyTorch's version takes.
    pub fn epoch_order(&mut self, n: usize, sampler: Sampler) -> Vec<usize> {
        let _base_seed = self.random_i64();
        let sampler_seed = self.random_i64();
        match sampler {
            Sampler::Seeded => Generator::new(sampler_seed as u64).randperm(n),
            Sampler::Global => self.randperm(n),
        }
    }

    fn symmetric_uniforms(&mut self, count: usize, bound: f64) -> Vec<f32> {
        (0..count).map(|_| self.uniform_f32(-bound as f32, bound as f32)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::recorded::{self, assert_digest, by_seed, indices, numbers};
    use super::*;

    fn uniforms(generator: &mut Generator, n: usize, from: f32, to: f32) -> Vec<f32> {
        (0..n).map(|_| generator.uniform_f32(from, to)).collect()
    }

    fn widened(items: &[f32]) -> Vec<f64> {
        items.iter().map(|&item| item.into()).collect()
    }

    #[test]
    fn matches_torch() {
        for (seed, draws) in by_seed(&recorded::few()) {
            let generator = || Generator::new(seed);

            assert_eq!(widened(&uniforms(&mut generator(), 6, 0.0, 1.0)), numbers(&draws["torch.rand_6"]));
            let mut integers = generator();
            for integer in draws["torch.random__int64_3"].as_array().expect("a list") {
                assert_eq!(integers.random_i64().to_string(), *integer);
            }
            assert_eq!(generator().randperm(13), indices(&draws["torch.randperm_13"]));

            let layer = &draws["torch.nn.Linear_5_3"];
            let (weight, bias) = generator().linear_init(5, 3, true);
            assert_eq!(widened(&weight), numbers(&layer["weight"]));
            assert_eq!(widened(&bias.expect("a bias")), numbers(&layer["bias"]));

            let mut loader = generator();
            let orders = [(); 2].map(|()| loader.epoch_order(11, Sampler::Seeded)).concat();
            assert_eq!(orders, indices(&draws["DataLoader_11_batch_4_two_epochs"]));

            let mut loader = generator();
            let drop_last = &draws["DataLoader_11_batch_4_drop_last_then_rand"];
            assert_eq!(loader.epoch_order(11, Sampler::Seeded)[..8], indices(&drop_last[0]));
            assert_eq!(widened(&uniforms(&mut loader, 2, 0.0, 1.0)), numbers(&drop_last[1]));
        }
    }

    #[test]
    fn matches_torch_on_large_draws() {
        for (seed, draws) in by_seed(&recorded::large()["torch"]) {
            let generator = || Generator::new(seed);
            let drawn = |indices: Vec<usize>| -> Vec<u64> { indices.into_iter().map(|index| index as u64).collect() };

            assert_digest(&uniforms(&mut generator(), 2500, 0.0, 1.0), &draws["rand_2500"]);
            assert_digest(&uniforms(&mut generator(), 2500, -0.3, 0.7), &draws["uniform_-0.3_0.7_2500"]);
            let mut integers = generator();
            let hundred: Vec<u64> = (0..100).map(|_| integers.random_i64() as u64).collect();
            assert_digest(&hundred, &draws["random__int64_100"]);

            let mut trivial = generator();
            let order = [trivial.randperm(0), trivial.randperm(1), vec![trivial.random_i64() as usize]].concat();
            assert_digest(&drawn(order), &draws["randperm_0, randperm_1, random__int64_1"]);
            assert_digest(&drawn(generator().randperm(1000)), &draws["randperm_1000"]);
            assert_digest(&drawn(generator().randperm(3000)), &draws["randperm_3000"]);

            let mut loader = generator();
            let mut orders = [(); 3].map(|()| loader.epoch_order(1000, Sampler::Seeded)).concat();
            orders.push(loader.random_i64() as usize);
            assert_digest(&drawn(orders), &draws["DataLoader_1000_batch_384_three_epochs, random__int64_1"]);
        }
    }

    /// What is drawn after the permutations shows that they took from the global generator what they should.
    #[test]
    fn matches_the_loader_of_torch_1_7() {
        let record = recorded::torch_1_7();
        let mut compared = 0;
        for (seed, draws) in by_seed(&record["seeds"]) {
            let order = |loader: &mut Generator, n| loader.epoch_order(n, Sampler::Global);

            let mut loader = Generator::new(seed);
            let orders = [(); 2].map(|()| order(&mut loader, 11)).concat();
            assert_eq!(orders, indices(&draws["DataLoader_11_batch_4_two_epochs"]));
            let newer = [(); 2].map(|()| loader.epoch_order(11, Sampler::Seeded)).concat();
            assert_ne!(newer, orders);

            let mut loader = Generator::new(seed);
            let drop_last = &draws["DataLoader_11_batch_4_drop_last_then_rand"];
            assert_eq!(order(&mut loader, 11)[..8], indices(&drop_last[0]));
            assert_eq!(widened(&uniforms(&mut loader, 2, 0.0, 1.0)), numbers(&drop_last[1]));

            for n in [1000, 3000] {
                let mut loader = Generator::new(seed);
                let mut orders = [(); 3].map(|()| order(&mut loader, n)).concat();
                orders.push(loader.random_i64() as usize);
                let drawn: Vec<u64> = orders.into_iter().map(|index| index as u64).collect();
                assert_digest(&drawn, &draws[format!("DataLoader_{n}_batch_384_three_epochs, random__int64_1")]);
                compared += 1;
            }
        }
        assert_eq!(compared, 6);
    }

    #[test]
    fn matches_torch_on_linear_layers() {
        for (seed, draws) in by_seed(&recorded::large()["torch"]) {
            let recorded_layers = draws.as_object().expect("draws").iter();
            let mut compared = 0;
            for (call, layer) in recorded_layers.filter(|(call, _)| call.starts_with("nn.Linear")) {
                let arguments: Vec<&str> = call.split('_').skip(1).collect();
                let [inputs, outputs] = [0, 1].map(|i| arguments[i].parse().expect("a size"));
                let (weight, bias) = Generator::new(seed).linear_init(inputs, outputs, arguments[2] == "True");
                assert_digest(&weight, &layer["weight"]);
                assert_eq!(bias.is_some(), layer.get("bias").is_some(), "{call}");
                bias.inspect(|bias| assert_digest(bias, &layer["bias"]));
                compared += 1;
            }
            assert_eq!(compared, 6);
        }
    }

    #[test]
    fn a_seed_is_cut_to_its_low_half() {
        assert_eq!(Generator::new(1 << 32 | 5).random_u64(), Generator::new(5).random_u64());
    }
}
