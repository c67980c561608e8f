//! A loss of one's own, from outside the crate: trained beside the one it replaces, without touching the crate.
//!
//! `cargo run --release --example own_loss`. A few seconds. To add a loss to the program itself: CONTRIBUTING.md.

use std::sync::Arc;

use contrastive_landscape::{
    RunSpec,
    kernels::Matrix,
    losses::{Invariance, Kernel, Loss, Sides},
    train, train_with_loss,
};
use ndarray::ArrayView2;

/// `sum_k log cosh(q_k - SG t_k)`, mean over the batch: a regression that outliers do not dominate. Like the squared
/// distance near zero, like the absolute one far from it.
#[derive(Clone, Copy, Debug)]
struct LogCosh;

impl Loss for LogCosh {
    fn sides(&self) -> Sides {
        Sides::LearnerAndTeacher
    }

    fn invariances(&self) -> &'static [Invariance] {
        &[Invariance::Swap]
    }

    fn literal(&self, q: ArrayView2<f64>, t: ArrayView2<f64>) -> f64 {
        // (B, m) each
        (&q - &t).iter().map(|x| x.cosh().ln()).sum::<f64>() / q.nrows() as f64
    }

    /// By hand, for the fused engine; without it, autograd trains the loss by its form on tensors.
    fn kernel(&self) -> Option<Box<dyn Kernel>> {
        Some(Box::new(*self))
    }

    #[cfg(feature = "torch")]
    fn tensor(&self, q: &tch::Tensor, t: &tch::Tensor) -> tch::Tensor {
        // log cosh x = |x| + log(1 + exp(-2 |x|)) - log 2, which does not overflow.
        let x = (q - t).abs(); // (R, B, m)
        let terms = &x + (x.g_mul_scalar(-2.0)).exp().log1p() - std::f64::consts::LN_2;
        terms.sum_dim_intlist([2i64].as_slice(), false, None).mean_dim([1i64].as_slice(), false, None) // (R,)
    }
}

impl Kernel for LogCosh {
    fn loss(&mut self, [q, t]: [&Matrix; 2], [gradient, _]: &mut [Matrix; 2]) -> f64 {
        let batch = q.columns() as f64;
        gradient.reshape(q.rows(), q.columns()); // (m, B)
        let mut sum = 0.0;
        for i in 0..q.rows() {
            let pairs = q.row(i).iter().zip(t.row(i));
            for (slope, (q, t)) in gradient.row_mut(i).iter_mut().zip(pairs) {
                let x = f64::from(q - t);
                sum += x.abs() + (-2.0 * x.abs()).exp().ln_1p() - std::f64::consts::LN_2;
                *slope = (x.tanh() / batch) as f32;
            }
        }
        sum / batch
    }
}

fn main() -> anyhow::Result<()> {
    let spec: RunSpec = "
        method: ncl
        data: {samples: 512}
        loss: {kind: l2, normalize: false}
        train: {epochs: 200}
        metrics: {every: 200}
    "
    .parse()?;
    for (name, run) in [("l2", train(&spec)?), ("log cosh", train_with_loss(&spec, Arc::new(LogCosh))?)] {
        let last = run.rows.last().expect("the last epoch has a row");
        println!(
            "{name:>8}: minimum max-cosine {:.3}, loss {:.4}",
            last.cosine.min,
            last.loss_mean.unwrap_or(f64::NAN)
        );
    }
    Ok(())
}
