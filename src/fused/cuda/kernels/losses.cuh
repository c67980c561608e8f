// Losses between a learner and a teacher: src/losses/cosine.rs, inner_product.rs, l2.rs and negative_cosine.rs.
#pragma once
#include "layer.cuh"

// `1 / max(length, floor)` of a sample whose entries' squares sum to `squares`.
DEVICE f32 inverse_length(f32 squares, f32 floor) {
  const f32 length = sqrtf(squares);
  return 1.0f / (length > floor ? length : floor);
}

// Adds `share` times the loss of `q` and `t`, `(m, B)`, to the block's, and writes `share` times its gradient with
// respect to `q`. `numbers` has room for B numbers, `sums` for m. A barrier is needed before the gradient is read.
PART void compare(Shared& shared, const Network& network, i32 m, i32 pairs, const f32* q, const f32* t, f64 share,
                  f32* gradient, f32* numbers, f64* sums) {
  const f64 size = network.objective == NEGATIVE_COSINE ? 1.0 : 2.0;
  const f32 factor = static_cast<f32>(-size / pairs), portion = static_cast<f32>(share);
  BARRIER();  // both sides are written
  if (network.normalizes) {
    each(pairs, [&](i32 b) {
      f32 qq = 0.0f, tt = 0.0f, qt = 0.0f;
      SOME
      for (i32 at = b; at < m * pairs; at += pairs) {
        qq = fmaf(q[at], q[at], qq);
        tt = fmaf(t[at], t[at], tt);
        qt = fmaf(q[at], t[at], qt);
      }
      const f32 inverse_q = inverse_length(qq, network.floor), inverse_t = inverse_length(tt, network.floor);
      const f32 cosine = qt * (inverse_q * inverse_t);
      // Where the length was below the floor, the divisor is a constant.
      const f32 along = inverse_q >= 1.0f / network.floor ? 0.0f : cosine;
      const f32 on_t = factor * inverse_q * inverse_t, on_q = factor * along * inverse_q * inverse_q;
      f32 distance = 0.0f;
      LOOP
      for (i32 i0 = 0; i0 < m; i0 += AT_ONCE) {
        f32 x[AT_ONCE], y[AT_ONCE];
        UNROLL
        for (i32 n = 0; n < AT_ONCE; n++) {
          const i32 at = (i0 + n < m ? i0 + n : i0) * pairs + b;
          x[n] = q[at];
          y[n] = t[at];
        }
        UNROLL
        for (i32 n = 0; n < AT_ONCE; n++) {
          if (i0 + n >= m) continue;
          const f32 off = x[n] * inverse_q - y[n] * inverse_t;
          distance = fmaf(off, off, distance);
          const f32 slope = y[n] * on_t - x[n] * on_q;
          gradient[(i0 + n) * pairs + b] = share == 1.0 ? slope : slope * portion;
        }
      }
      numbers[b] = network.objective == L2 ? distance : cosine;
    });
    row_sums(shared, 1, pairs, [&](i32, i32 b) { return numbers[b]; }, [&](i32, f64 sum) {
      const f64 mean = sum / pairs;
      const i32 objective = network.objective;
      shared.loss += share * (objective == L2 ? mean : objective == INNER_PRODUCT ? 2.0 - 2.0 * mean : -mean);
    });
    return;
  }
  const bool is_l2 = network.objective == L2;
  each(m, pairs, [&](i32 i, i32 b) {
    const i32 at = i * pairs + b;
    const f32 slope = is_l2 ? -factor * (q[at] - t[at]) : factor * t[at];
    gradient[at] = share == 1.0 ? slope : slope * portion;
  });
  const auto part = [&](i32 i, i32 b) {
    const f32 x = q[i * pairs + b], y = t[i * pairs + b];
    return is_l2 ? (x - y) * (x - y) : x * y;
  };
  row_sums(shared, m, pairs, part, [&](i32 i, f64 sum) { sums[i] = sum; });
  if (thread() == 0) {
    f64 sum = 0.0;
    LOOP
    for (i32 i = 0; i < m; i++) sum += sums[i];
    shared.loss += share * (is_l2 ? sum / pairs : 2.0 - 2.0 * sum / pairs);
  }
}
