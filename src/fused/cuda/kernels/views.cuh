// Views of a batch: samples by index, masked by the words of src/random/native and scaled (src/fused/views.rs).
#pragma once
#include "arguments.cuh"

// Stafford's "Mix13".
DEVICE u64 mix(u64 word) {
  word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9ull;
  word = (word ^ (word >> 27)) * 0x94d049bb133111ebull;
  return word ^ (word >> 31);
}

// Word `counter` of bits that are 1 with probability `keep / 2^32`, under a key: one random word folded in for each
// binary digit, from the lowest set one up.
DEVICE u64 mask_word(const u64 key[2], u64 keep, u64 counter) {
  i32 lowest = 0;
  while (lowest < 32 && (keep >> lowest & 1) == 0) lowest++;
  u64 bits = 0 - (keep >> 32);
  u64 at = key[0] + counter * static_cast<u64>(32 - lowest) * key[1];
  LOOP
  for (i32 digit = lowest; digit < 32; digit++, at += key[1]) {
    bits = keep >> digit & 1 ? bits | mix(at) : bits & mix(at);
  }
  return bits;
}

// Entries of a sample that are read before the first is waited for; divides a word's bits.
constexpr i32 AHEAD = 8;

// Both views of a batch, `(p, B)` each, of samples `x` `(n, p)`. A barrier is needed before they are read.
PART void mask_views(const Network& network, const Run& run, const Batch& batch, const f32* x, const u32* rows, f32* first,
                     f32* second) {
  const i32 p = network.p, pairs = batch.pairs;
  each(pairs, [&](i32 b) {
    const f32* sample = x + static_cast<i64>(rows[batch.first + b]) * p;
    const u64 word = batch.counter + (network.masks == SHARED_MASK ? 0 : static_cast<u64>(b) * network.words);
    u64 bits[2] = {0, 0};
    LOOP
    for (i32 j0 = 0; j0 < p; j0 += AHEAD) {
      f32 entries[AHEAD];
      UNROLL
      for (i32 k = 0; k < AHEAD; k++) entries[k] = j0 + k < p ? sample[j0 + k] * batch.scale : 0.0f;
      if (j0 % 64 == 0) {
        bits[0] = mask_word(run.keys[0], run.keep, word + j0 / 64);
        bits[1] = network.masks == INDEPENDENT ? mask_word(run.keys[1], run.keep, word + j0 / 64) : ~bits[0];
      }
      UNROLL
      for (i32 k = 0; k < AHEAD; k++) {
        const i32 j = j0 + k;
        if (j >= p) continue;
        first[j * pairs + b] = bits[0] >> (j % 64) & 1 ? entries[k] : 0.0f;
        second[j * pairs + b] = bits[1] >> (j % 64) & 1 ? entries[k] : 0.0f;
      }
    }
  });
}
