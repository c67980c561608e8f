//! The encoder's non-linearities on one neuron's samples `x`, with the neuron's bias `b`.

use crate::{kernels::reduce::sum2, spec::Activation};

/// `out = act(x, b)`
#[inline(always)]
pub fn forward(activation: Activation, x: &[f32], b: f32, out: &mut [f32]) {
    match activation {
        Activation::Identity => out.copy_from_slice(x),
        Activation::Relu => map(x, out, relu),
        Activation::Srelu => map(x, out, |x| relu(x - b) - relu(-x - b)),
        Activation::SymRelu => map(x, out, |x| relu(x) - relu(2.0 * b - x)),
    }
}

/// Turns the gradient with respect to `act(x, b)`, in place, into that with respect to `x`.
///
/// Returns the gradient with respect to the `b` that the activation reads, zero for those that read none. ReLU's
/// derivative at zero is zero, as in PyTorch.
#[inline(always)]
pub fn backward(activation: Activation, x: &[f32], b: f32, gradient: &mut [f32]) -> f64 {
    match activation {
        Activation::Identity => 0.0,
        Activation::Relu => {
            scale(x, gradient, step);
            0.0
        }
        Activation::Srelu => {
            let gradient_b = sum2(x, gradient, |x, g| g * (step(-x - b) - step(x - b)));
            scale(x, gradient, |x| step(x - b) + step(-x - b));
            gradient_b
        }
        Activation::SymRelu => {
            let gradient_b = -2.0 * sum2(x, gradient, |x, g| g * step(2.0 * b - x));
            scale(x, gradient, |x| step(x) + step(2.0 * b - x));
            gradient_b
        }
    }
}

#[inline(always)]
fn map(x: &[f32], out: &mut [f32], f: impl Fn(f32) -> f32) {
    for (out, &x) in out.iter_mut().zip(x) {
        *out = f(x);
    }
}

/// Multiplies the gradient by `slope(x)`.
#[inline(always)]
fn scale(x: &[f32], gradient: &mut [f32], slope: impl Fn(f32) -> f32) {
    for (gradient, &x) in gradient.iter_mut().zip(x) {
        *gradient *= slope(x);
    }
}

/// NaN stays NaN.
#[inline(always)]
fn relu(x: f32) -> f32 {
    if x <= 0.0 { 0.0 } else { x }
}

/// ReLU's derivative.
#[inline(always)]
fn step(x: f32) -> f32 {
    if x <= 0.0 { 0.0 } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{Draws, assert_close, finite_differences, widen};

    const ALL: [Activation; 4] = [Activation::Identity, Activation::Relu, Activation::Srelu, Activation::SymRelu];

    /// The paper's Eq. 14 and the authors' `SymReLU`.
    fn reference(activation: Activation, x: f64, b: f64) -> f64 {
        match activation {
            Activation::Identity => x,
            Activation::Relu => x.max(0.0),
            Activation::Srelu => (x - b).max(0.0) - (-x - b).max(0.0),
            Activation::SymRelu => x.max(0.0) - (-x + 2.0 * b).max(0.0),
        }
    }

    #[test]
    fn values_and_gradients() {
        let mut draws = Draws::new(2);
        for activation in ALL {
            for (n, b) in [(1, 0.25), (37, 0.25), (64, -0.25), (100, 0.0)] {
                let (x, weight) = (draws.values(n), draws.values(n));
                let b = b + draws.value() / 8.0;
                let loss = |at: &[f64]| -> f64 {
                    let (b, x) = at.split_last().unwrap();
                    x.iter().zip(&weight).map(|(&x, &w)| f64::from(w) * reference(activation, x, *b)).sum()
                };
                let mut out = vec![f32::NAN; n];
                forward(activation, &x, b, &mut out);
                let expected: Vec<f64> = x.iter().map(|&x| reference(activation, f64::from(x), f64::from(b))).collect();
                assert_close(&out, &expected, 1e-6);

                let mut gradient = weight.clone();
                let gradient_b = backward(activation, &x, b, &mut gradient);
                gradient.push(gradient_b as f32);
                let at: Vec<f64> = widen(&x).into_iter().chain([f64::from(b)]).collect();
                assert_close(&gradient, &finite_differences(&at, loss), 1e-6);
            }
        }
    }

    /// A run that diverges must not look as if it had not.
    #[test]
    fn what_is_not_a_number_stays_so() {
        for activation in ALL {
            let (mut out, mut gradient) = ([0.0], [f32::NAN]);
            forward(activation, &[f32::NAN], 0.5, &mut out);
            backward(activation, &[f32::NAN], 0.5, &mut gradient);
            assert!(out[0].is_nan() && gradient[0].is_nan(), "{activation:?}");
        }
    }

    /// torch.relu(torch.zeros(1, requires_grad=True)).backward() leaves a gradient of 0.
    #[test]
    fn no_slope_at_the_kinks() {
        for (activation, x, b, slope) in [
            (Activation::Relu, 0.0, 0.0, 0.0),
            (Activation::Srelu, 0.5, 0.5, 0.0),
            (Activation::Srelu, -0.5, 0.5, 0.0),
            (Activation::SymRelu, 0.0, 0.0, 0.0),
            (Activation::SymRelu, 1.0, 0.5, 1.0),
        ] {
            let mut gradient = [1.0];
            backward(activation, &[x], b, &mut gradient);
            assert_eq!(gradient, [slope], "{activation:?} at {x}");
        }
    }
}
