// Training: one block takes its runs one after the other through all batches of a launch (src/fused/engine.rs and
// network.rs). A run's numbers depend on nothing but the run.
#include "contrast.cuh"
#include "step.cuh"
#include "views.cuh"

// A chain's output for its input: the last layer's, or the input itself where there is no layer.
DEVICE const f32* end_of(const Chain& chain, i32 length, const Work& work, const f32* input) {
  return length == 0 ? input : work.memory + chain.layers[length - 1].output;
}

DEVICE i32 width(const Network& network, const Chain& chain) {
  return chain.length == 0 ? network.p : chain.layers[chain.length - 1].rows;
}

DEVICE void forward(Shared& shared, const Chain& chain, const Work& work, const f32* input, f64* sums) {
  LOOP
  for (i32 k = 0; k < chain.length; k++) forward(shared, chain.layers[k], work, end_of(chain, k, work, input), sums);
}

// Takes `gradient` from the chain's end back to its input or, unless that is wanted, to the first linear map. Returns
// where the gradient is; the other one of `gradient` and `spare` is free.
DEVICE f32* backward(Shared& shared, const Chain& chain, const Work& work, const f32* input, f32* gradient, f32* spare,
                     bool to_input, f64* sums) {
  LOOP
  for (i32 k = chain.length - 1; k >= 0; k--) {
    f32* out = k > 0 || to_input ? spare : nullptr;
    backward(shared, chain.layers[k], work, end_of(chain, k, work, input), gradient, out, sums);
    if (!out) break;
    spare = gradient;
    gradient = out;
  }
  return gradient;
}

// Loss of the views, into `shared.loss`; its gradient replaces the run's, and batch norm's statistics move. A barrier
// is needed before the gradient is read.
DEVICE void backpropagate(Shared& shared, const Network& network, const Work& work, i32 turn, const f32* const views[2]) {
  f64* sums = reinterpret_cast<f64*>(work.memory);
  f32* gradients[2] = {work.memory + network.gradients[0], work.memory + network.gradients[1]};
  f32* spare = work.memory + network.spare;
  f32* numbers = work.memory + network.numbers;
  each(network.values, [&](i32 i) { work.gradients[i] = 0.0f; });
  if (thread() == 0) shared.loss = 0.0;
  const f32* ends[2];
  LOOP
  for (i32 view = 0; view < 2; view++) {
    forward(shared, network.branches[view], work, views[view], sums);
    ends[view] = end_of(network.branches[view], network.branches[view].length, work, views[view]);
  }
  const i32 m = width(network, network.branches[0]);
  if (network.objective == CONTRAST) {
    contrast(shared, network, m, work.pairs, ends[0], ends[1], work.memory, sums);
    LOOP
    for (i32 view = 0; view < 2; view++) {
      backward(shared, network.branches[view], work, views[view], gradients[view], spare, false, sums);
    }
    return;
  }
  const i32* learners = network.learners[turn];
  const f64 share = learners[1] == NONE ? 1.0 : 0.5;
  LOOP
  for (i32 k = 0; k < 2 && learners[k] != NONE; k++) {
    const i32 learner = learners[k];
    const Chain& predictor = network.predictor;
    forward(shared, predictor, work, ends[learner], sums);
    const f32* predicted = end_of(predictor, predictor.length, work, ends[learner]);
    compare(shared, network, m, work.pairs, predicted, ends[1 - learner], share, gradients[0], numbers, sums);
    f32* gradient = backward(shared, predictor, work, ends[learner], gradients[0], spare, true, sums);
    f32* free = gradient == spare ? gradients[0] : spare;
    backward(shared, network.branches[learner], work, views[learner], gradient, free, false, sums);
  }
  if (network.penalty == 0.0) return;
  // `c/2 (|W^o|^2 + |W^t|^2)` of Eq. 7 and 13, its gradient added.
  LOOP
  for (i32 k = 0; k < network.place_count; k++) {
    const Place& place = network.places[k];
    if (!place.is_penalized) continue;
    const f32* weight = work.values + place.start;
    row_sums(shared, 1, place.length, [&](i32, i32 i) { return weight[i] * weight[i]; }, [&](i32, f64 sum) {
      shared.loss += network.penalty / 2.0 * sum;
    });
    const f32 c = static_cast<f32>(network.penalty);
    each(place.length, [&](i32 i) { work.gradients[place.start + i] += c * weight[i]; });
  }
}

KERNEL train(Arguments arguments) {
  SHARED(Shared, shared);
  const Network& network = *arguments.network;
  f32* memory = arguments.workspace + block() * arguments.stride;
  LOOP
  for (i32 r = block(); r < arguments.run_count; r += blocks()) {
    const Run& run = arguments.runs[r];
    const i64 place = static_cast<i64>(r) * network.values;
    const f32* x = arguments.x + static_cast<i64>(r) * network.samples * network.p;
    const u32* rows = arguments.rows + static_cast<i64>(r) * arguments.row_count;
    const f64* corrections = arguments.corrections + r * arguments.correction_stride;
    Work work = {arguments.values + place, arguments.gradients + place, memory, 0};
    LOOP
    for (i32 k = 0; k < arguments.batch_count; k++) {
      const Batch& batch = arguments.batches[k];
      const f32* views[2] = {memory + network.views[0], memory + network.views[1]};
      work.pairs = batch.pairs;
      if (arguments.views) {
        const i64 size = static_cast<i64>(network.p) * batch.pairs;
        views[0] = arguments.views + 2 * r * size;
        views[1] = views[0] + size;
      } else {
        mask_views(network, run, batch, x, rows, memory + network.views[0], memory + network.views[1]);
      }
      backpropagate(shared, network, work, batch.turn, views);
      if (thread() == 0) arguments.losses[static_cast<i64>(r) * arguments.batch_count + k] = shared.loss;
      if (arguments.views) continue;
      descend(network, run, batch, work.values, work.gradients, arguments.first + place, arguments.second + place,
              corrections + static_cast<i64>(k) * network.place_count * 2, memory + network.numbers);
    }
    // The encoder's output for view 1.
    const f32* output = end_of(network.branches[0], network.layers, work, nullptr);
    f32* representation = arguments.representations + static_cast<i64>(r) * arguments.representation_size;
    each(network.branches[0].layers[0].rows * work.pairs, [&](i32 i) { representation[i] = output[i]; });
  }
}
