// Products of matrices in any strides, by tiles staged through shared memory: src/kernels/gemm.rs.
#pragma once
#include "block.cuh"

// An operand: entry (i, j) is `data[i * row + j * column]`.
struct Operand {
  const f32* data;
  i32 row, column;
};

DEVICE Operand row_major(const f32* data, i32 columns) { return {data, columns, 1}; }
DEVICE Operand transposed(const f32* data, i32 columns) { return {data, 1, columns}; }

// A thread's entries of a tile.
constexpr i32 STAGED = TILE * TILE / THREADS;

// Where the n-th entry that a thread stages lies in the tile: neighbouring threads read neighbouring numbers.
struct Staged {
  i32 i, k;
};
DEVICE Staged staged(const Operand& a, i32 n) {
  const i32 at = thread() + n * THREADS;
  return a.column == 1 ? Staged{at / TILE, at % TILE} : Staged{at % TILE, at / TILE};
}

// Reads a thread's entries `(i0 + i, k0 + k)` of an operand, zeros beyond `m x k_end`. All are on their way before the first
// is waited for.
DEVICE void fetch(f32 (&entries)[STAGED], const Operand& a, i32 i0, i32 m, i32 k0, i32 k_end) {
  UNROLL
  for (i32 n = 0; n < STAGED; n++) {
    const Staged at = staged(a, n);
    const bool inside = i0 + at.i < m && k0 + at.k < k_end;
    entries[n] = inside ? a.data[static_cast<i64>(i0 + at.i) * a.row + static_cast<i64>(k0 + at.k) * a.column] : 0.0f;
  }
}

// Stages what was read as `tile[k][i]`.
DEVICE void stage(f32* tile, const Operand& a, const f32 (&entries)[STAGED]) {
  UNROLL
  for (i32 n = 0; n < STAGED; n++) {
    const Staged at = staged(a, n);
    tile[at.k * STRIDE + at.i] = entries[n];
  }
}

// A thread's part of a tile of `C`: four rows and four columns.
struct Part {
  f32 c[4][4];
  DEVICE void clear() {
    UNROLL
    for (i32 i = 0; i < 4; i++) {
      UNROLL
      for (i32 j = 0; j < 4; j++) c[i][j] = 0.0f;
    }
  }
  DEVICE void add(const Part& other) {
    UNROLL
    for (i32 i = 0; i < 4; i++) {
      UNROLL
      for (i32 j = 0; j < 4; j++) c[i][j] += other.c[i][j];
    }
  }
  // Row and column of the first entry, within the tile.
  static DEVICE i32 row() { return thread() / 16 * 4; }
  static DEVICE i32 column() { return thread() % 16 * 4; }
};

// `part += a^T b` over the first `depth` rows of two staged tiles, `a[k][i]` and `b[k][j]`, one after the other.
DEVICE void multiply(const f32* a, const f32* b, i32 depth, Part& part) {
  const i32 row = Part::row(), column = Part::column();
  for (i32 k = 0; k < depth; k++) {
    const Four x = *reinterpret_cast<const Four*>(a + k * STRIDE + row);
    const Four y = *reinterpret_cast<const Four*>(b + k * STRIDE + column);
    UNROLL
    for (i32 i = 0; i < 4; i++) {
      UNROLL
      for (i32 j = 0; j < 4; j++) part.c[i][j] = fmaf(x.x[i], y.x[j], part.c[i][j]);
    }
  }
}

// The thread's part of `A B` in the tile at (i0, j0): `(m, k)` times `(k, n)`. Sums are taken in pieces of TILE, so that
// long ones lose little.
DEVICE Part tile_of_product(Shared& shared, Operand a, Operand b, i32 i0, i32 j0, i32 m, i32 n, i32 k) {
  Part sum;
  sum.clear();
  const Operand columns = {b.data, b.column, b.row};
  LOOP
  for (i32 k0 = 0; k0 < k; k0 += TILE) {
    BARRIER();  // the tiles are free, and the operands are written
    f32 entries[2][STAGED];
    fetch(entries[0], a, i0, m, k0, k);
    fetch(entries[1], columns, j0, n, k0, k);
    stage(shared.tiles.a, a, entries[0]);
    stage(shared.tiles.b, columns, entries[1]);
    BARRIER();  // the tiles are full
    Part part;
    part.clear();
    multiply(shared.tiles.a, shared.tiles.b, k - k0 < TILE ? k - k0 : TILE, part);
    sum.add(part);
  }
  return sum;
}

// `C = A B`, or `C += A B`: `(m, k)` times `(k, n)`, C row-major. A barrier is needed before C is read.
PART void product(Shared& shared, Operand a, Operand b, f32* c, i32 m, i32 n, i32 k, bool accumulate) {
  LOOP
  for (i32 i0 = 0; i0 < m; i0 += TILE) {
    LOOP
    for (i32 j0 = 0; j0 < n; j0 += TILE) {
      const Part part = tile_of_product(shared, a, b, i0, j0, m, n, k);
      UNROLL
      for (i32 i = 0; i < 4; i++) {
        UNROLL
        for (i32 j = 0; j < 4; j++) {
          const i32 row = i0 + Part::row() + i, column = j0 + Part::column() + j;
          if (row >= m || column >= n) continue;
          f32& entry = c[static_cast<i64>(row) * n + column];
          entry = accumulate ? entry + part.c[i][j] : part.c[i][j];
        }
      }
    }
  }
}
