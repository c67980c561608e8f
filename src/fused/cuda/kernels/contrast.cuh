// NT-Xent, its asymmetric variant and DCL (src/losses/contrast.rs). Similarities are computed by tiles, twice: for the
// sums and for the gradient. None is kept: all those of 512 pairs would take 4 MB.
#pragma once
#include "losses.cuh"

// `e^x`: src/kernels/exp.rs, step by step.
DEVICE f32 exponential(f32 x) {
  const f32 round = 12582912.0f;
  const f32 shifted = fmaf(x, 1.44269504088896340736f, round);
  const f32 n = shifted - round;
  const f32 r = fmaf(n, 2.1219444e-4f, fmaf(n, -355.0f / 512.0f, x));
  f32 p = 1.9875691e-4f;
  p = fmaf(p, r, 1.3982e-3f);
  p = fmaf(p, r, 8.333452e-3f);
  p = fmaf(p, r, 4.1665796e-2f);
  p = fmaf(p, r, 1.6666665e-1f);
  p = fmaf(p, r, 0.5f);
  const f32 e_r = fmaf(p, r * r, r) + 1.0f;
  return x < -87.3f ? 0.0f : e_r * of_bits((bits_of(shifted) + 127u) << 23);
}

// Unit embeddings of both views side by side, `(m, 2B)`, and what the loss knows of each.
struct Embeddings {
  const Network& network;
  i32 m, pairs;
  f32 *unit, *gradient;            // (m, 2B)
  f32 *inverse, *shift, *weights;  // (2B,)
  f32* partners;                   // similarities of partners, (B,)
  f64* sums;                       // (2B,)

  DEVICE i32 count() const { return 2 * pairs; }
  DEVICE bool is_anchor(i32 i) const { return i < pairs || !network.anchors_are_first_view; }
  DEVICE i32 partner(i32 i) const { return i < pairs ? i + pairs : i - pairs; }
  // Whether j is in i's sum, or i in j's.
  DEVICE bool are_related(i32 i, i32 j) const {
    if (i >= count() || j >= count() || i == j) return false;
    if (network.leaves_out_partner && j == partner(i)) return false;
    return !network.anchors_are_first_view || (i < pairs) != (j < pairs);
  }
  // Whether a tile has any related pair.
  DEVICE bool has_related(i32 i0, i32 j0) const {
    if (!network.anchors_are_first_view) return true;
    const bool i_first = i0 < pairs, i_second = i0 + TILE > pairs, j_first = j0 < pairs, j_second = j0 + TILE > pairs;
    return (i_first && j_second) || (i_second && j_first);
  }
  DEVICE Part similarities(Shared& shared, i32 i0, i32 j0) const {
    const Operand columns = row_major(unit, count()), rows = transposed(unit, count());
    return tile_of_product(shared, rows, columns, i0, j0, count(), count(), m);
  }
  // `exp((s - shift) / t)`
  DEVICE f32 shifted(f32 similarity, f32 shift) const {
    const f32 factor = 1.0f / network.temperature;
    if (!network.shifts_by_largest) return exponential(fmaf(similarity, factor, -factor));
    return exponential((similarity - shift) / network.temperature);
  }
};

// Calls `then(i, total)` with `add` of `of(i, s_ij)` over the j related to i, for every i.
template <class Of, class Add, class Then>
DEVICE void row_totals(Shared& shared, const Embeddings& all, f64 start, Of of, Add add, Then then) {
  const i32 row = Part::row(), column = Part::column();
  LOOP
  for (i32 i0 = 0; i0 < all.count(); i0 += TILE) {
    f64 totals[4] = {start, start, start, start};
    LOOP
    for (i32 j0 = 0; j0 < all.count(); j0 += TILE) {
      if (!all.has_related(i0, j0)) continue;
      const Part part = all.similarities(shared, i0, j0);
      UNROLL
      for (i32 i = 0; i < 4; i++) {
        UNROLL
        for (i32 j = 0; j < 4; j++) {
          const i32 at = i0 + row + i;
          if (all.are_related(at, j0 + column + j)) totals[i] = add(totals[i], of(at, part.c[i][j]));
        }
      }
    }
    BARRIER();  // the tiles are read
    UNROLL
    for (i32 i = 0; i < 4; i++) shared.parts[(row + i) * PARTS + column / 4] = totals[i];
    BARRIER();  // all parts are there
    if (thread() < TILE && i0 + thread() < all.count()) {
      f64 total = start;
      LOOP
      for (i32 k = 0; k < PARTS - 1; k++) total = add(total, shared.parts[thread() * PARTS + k]);
      then(i0 + thread(), total);
    }
  }
}

// Writes the gradient of the unit embeddings: `sum_j h_ij u_j` less `strength` times the partner.
DEVICE void repel(Shared& shared, const Embeddings& all, f32 strength) {
  const i32 row = Part::row(), column = Part::column(), count = all.count();
  LOOP
  for (i32 c0 = 0; c0 < all.m; c0 += TILE) {
    LOOP
    for (i32 i0 = 0; i0 < count; i0 += TILE) {
      Part sum;
      sum.clear();
      LOOP
      for (i32 j0 = 0; j0 < count; j0 += TILE) {
        if (!all.has_related(i0, j0)) continue;
        const Part part = all.similarities(shared, i0, j0);
        BARRIER();  // the tiles are read
        UNROLL
        for (i32 i = 0; i < 4; i++) {
          UNROLL
          for (i32 j = 0; j < 4; j++) {
            const i32 of = i0 + row + i, with = j0 + column + j;
            f32 h = 0.0f;
            if (all.are_related(of, with)) {
              const f32 s = part.c[i][j];
              h = all.network.shifts_by_largest
                      ? all.shifted(s, all.shift[of]) * all.weights[of] + all.shifted(s, all.shift[with]) * all.weights[with]
                      : all.shifted(s, 1.0f) * (all.weights[of] + all.weights[with]);
            }
            shared.tiles.a[(column + j) * STRIDE + row + i] = h;
          }
        }
        const Operand units = row_major(all.unit, count);
        f32 entries[STAGED];
        fetch(entries, units, c0, all.m, j0, count);
        stage(shared.tiles.b, units, entries);
        BARRIER();  // the tiles are full
        Part share;
        share.clear();
        multiply(shared.tiles.a, shared.tiles.b, TILE, share);
        sum.add(share);
      }
      UNROLL
      for (i32 i = 0; i < 4; i++) {
        UNROLL
        for (i32 j = 0; j < 4; j++) {
          const i32 of = i0 + row + i, c = c0 + column + j;
          if (of >= count || c >= all.m) continue;
          all.gradient[c * count + of] = -strength * all.unit[c * count + all.partner(of)] + sum.c[i][j];
        }
      }
    }
  }
}

// Adds the loss of both views' embeddings `(m, B)` to the block's, and writes their gradients. A barrier is needed before
// those are read. `memory` is the block's workspace, `sums` has room for 2 B numbers.
PART void contrast(Shared& shared, const Network& network, i32 m, i32 pairs, const f32* first, const f32* second,
                   f32* memory, f64* sums) {
  f32* numbers = memory + network.numbers;
  f32* gradients[2] = {memory + network.gradients[0], memory + network.gradients[1]};
  const Embeddings all = {network, m, pairs, memory + network.unit, memory + network.unit_gradient, numbers,
                          numbers + 2 * pairs, numbers + 4 * pairs, numbers + 6 * pairs, sums};
  const i32 count = all.count();
  const f64 temperature = network.temperature;
  const i32 anchors = network.anchors_are_first_view ? pairs : count;
  BARRIER();  // the embeddings are written
  each(count, [&](i32 i) {
    const f32* z = i < pairs ? first + i : second + (i - pairs);
    f32 squares = 0.0f;
    LOOP
    for (i32 c = 0; c < m; c++) squares = fmaf(z[c * pairs], z[c * pairs], squares);
    all.inverse[i] = inverse_length(squares, network.floor);
    LOOP
    for (i32 c = 0; c < m; c++) all.unit[c * count + i] = z[c * pairs] * all.inverse[i];
    all.shift[i] = 1.0f;
  });
  BARRIER();  // all lengths are one
  each(pairs, [&](i32 i) {
    f32 similarity = 0.0f;
    LOOP
    for (i32 c = 0; c < m; c++) similarity = fmaf(all.unit[c * count + i], all.unit[c * count + i + pairs], similarity);
    all.partners[i] = similarity;
  });
  if (network.shifts_by_largest) {
    const f32 infinity = of_bits(0x7f800000u);
    const auto largest = [](f64 a, f64 b) { return a > b ? a : b; };
    row_totals(shared, all, -infinity, [](i32, f32 s) { return static_cast<f64>(s); }, largest, [&](i32 i, f64 total) {
      all.shift[i] = all.is_anchor(i) ? static_cast<f32>(total) : infinity;
    });
  }
  const auto exponentials = [&](i32 i, f32 s) { return static_cast<f64>(all.shifted(s, all.shift[i])); };
  const auto plus = [](f64 a, f64 b) { return a + b; };
  const f64 share = 1.0 / (anchors * temperature);
  row_totals(shared, all, 0.0, exponentials, plus, [&](i32 i, f64 total) {
    all.weights[i] = all.is_anchor(i) ? static_cast<f32>(share / total) : 0.0f;
    const f32 ahead = all.shift[i] - all.partners[i < pairs ? i : i - pairs];
    all.sums[i] = all.is_anchor(i) ? log(total) + static_cast<f64>(ahead) / temperature : 0.0;
  });
  BARRIER();  // the weights and the anchors' terms are there
  if (thread() == 0) {
    f64 sum = 0.0;
    LOOP
    for (i32 i = 0; i < anchors; i++) sum += all.sums[i];
    shared.loss += sum / anchors;
  }
  repel(shared, all, static_cast<f32>(share * (anchors / pairs)));
  BARRIER();  // the gradient of the unit embeddings is there
  each(count, [&](i32 i) {
    f32* out = i < pairs ? gradients[0] + i : gradients[1] + (i - pairs);
    const f32 inverse = all.inverse[i];
    f32 along = 0.0f;
    LOOP
    for (i32 c = 0; c < m; c++) along = fmaf(all.unit[c * count + i], all.gradient[c * count + i], along);
    if (inverse >= 1.0f / network.floor) along = 0.0f;
    LOOP
    for (i32 c = 0; c < m; c++) {
      out[c * pairs] = inverse * (all.gradient[c * count + i] - all.unit[c * count + i] * along);
    }
  });
}
