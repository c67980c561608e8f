//! Riemannian gradient descent on U.

use ndarray::Array2;

use crate::theory::columns::{frobenius, normalize_columns, tangent};

/// A loss as a function of W on U, with its gradient.
pub type Loss<'a> = dyn Fn(&Array2<f64>) -> (f64, Array2<f64>) + 'a;

/// How to descend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Descent {
    /// Step length, times the number of columns, over which the losses are means.
    pub rate: f64,
    /// Steps after which to stop, converged or not.
    pub max_steps: usize,
    /// Norm of the Riemannian gradient, times the number of columns, at which to stop.
    pub tolerance: f64,
}

/// The end of a descent.
#[derive(Clone, Debug, PartialEq)]
pub struct End {
    /// The last point, in U: unit columns.
    pub weight: Array2<f64>,
    /// The loss there.
    pub loss: f64,
    /// Steps taken.
    pub steps: usize,
    /// Whether the gradient fell below the tolerance.
    pub converged: bool,
}

impl Descent {
    /// Descends from `weight`: a step along the gradient's tangent part, then unit columns again.
    pub fn run(&self, mut weight: Array2<f64>, loss: &Loss) -> End {
        let columns = weight.ncols() as f64;
        let mut steps = 0;
        loop {
            let (loss, gradient) = loss(&weight);
            let gradient = tangent(&weight, gradient) * columns;
            let converged = frobenius(&gradient) <= self.tolerance;
            if converged || steps == self.max_steps {
                return End { weight, loss, steps, converged };
            }
            weight.scaled_add(-self.rate, &gradient);
            normalize_columns(&mut weight);
            steps += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        random::native::Key,
        theory::{
            columns::random_non_negative,
            theorem1::{
                loss::Views,
                surroundings::{Kind, Surroundings},
            },
        },
    };

    const VIEWS: Views = Views { alpha: 0.5, temperature: 1.0 };

    #[test]
    fn descent_ends_at_a_minimum() {
        let descent = Descent { rate: 1.0, max_steps: 2000, tolerance: 1e-8 };
        for seed in 0..10 {
            let start = random_non_negative((4, 4), &mut Key::from_seed(100 + seed).stream());
            let end = descent.run(start, &|w| VIEWS.contrastive_gradient(w));
            assert!(end.converged && end.steps > 10);
            let minimum = VIEWS.contrastive_minimum(4);
            let surroundings = Surroundings::of(&end.weight, Key::from_seed(1), &|r| VIEWS.contrastive_of(r).1);
            assert!(surroundings.is_minimum(), "{surroundings:?}");
            match Kind::of(&end, &surroundings) {
                Kind::Permutation => assert!((end.loss - minimum).abs() < 1e-13),
                Kind::OtherMinimum => assert!(end.loss > minimum + 1e-3),
                other => panic!("{other:?}"),
            }
        }
    }
}
