//! Python's own generator, the module `random`, from which scripts draw that take neither NumPy's nor PyTorch's.

use super::Draws;
use super::mt19937::Mt19937;

/// `random.Random(seed)`, or the module's functions after `random.seed(seed)`.
///
/// - `random()` is [`Draws::uniform`], `gauss(0, s)` is `s *` [`Draws::normal`];
/// - `randrange(n)` is [`Draws::below`]`(n)`, and so is the place of what `choice(items)` gives; `randint(a, b)` is `a` plus
///   one below `b - a + 1`;
/// - `shuffle(items)` is [`shuffle`](super::shuffle);
/// - `choices(items, k=k)` takes `k` times the item at [`Random::place`].
#[derive(Clone, Debug)]
pub struct Random {
    twister: Mt19937,
    /// The second normal number of the last pair.
    spare_normal: Option<f64>,
}

impl Random {
    /// Seeds as `random.seed(seed)` does with an integer: by its words of 32 bits, the lowest first.
    pub fn new(seed: u64) -> Self {
        let (low, high) = (seed as u32, (seed >> 32) as u32);
        let key = [low, high];
        let words = if high == 0 { &key[..1] } else { &key[..] };
        Self { twister: Mt19937::by_array(words), spare_normal: None }
    }

    /// `floor(n * random())`: the place of an item that `choices` takes of `n`. (Not quite [`Draws::below`], which
    /// `choice` takes.)
    pub fn place(&mut self, n: usize) -> usize {
        (self.uniform() * n as f64) as usize
    }

    /// `getrandbits(bits)`, for 1 to 64 bits.
    fn bits(&mut self, bits: u32) -> u64 {
        match bits.checked_sub(32) {
            None | Some(0) => u64::from(self.twister.next_u32() >> (32 - bits)),
            Some(more) => {
                let low = u64::from(self.twister.next_u32());
                u64::from(self.twister.next_u32() >> (32 - more)) << 32 | low
            }
        }
    }
}

impl Draws for Random {
    fn uniform(&mut self) -> f64 {
        let high = u64::from(self.twister.next_u32() >> 5);
        let low = u64::from(self.twister.next_u32() >> 6);
        ((high << 26) | low) as f64 / (1u64 << 53) as f64
    }

    /// Box and Muller's method, the cosine first.
    fn normal(&mut self) -> f64 {
        if let Some(normal) = self.spare_normal.take() {
            return normal;
        }
        let angle = self.uniform() * std::f64::consts::TAU;
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        self.spare_normal = Some(angle.sin() * radius);
        angle.cos() * radius
    }

    /// Rejection: as many bits as `n` itself has, until they are below `n`. Even a choice among one draws.
    fn below(&mut self, n: usize) -> usize {
        let n = n as u64;
        loop {
            let drawn = self.bits(u64::BITS - n.leading_zeros());
            if drawn < n {
                return drawn as usize;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::recorded::{self, by_seed, indices, numbers};
    use super::super::shuffle;
    use super::*;

    #[test]
    fn matches_python() {
        let record = recorded::python();
        let mut seeds = 0;
        for (seed, draws) in by_seed::<u64>(&record["seeds"]) {
            let random = || Random::new(seed);
            let mut uniforms = random();
            assert_eq!(
                (0..700).map(|_| uniforms.uniform()).skip(695).collect::<Vec<_>>(),
                numbers(&draws["random_695_to_699"])
            );
            let mut gauss = random();
            assert_eq!((0..5).map(|_| gauss.normal()).collect::<Vec<_>>(), numbers(&draws["gauss_5"]));
            let mut below = random();
            let bounds: Vec<u64> = record["bounds"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
            let drawn: Vec<usize> = bounds.iter().map(|&n| below.below(n as usize)).collect();
            assert_eq!(drawn, indices(&draws["randrange_of_bounds"]));
            let mut among = random();
            let mut items: Vec<usize> = (0..20).collect();
            shuffle(&mut among, &mut items);
            items.extend((0..8).map(|_| among.place(40)));
            items.extend((0..3).map(|_| among.below(5)));
            assert_eq!(items, indices(&draws["shuffle_20, choices_40_k_8, choice_5_three_times"]));
            seeds += 1;
        }
        assert_eq!(seeds, 7);
    }
}
