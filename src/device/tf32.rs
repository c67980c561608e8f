//! Matrix products in full single precision.

use std::env;

/// Set by NVIDIA's containers, among others: libtorch, and cuBLAS itself, then round the factors of single-precision products
/// on a GPU to 10 binary digits (TF32), and runs there agree with others to three decimal digits only.
const VARIABLES: [&str; 2] = ["TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "NVIDIA_TF32_OVERRIDE"];

/// The variable of the environment that allows TF32, if one does.
pub fn tf32() -> Option<&'static str> {
    VARIABLES.into_iter().find(|name| env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0"))
}

/// Takes the variables that allow TF32 out of the environment.
///
/// # Safety
/// No other thread runs yet. libtorch reads the environment when it is first used, so this comes before.
pub unsafe fn forbid_tf32() {
    // SAFETY: the caller's.
    VARIABLES.into_iter().for_each(|name| unsafe { env::remove_var(name) });
}
