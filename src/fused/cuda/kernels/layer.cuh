// One layer, forward and backward: a linear map, batch norm (or none) and the activation. src/fused/layer.rs.
#pragma once
#include "arguments.cuh"
#include "product.cuh"
#include "sums.cuh"

// What a block works on: a run's parameters and gradients, and the block's workspace.
struct Work {
  f32* values;
  f32* gradients;
  f32* memory;
  i32 pairs;  // B
};

// Single-precision part of a mean, and what is left of it.
DEVICE f32 center(f64 mean) { return static_cast<f32>(mean); }
DEVICE f64 rest(f64 mean) { return mean - static_cast<f64>(center(mean)); }

// NaN stays NaN.
DEVICE f32 relu(f32 x) { return x <= 0.0f ? 0.0f : x; }
DEVICE f32 step(f32 x) { return x <= 0.0f ? 0.0f : 1.0f; }

DEVICE f32 activate(i32 activation, f32 x, f32 b) {
  switch (activation) {
    case RELU: return relu(x);
    case SRELU: return relu(x - b) - relu(-x - b);
    case SYM_RELU: return relu(x) - relu(2.0f * b - x);
    default: return x;
  }
}

DEVICE f32 slope(i32 activation, f32 x, f32 b) {
  switch (activation) {
    case RELU: return step(x);
    case SRELU: return step(x - b) + step(-x - b);
    case SYM_RELU: return step(x) + step(2.0f * b - x);
    default: return 1.0f;
  }
}

// A bias's part in the gradient where the activation reads it.
DEVICE f32 threshold_slope(i32 activation, f32 x, f32 b) {
  return activation == SRELU ? step(-x - b) - step(x - b) : step(2.0f * b - x);
}

DEVICE f32 bias_of(const Layer& layer, const f32* values, i32 i) {
  return layer.bias == NONE ? 0.0f : values[layer.bias + i];
}

// `x += (batch - x) / 10`, in double precision.
DEVICE void track(f32& running, f64 batch) {
  running = static_cast<f32>(static_cast<f64>(running) + 0.1 * (batch - static_cast<f64>(running)));
}

// Mean (into `means`) and inverse deviation of each row of `x` `(m, B)`; the running statistics move.
DEVICE void statistics(Shared& shared, const Layer& layer, const Work& work, const f32* x, f64* means, f32* deviations) {
  const i32 pairs = work.pairs;
  f32* values = work.values;
  row_sums(shared, layer.rows, pairs, [&](i32 i, i32 b) { return x[i * pairs + b]; }, [&](i32 i, f64 sum) {
    means[i] = sum / pairs;
    track(values[layer.running_mean + i], means[i]);
  });
  const auto square = [&](i32 i, i32 b) {
    const f32 off = x[i * pairs + b] - center(means[i]);
    return off * off;
  };
  row_sums(shared, layer.rows, pairs, square, [&](i32 i, f64 sum) {
    const f64 variance = sum / pairs - rest(means[i]) * rest(means[i]);
    track(values[layer.running_var + i], variance * (pairs / (pairs - 1.0)));
    deviations[i] = static_cast<f32>(1.0 / sqrt(variance + 1e-5));
  });
}

// `act(BN?(W a + b))` or `BN(act(W a + b))` of `input` `(inputs, B)`. `means` has room for m numbers. A barrier is needed
// before the output is read.
PART void forward(Shared& shared, const Layer& layer, const Work& work, const f32* input, f64* means) {
  const i32 pairs = work.pairs, m = layer.rows;
  f32* values = work.values;
  f32* x = work.memory + layer.pre_activation;
  f32* output = work.memory + layer.output;
  const f32* weight = values + layer.weight;
  if (layer.is_diagonal) {
    each(m, pairs, [&](i32 i, i32 b) { x[i * pairs + b] = weight[i] * input[i * pairs + b]; });
  } else {
    product(shared, row_major(weight, layer.inputs), row_major(input, pairs), x, m, pairs, layer.inputs, false);
  }
  BARRIER();  // the linear map is done
  const bool has_norm = layer.scale != NONE, is_after = layer.follows_activation;
  each(m, pairs, [&](i32 i, i32 b) { return x[i * pairs + b]; }, [&](i32 i, i32 b, f32 pre) {
    const f32 bias = bias_of(layer, values, i);
    if (layer.adds_bias) x[i * pairs + b] = pre += bias;
    if (!has_norm || is_after) output[i * pairs + b] = activate(layer.activation, pre, bias);
  });
  if (!has_norm) return;
  f32* normalized = work.memory + layer.normalized;
  f32* deviations = work.memory + layer.inverse_deviation;
  if (thread() == 0) values[layer.batches] += 1.0f;
  statistics(shared, layer, work, is_after ? output : x, means, deviations);
  f32* to = is_after ? output : x;
  each(m, pairs, [&](i32 i, i32 b) { return to[i * pairs + b]; }, [&](i32 i, i32 b, f32 at) {
    const f32 centered = at - center(means[i]) - static_cast<f32>(rest(means[i]));
    const f32 unit = centered * deviations[i];
    normalized[i * pairs + b] = unit;
    to[i * pairs + b] = at = unit * values[layer.scale + i] + values[layer.shift + i];
    if (!is_after) output[i * pairs + b] = activate(layer.activation, at, bias_of(layer, values, i));
  });
}

// An entry of a gradient, and of what its slope depends on.
struct Two {
  f32 gradient, other;
};

// Takes a gradient `(m, B)` back through the activation, in place; the bias gets what the activation gives it. A barrier
// is needed before the gradient is read.
DEVICE void backward_activation(Shared& shared, const Layer& layer, const Work& work, f32* gradient) {
  const i32 pairs = work.pairs;
  const f32* x = work.memory + layer.pre_activation;
  if (layer.activation == IDENTITY) return;
  if (layer.bias != NONE && layer.activation != RELU) {
    const auto part = [&](i32 i, i32 b) {
      const i32 at = i * pairs + b;
      return gradient[at] * threshold_slope(layer.activation, x[at], bias_of(layer, work.values, i));
    };
    row_sums(shared, layer.rows, pairs, part, [&](i32 i, f64 sum) {
      work.gradients[layer.bias + i] += static_cast<f32>(layer.activation == SRELU ? sum : -2.0 * sum);
    });
  }
  const auto both = [&](i32 i, i32 b) { return Two{gradient[i * pairs + b], x[i * pairs + b]}; };
  each(layer.rows, pairs, both, [&](i32 i, i32 b, Two at) {
    gradient[i * pairs + b] = at.gradient * slope(layer.activation, at.other, bias_of(layer, work.values, i));
  });
}

// Takes a gradient `(m, B)` back through batch norm, in place. `sums` has room for 2 m numbers. A barrier is needed
// before the gradient is read.
DEVICE void backward_norm(Shared& shared, const Layer& layer, const Work& work, f32* gradient, f64* sums) {
  const i32 pairs = work.pairs, m = layer.rows;
  const f32* normalized = work.memory + layer.normalized;
  const f32* deviations = work.memory + layer.inverse_deviation;
  const auto along = [&](i32 i, i32 b) { return gradient[i * pairs + b] * normalized[i * pairs + b]; };
  row_sums(shared, m, pairs, along, [&](i32 i, f64 sum) {
    work.gradients[layer.scale + i] += static_cast<f32>(sum);
    sums[m + i] = sum;
  });
  row_sums(shared, m, pairs, [&](i32 i, i32 b) { return gradient[i * pairs + b]; }, [&](i32 i, f64 sum) {
    work.gradients[layer.shift + i] += static_cast<f32>(sum);
    sums[i] = sum;
  });
  // Mean and variance are functions of x too: the gradient loses its mean and its component along x'.
  const auto both = [&](i32 i, i32 b) { return Two{gradient[i * pairs + b], normalized[i * pairs + b]}; };
  each(m, pairs, both, [&](i32 i, i32 b, Two at) {
    const f32 mean = static_cast<f32>(sums[i] / pairs), share = static_cast<f32>(sums[m + i] / pairs);
    const f32 factor = work.values[layer.scale + i] * deviations[i];
    gradient[i * pairs + b] = factor * (at.gradient - mean - at.other * share);
  });
}

// Takes `gradient` from the output `(m, B)` back to the linear map, in place, adds the parameters' gradients and, unless
// `gradient_input` is null, writes that of the input `(inputs, B)`. A barrier before; another is needed before any of this
// is read. `sums` has room for 2 m numbers.
PART void backward(Shared& shared, const Layer& layer, const Work& work, const f32* input, f32* gradient,
                   f32* gradient_input, f64* sums) {
  const i32 pairs = work.pairs, m = layer.rows;
  const f32* weight = work.values + layer.weight;
  f32* gradient_weight = work.gradients + layer.weight;
  const bool has_norm = layer.scale != NONE;
  BARRIER();  // the gradient is written
  if (has_norm && layer.follows_activation) backward_norm(shared, layer, work, gradient, sums);
  backward_activation(shared, layer, work, gradient);
  if (has_norm && !layer.follows_activation) backward_norm(shared, layer, work, gradient, sums);
  if (layer.bias != NONE && layer.adds_bias) {
    row_sums(shared, m, pairs, [&](i32 i, i32 b) { return gradient[i * pairs + b]; }, [&](i32 i, f64 sum) {
      work.gradients[layer.bias + i] += static_cast<f32>(sum);
    });
  }
  if (layer.is_diagonal) {
    const auto along = [&](i32 i, i32 b) { return gradient[i * pairs + b] * input[i * pairs + b]; };
    row_sums(shared, m, pairs, along, [&](i32 i, f64 sum) {
      if (layer.is_trained) gradient_weight[i] += static_cast<f32>(sum);
    });
    if (gradient_input) {
      each(m, pairs, [&](i32 i, i32 b) { gradient_input[i * pairs + b] = weight[i] * gradient[i * pairs + b]; });
    }
  } else {
    const i32 inputs = layer.inputs;
    if (layer.is_trained) {
      product(shared, row_major(gradient, pairs), transposed(input, pairs), gradient_weight, m, inputs, pairs, true);
    }
    if (gradient_input) {
      product(shared, transposed(weight, inputs), row_major(gradient, pairs), gradient_input, inputs, pairs, m, false);
    }
  }
}
