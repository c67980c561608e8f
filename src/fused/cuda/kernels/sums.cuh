// Sums along rows, in the order of src/kernels/reduce.rs: 64 partial sums in single precision, combined in double.
#pragma once
#include "block.cuh"

// Calls `then(i, sum)` with `sum_b f(i, b)` for each of `rows` rows of n samples, by one thread each. A barrier before
// and after: `f` may read what any thread has written, and what `then` writes can be read by all.
template <class F, class Then>
DEVICE void row_sums(Shared& shared, i32 rows, i32 n, F f, Then then) {
  LOOP
  for (i32 first = 0; first < rows; first += TILE) {
    const i32 here = rows - first < TILE ? rows - first : TILE;
    BARRIER();  // the rows are written, and the lanes are free
    LOOP
    for (i32 at = thread(); at < here * LANES; at += THREADS) {
      const i32 i = at / LANES, lane = at % LANES;
      f32 sum = 0.0f;
      SOME
      for (i32 b = lane; b < n; b += LANES) sum += f(first + i, b);
      shared.lanes[i * (LANES + 1) + lane] = sum;
    }
    BARRIER();  // the lanes are full
    if (thread() < here) {
      const f32* lanes = shared.lanes + thread() * (LANES + 1);
      f64 sums[8] = {0, 0, 0, 0, 0, 0, 0, 0};
      LOOP
      for (i32 lane = 0; lane < LANES; lane += 8) {
        UNROLL
        for (i32 k = 0; k < 8; k++) sums[k] += static_cast<f64>(lanes[lane + k]);
      }
      then(first + thread(), ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7])));
    }
  }
  BARRIER();  // what `then` wrote is there
}
