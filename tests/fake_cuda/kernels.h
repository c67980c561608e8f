// The program's kernels, compiled for the CPU.
#pragma once
#include <cstddef>

namespace fake_cuda {

struct Kernel {
  const char* name;
  size_t argument;                      // bytes of its one argument
  void (*run)(const void* argument);    // by the running thread
  int threads;                          // of a block, at most
};

// The kernel of a name, or null.
const Kernel* find(const char* name);
// Barriers in the sources.
int barriers();

}  // namespace fake_cuda
