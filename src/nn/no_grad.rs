/// Runs `work` without recording gradients and turns recording on again afterwards, even when it panics.
///
/// libtorch's errors (a GPU out of memory) are panics of tch. `tch::no_grad` would leave the thread not recording after
/// one, and the next backward pass of a halved cohort would run on a loss without a graph, which ends the process.
pub fn no_grad<T>(work: impl FnOnce() -> T) -> T {
    let _guard = tch::no_grad_guard();
    work()
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use tch::{Device, Kind, Tensor};

    use super::no_grad;

    #[test]
    fn gradients_are_recorded_again_after_a_panic() {
        let recorded = || {
            let w = Tensor::ones([1], (Kind::Float, Device::Cpu)).set_requires_grad(true);
            (w * 2.0).requires_grad()
        };
        assert!(no_grad(|| !recorded()));
        catch_unwind(|| no_grad(|| panic!("out of memory"))).unwrap_err();
        assert!(recorded());
    }
}
