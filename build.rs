//! Lets the program find libtorch from any folder, without environment variables.

fn main() {
    // torch-sys says where the libtorch that it was compiled against lies.
    if let Ok(lib) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
    }
    // A CPU-only set-up lacks the libraries that libtorch_cuda itself needs; nothing of it is used then.
    println!("cargo:rustc-link-arg=-Wl,--allow-shlib-undefined");
    println!("cargo:rerun-if-changed=build.rs");
}
