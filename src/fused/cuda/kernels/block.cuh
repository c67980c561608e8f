// What a kernel needs of its block: a thread's number, barriers, shared memory. One source for NVRTC and for a C++
// compiler on the CPU, where the tests' fake device gives these (tests/fake_cuda/block.h).
#pragma once

typedef int i32;
typedef unsigned u32;
typedef long long i64;
typedef unsigned long long u64;
typedef float f32;
typedef double f64;

// Threads of a block; a block trains one run.
constexpr i32 THREADS = 256;
// Threads that take a row's samples side by side.
constexpr i32 WARP = 32;

#ifdef __CUDACC__
#define DEVICE __device__ __forceinline__
#define PART __device__ __noinline__
#define KERNEL extern "C" __global__ void __launch_bounds__(THREADS, 1)
#define SHARED(Type, name) __shared__ Type name
#define BARRIER() __syncthreads()
#define UNROLL _Pragma("unroll")
#define LOOP _Pragma("unroll 1")
// For loops whose rounds only read: the loads of some are on their way together.
#define SOME _Pragma("unroll 4")
DEVICE i32 thread() { return static_cast<i32>(threadIdx.x); }
DEVICE i32 block() { return static_cast<i32>(blockIdx.x); }
DEVICE i32 blocks() { return static_cast<i32>(gridDim.x); }
DEVICE u32 bits_of(f32 x) { return __float_as_uint(x); }
DEVICE f32 of_bits(u32 bits) { return __uint_as_float(bits); }
#else
#include "block.h"
#endif

// Four numbers that shared memory gives at once.
struct alignas(16) Four {
  f32 x[4];
};

// Side of a product's tile, and the samples or neurons that are summed before the sum is added to a larger one.
constexpr i32 TILE = 64;
// A tile's rows lie this far apart: a multiple of four, for aligned loads, and not of the number of memory banks.
constexpr i32 STRIDE = TILE + 4;
// Partial sums of a row, as in src/kernels/reduce.rs.
constexpr i32 LANES = 64;

// Threads that share a row of a product's tile, and one more, so that rows begin in different banks.
constexpr i32 PARTS = 16 + 1;

// The block's shared memory. What is in `tiles` is a product's, a sum's or a loss's, and of no use after it.
struct Tiles {
  f32 a[TILE * STRIDE];
  f32 b[TILE * STRIDE];
};
struct Shared {
  union {
    Tiles tiles;
    f32 lanes[TILE * (LANES + 1)];
    f64 parts[TILE * PARTS];
  };
  f64 loss;
};

// Calls `f(i, b)` for every entry of `rows x columns`, each by one thread.
template <class F>
DEVICE void each(i32 rows, i32 columns, F f) {
  LOOP
  for (i32 i = thread() / WARP; i < rows; i += THREADS / WARP) {
    LOOP
    for (i32 b = thread() % WARP; b < columns; b += WARP) f(i, b);
  }
}

// Entries of a row that `each` reads before the first is waited for.
constexpr i32 AT_ONCE = 4;

// Calls `put(i, b, get(i, b))` for every entry of `rows x columns`, each by one thread; `get` reads memory and `put` writes it.
template <class Get, class Put>
DEVICE void each(i32 rows, i32 columns, Get get, Put put) {
  LOOP
  for (i32 i = thread() / WARP; i < rows; i += THREADS / WARP) {
    LOOP
    for (i32 b0 = thread() % WARP; b0 < columns; b0 += AT_ONCE * WARP) {
      decltype(get(0, 0)) got[AT_ONCE];
      UNROLL
      for (i32 n = 0; n < AT_ONCE; n++) {
        const i32 b = b0 + n * WARP;
        got[n] = get(i, b < columns ? b : b0);
      }
      UNROLL
      for (i32 n = 0; n < AT_ONCE; n++) {
        const i32 b = b0 + n * WARP;
        if (b < columns) put(i, b, got[n]);
      }
    }
  }
}

// Calls `f(i)` for every i below n, each by one thread.
template <class F>
DEVICE void each(i32 n, F f) {
  LOOP
  for (i32 i = thread(); i < n; i += THREADS) f(i);
}
