// The optimiser's step and what is done to the parameters after it: src/fused/optimizer.rs and constraints.rs.
#pragma once
#include "arguments.cuh"

// One parameter's step along its gradient `g`; `first` and `second` are what the optimiser remembers of it. Of
// `correction`, SGD takes how many steps there have been, this one included; Adam `1 - beta^steps` of both moments.
DEVICE f32 stepped(const Network& network, f32 w, f32 g, f32* first, f32* second, const f64* correction, f64 lr) {
  const f32 rate = static_cast<f32>(lr), decay = network.decay_of_weights;
  if (network.rule == SGD) {
    if (network.has_momentum) {
      g = g + decay * w;
      // The first step takes the gradient as it is.
      const f32 kept = correction[0] == 1.0 ? 0.0f : network.momentum;
      *first = kept * *first + g;
      g = network.is_nesterov ? g + network.momentum * *first : *first;
    } else if (decay != 0.0f) {
      g = g + decay * w;
    }
    return w - rate * g;
  }
  if (network.is_decoupled) w *= static_cast<f32>(1.0 - lr * network.weight_decay);
  const f32 size = static_cast<f32>(lr / correction[0]), root = static_cast<f32>(sqrt(correction[1]));
  g = g + decay * w;
  *first = network.beta1 * *first + network.rest1 * g;
  *second = network.beta2 * *second + network.rest2 * g * g;
  return w - size * *first / (sqrtf(*second) / root + network.epsilon);
}

// Length of `n` numbers that lie `stride` apart.
DEVICE f32 length_of(const f32* at, i32 n, i32 stride) {
  f64 squares = 0.0;
  LOOP
  for (i32 i = 0; i < n; i++) squares += static_cast<f64>(at[i * stride]) * static_cast<f64>(at[i * stride]);
  return static_cast<f32>(sqrt(squares));
}

// Scales a weight. As in the authors' code, nothing guards against a zero norm. `lengths` has room for a row, and serves
// one weight of a network, a predictor's: columns are crossed in that alone.
DEVICE void normalize(const Place& place, f32* w, f32* lengths) {
  const i32 rows = place.rows, columns = place.columns;
  switch (place.normalization) {
    case ROWS:
      each(rows, [&](i32 i) {
        const f32 length = length_of(w + i * columns, columns, 1);
        LOOP
        for (i32 j = 0; j < columns; j++) w[i * columns + j] /= length;
      });
      break;
    case COLUMNS:
      each(columns, [&](i32 j) {
        const f32 length = length_of(w + j, rows, columns);
        LOOP
        for (i32 i = 0; i < rows; i++) w[i * columns + j] /= length;
      });
      break;
    case CROSSED_COLUMNS:
      each(columns, [&](i32 j) { lengths[j] = length_of(w + j, rows, columns); });
      BARRIER();  // the lengths are there
      each(rows < columns ? rows : columns, [&](i32 i) {
        LOOP
        for (i32 j = 0; j < columns; j++) w[i * columns + j] /= lengths[i];
      });
      break;
    default: break;
  }
}

// One step of all parameters that learn in this turn, and the constraints. A barrier before; another is needed before
// the parameters are read.
PART void descend(const Network& network, const Run& run, const Batch& batch, f32* values, const f32* gradients,
                  f32* first, f32* second, const f64* corrections, f32* lengths) {
  BARRIER();  // the gradients are written
  const f64 lr = batch.rate * run.lr;
  LOOP
  for (i32 k = 0; k < network.place_count; k++) {
    const Place& place = network.places[k];
    if (!place.learns[batch.turn]) continue;
    each(place.length, [&](i32 i) {
      const i32 at = place.start + i;
      values[at] = stepped(network, values[at], gradients[at], first + at, second + at, corrections + 2 * k, lr);
    });
  }
  LOOP
  for (i32 k = 0; k < network.place_count; k++) {
    const Place& place = network.places[k];
    if (place.twin == NONE) continue;
    each(place.length, [&](i32 i) {
      f32& target = values[place.start + i];
      target = network.target_kept * target + network.target_moved * values[place.twin + i];
    });
  }
  BARRIER();  // the steps are taken, and the target has followed
  LOOP
  for (i32 k = 0; k < network.place_count; k++) {
    const Place& place = network.places[k];
    normalize(place, values + place.start, lengths);
    if (!place.is_clamped) continue;
    each(place.length, [&](i32 i) {
      f32& value = values[place.start + i];
      value = value < -network.clamp ? -network.clamp : value > network.clamp ? network.clamp : value;
    });
  }
}
