//! Matrix products in full single precision.

use std::env;

/// Set by NVIDIA's containers, among others: libtorch, and cuBLAS itself, then round the factors of single-precision
/// products on a GPU to 10 binary digits (TF32), and runs there agree with others to only three decimal digits.
const VARIABLES: [&str; 2] = ["TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "NVIDIA_TF32_OVERRIDE"];

/// The environment variable that allows TF32, if there is one.
pub fn tf32() -> Option<&'static str> {
    VARIABLES.into_iter().find(|name| env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0"))
}

/// Removes the variables that allow TF32 from the environment.
///
/// # Safety
/// No other thread may run yet. libtorch reads the environment when it is first used, so this must come before.
pub unsafe fn forbid_tf32() {
    // SAFETY: the caller's.
    VARIABLES.into_iter().for_each(|name| unsafe { env::remove_var(name) });
}
