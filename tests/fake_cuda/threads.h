// Launches of kernels on the CPU, and what their threads need.
#pragma once
#include <cstddef>
#include <functional>

namespace fake_cuda {

// Runs `kernel` by every thread of every block.
void launch(int blocks, int threads, const std::function<void()>& kernel);

// Of the thread that runs.
struct Place {
  int thread, block, blocks;
};
const Place& place();
// Memory of the running block. Filled with NaN before its first thread runs.
void* shared_memory(size_t bytes);
// The running thread waits for the others of its block. `number` tells the barriers of the sources apart.
void barrier(int number);

}  // namespace fake_cuda
