//! What the kernel is told, laid out as in `kernels/arguments.cuh`.

use crate::device::Plain;

/// No such parameter.
pub const NONE: i32 = -1;

/// A linear map, batch norm (or none) and an activation: places in the parameters, and in the workspace (in floats).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Layer {
    pub rows: i32,
    pub inputs: i32,
    pub weight: i32,
    pub bias: i32,
    pub scale: i32,
    pub shift: i32,
    pub running_mean: i32,
    pub running_var: i32,
    pub batches: i32,
    pub is_diagonal: i32,
    pub is_trained: i32,
    pub adds_bias: i32,
    pub activation: i32,
    pub follows_activation: i32,
    pub pre_activation: u32,
    pub normalized: u32,
    pub inverse_deviation: u32,
    pub output: u32,
}

/// Layers one after the other.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Chain {
    pub length: i32,
    pub layers: [Layer; 3],
}

/// One tensor of the parameters.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    pub start: i32,
    pub length: i32,
    pub rows: i32,
    pub columns: i32,
    pub learns: [i32; 3],
    pub normalization: i32,
    pub is_clamped: i32,
    pub twin: i32,
    pub is_penalized: i32,
}

/// Tensors that a network may have.
pub const PLACES: usize = 32;

/// The network, its loss and its optimiser.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Network {
    pub branches: [Chain; 2],
    pub predictor: Chain,
    pub places: [Place; PLACES],
    pub place_count: i32,
    pub values: i32,
    pub layers: i32,
    pub learners: [[i32; 2]; 3],
    pub objective: i32,
    pub normalizes: i32,
    pub floor: f32,
    pub temperature: f32,
    pub anchors_are_first_view: i32,
    pub leaves_out_partner: i32,
    pub shifts_by_largest: i32,
    pub rule: i32,
    pub has_momentum: i32,
    pub is_nesterov: i32,
    pub is_decoupled: i32,
    pub momentum: f32,
    pub decay_of_weights: f32,
    pub beta1: f32,
    pub beta2: f32,
    pub rest1: f32,
    pub rest2: f32,
    pub epsilon: f32,
    pub clamp: f32,
    pub target_kept: f32,
    pub target_moved: f32,
    pub weight_decay: f64,
    pub penalty: f64,
    pub p: i32,
    pub samples: i32,
    pub masks: i32,
    pub words: i32,
    pub views: [u32; 2],
    pub gradients: [u32; 2],
    pub spare: u32,
    pub unit: u32,
    pub unit_gradient: u32,
    pub numbers: u32,
}

/// A batch of every run.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Batch {
    pub counter: u64,
    pub rate: f64,
    pub first: i32,
    pub pairs: i32,
    pub turn: i32,
    pub scale: f32,
}

/// What may differ between the runs of a cohort.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Run {
    pub keys: [[u64; 2]; 2],
    pub keep: u64,
    pub lr: f64,
}

/// The kernel's one argument: addresses on the device, and sizes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Arguments {
    pub network: u64,
    pub batches: u64,
    pub runs: u64,
    pub x: u64,
    pub rows: u64,
    pub views: u64,
    pub corrections: u64,
    pub values: u64,
    pub gradients: u64,
    pub first: u64,
    pub second: u64,
    pub losses: u64,
    pub representations: u64,
    pub workspace: u64,
    pub stride: i64,
    pub correction_stride: i64,
    pub run_count: i32,
    pub batch_count: i32,
    pub row_count: i32,
    pub representation_size: i32,
}

// SAFETY: numbers alone.
unsafe impl Plain for Network {}
unsafe impl Plain for Batch {}
unsafe impl Plain for Run {}

#[cfg(test)]
mod tests {
    use super::*;

    /// `#name size` for the structs, as the kernel's own source says in its PTX.
    #[test]
    fn the_kernel_takes_these_arguments() {
        let ptx = include_str!("kernels/train.ptx");
        let said = |name: &str| {
            let (_, rest) = ptx.split_once(&format!("size_of_{name} = ")).unwrap_or_else(|| panic!("{name}"));
            rest.split(';').next().unwrap().trim().parse::<usize>().unwrap()
        };
        assert_eq!(said("network"), size_of::<Network>());
        assert_eq!(said("batch"), size_of::<Batch>());
        assert_eq!(said("run"), size_of::<Run>());
        let parameter = format!(".param .align 8 .b8 train_param_0[{}]", size_of::<Arguments>());
        assert!(ptx.contains(&parameter), "{parameter}");
    }
}
