// What src/fused/cuda/kernels/block.cuh asks of a device, on the CPU: a block's threads take turns, from barrier to
// barrier, in whatever order they are told to (threads.cpp).
#pragma once
#include <cmath>
#include <cstring>

#include "threads.h"

#define DEVICE inline
#define PART inline
#define KERNEL inline void
#define SHARED(Type, name) Type& name = *static_cast<Type*>(fake_cuda::shared_memory(sizeof(Type)))
#define BARRIER() fake_cuda::barrier(__COUNTER__)
#define UNROLL
#define LOOP
#define SOME

inline i32 thread() { return fake_cuda::place().thread; }
inline i32 block() { return fake_cuda::place().block; }
inline i32 blocks() { return fake_cuda::place().blocks; }

inline u32 bits_of(f32 x) {
  u32 bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

inline f32 of_bits(u32 bits) {
  f32 x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}
