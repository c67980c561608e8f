// What the host tells the kernel: the network, the cohort and the epoch. src/fused/cuda/arguments.rs has the same structs.
#pragma once
#include "block.cuh"

enum Activation { IDENTITY, RELU, SRELU, SYM_RELU };
enum Turn { JOINT, ONLINE, TARGET };
enum Masks { INDEPENDENT, DEPENDENT, SHARED_MASK };
enum Objective { INNER_PRODUCT, L2, NEGATIVE_COSINE, CONTRAST };
enum Normalization { AS_IT_IS, ROWS, COLUMNS, CROSSED_COLUMNS };
enum Rule { SGD, ADAM };

// No such parameter.
constexpr i32 NONE = -1;

// A linear map, batch norm (or none) and an activation; places in the parameters, and in the workspace (in floats).
struct Layer {
  i32 rows, inputs;  // m, and the length of the input
  i32 weight, bias, scale, shift, running_mean, running_var, batches;
  i32 is_diagonal, is_trained, adds_bias, activation, follows_activation;
  u32 pre_activation, normalized, inverse_deviation, output;  // (m, B), (m, B), (m,), (m, B)
};

// Layers one after the other.
struct Chain {
  i32 length;
  Layer layers[3];
};

// One tensor of the parameters.
struct Place {
  i32 start, length, rows, columns;
  i32 learns[3];                  // in the turns joint, online, target
  i32 normalization, is_clamped;  // after a step
  i32 twin;                       // what an averaging target follows, or NONE
  i32 is_penalized;               // by Eq. 7: W^o and W^t
};

struct Network {
  Chain branches[2];
  Chain predictor;
  Place places[32];
  i32 place_count, values;  // tensors, and numbers in all of them
  i32 layers;               // depth of the encoder
  i32 learners[3][2];       // which branches learn, in the turns joint, online, target; NONE: no other
  i32 objective, normalizes;
  f32 floor;  // of lengths
  f32 temperature;
  i32 anchors_are_first_view, leaves_out_partner, shifts_by_largest;
  i32 rule, has_momentum, is_nesterov, is_decoupled;
  f32 momentum, decay_of_weights, beta1, beta2, rest1, rest2, epsilon;
  f32 clamp;
  f32 target_kept, target_moved;  // an averaging target's shares
  f64 weight_decay, penalty;
  i32 p, samples, masks, words;  // length of a sample, n, how masks depend, mask words for each pair of views
  u32 views[2], gradients[2], spare, unit, unit_gradient, numbers;  // places in the workspace
};

struct Batch {
  u64 counter;       // place of the first mask word
  f64 rate;          // of the schedule
  i32 first, pairs;  // place of its rows, and their number
  i32 turn;
  f32 scale;  // of what the masks keep
};

struct Run {
  u64 keys[2][2];  // state and gamma of view 1, view 2
  u64 keep;        // probability of an entry to be kept, times 2^32
  f64 lr;
};

struct Arguments {
  const Network* network;
  const Batch* batches;    // (batches,)
  const Run* runs;         // (R,)
  const f32* x;            // (R, n, p)
  const u32* rows;         // (R, pairs of all batches): samples
  const f32* views;        // (R, 2, p, B) to be taken as they are, for gradients without a step; or null
  const f64* corrections;  // (R, batches, places, 2): of Adam's moments, or the steps taken so far
  f32* values;             // (R, values)
  f32* gradients;          // (R, values)
  f32* first;              // (R, values): momentum, or Adam's average of the gradient
  f32* second;             // (R, values): Adam's average of the squared gradient
  f64* losses;             // (R, batches)
  f32* representations;    // (R, m, B): of the last batch
  f32* workspace;          // (blocks, stride)
  i64 stride, correction_stride;  // from block to block, and from run to run
  i32 run_count, batch_count, row_count, representation_size;
};

// The host's structs must be as large (its tests read this from the PTX).
#ifdef __CUDACC__
extern "C" {
__device__ unsigned size_of_network = sizeof(Network);
__device__ unsigned size_of_batch = sizeof(Batch);
__device__ unsigned size_of_run = sizeof(Run);
}
#endif
