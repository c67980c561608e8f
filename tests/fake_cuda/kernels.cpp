#include "kernels.h"

#include <cstring>

#include "../../src/fused/cuda/kernels/train.cu"

namespace fake_cuda {

const Kernel* find(const char* name) {
  static const Kernel kernels[] = {{"train", sizeof(Arguments), [](const void* argument) {
    train(*static_cast<const Arguments*>(argument));
  }, THREADS}};
  for (const Kernel& kernel : kernels) {
    if (std::strcmp(kernel.name, name) == 0) return &kernel;
  }
  return nullptr;
}

int barriers() { return __COUNTER__; }

}  // namespace fake_cuda
