// libcuda.so.1 of the fake devices: what the program asks of a driver, and the program's own kernels on the CPU.
//
// FAKE_CUDA_DRIVER: the driver's CUDA version, such as 13000; FAKE_CUDA_CAPABILITY: 90 for 9.0; FAKE_CUDA_MEMORY: bytes
// of a device; FAKE_CUDA_BREAK: launches of kernels after which every call fails; FAKE_CUDA_WRONG: 1 for a device that gets
// the first number of what is read from it wrong; FAKE_CUDA_REPORT: a file for the counts, written when the process ends.
// Threads and barriers: threads.cpp.
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <map>
#include <mutex>
#include <string>

#include "kernels.h"
#include "settings.h"
#include "threads.h"

namespace {

using fake_cuda::number;

enum Status {
  SUCCESS = 0,
  INVALID_VALUE = 1,
  OUT_OF_MEMORY = 2,
  INVALID_DEVICE = 101,
  INVALID_CONTEXT = 201,
  NO_BINARY_FOR_GPU = 209,
  ECC_UNCORRECTABLE = 214,
  INVALID_PTX = 218,
  NOT_FOUND = 500,
  ILLEGAL_ADDRESS = 700,
};

constexpr size_t MEMORY = size_t{80} << 30;
Status known(int device) { return 0 <= device && device < fake_cuda::devices() ? SUCCESS : INVALID_DEVICE; }
int capability() { return static_cast<int>(number("FAKE_CUDA_CAPABILITY", 90)); }

std::mutex mutex;
// The context that calls of this thread go to: a device's number and one, or none.
thread_local intptr_t context = 0;

struct Counts {
  size_t launches = 0, copies = 0, used = 0, peak = 0;
  ~Counts() {
    const std::lock_guard<std::mutex> lock(mutex);  // of whatever thread launched last
    const char* path = std::getenv("FAKE_CUDA_REPORT");
    if (!path || launches + copies == 0) return;
    std::ofstream(path, std::ios::app) << "kernel_launches " << launches << "\nkernel_copies " << copies
                                       << "\nkernel_peak " << peak << "\nbarriers " << fake_cuda::barriers() << "\n";
  }
} counts;

// Whether a call reaches the device: after an error that stays, none does.
Status reach() {
  static const size_t limit = number("FAKE_CUDA_BREAK", SIZE_MAX);
  if (counts.launches >= limit) return ECC_UNCORRECTABLE;
  return context ? SUCCESS : INVALID_CONTEXT;
}

std::map<uintptr_t, size_t> blocks;  // of the device's memory, by address

// Whether the bytes lie in one block of the device's memory.
bool holds(uintptr_t at, size_t bytes) {
  auto block = blocks.upper_bound(at);
  if (block == blocks.begin()) return bytes == 0;
  --block;
  return at + bytes <= block->first + block->second;
}

struct Module {
  std::string text;
};

}  // namespace

extern "C" {

int cuInit(unsigned) { return SUCCESS; }

int cuGetErrorString(int status, const char** text) {
  switch (status) {
    case OUT_OF_MEMORY: *text = "out of memory"; break;
    case INVALID_CONTEXT: *text = "invalid device context"; break;
    case NO_BINARY_FOR_GPU: *text = "no kernel image is available for execution on the device"; break;
    case ECC_UNCORRECTABLE: *text = "uncorrectable ECC error encountered"; break;
    case INVALID_PTX: *text = "a PTX JIT compilation failed"; break;
    case NOT_FOUND: *text = "named symbol not found"; break;
    case ILLEGAL_ADDRESS: *text = "an illegal memory access was encountered"; break;
    default: *text = "invalid argument"; break;
  }
  return SUCCESS;
}

int cuDriverGetVersion(int* version) {
  *version = static_cast<int>(number("FAKE_CUDA_DRIVER", 13000));
  return SUCCESS;
}

int cuDeviceGetCount(int* count) {
  *count = fake_cuda::devices();
  return SUCCESS;
}

int cuDeviceGet(int* device, int ordinal) {
  *device = ordinal;
  return known(ordinal);
}

int cuDeviceGetName(char* name, int length, int device) {
  std::snprintf(name, static_cast<size_t>(length), "Fake GPU");
  return known(device);
}

int cuDeviceTotalMem_v2(size_t* bytes, int device) {
  *bytes = MEMORY;
  return known(device);
}

// 75 and 76 are the compute capability's major and minor number, 16 the number of multiprocessors.
int cuDeviceGetAttribute(int* value, int attribute, int device) {
  switch (attribute) {
    case 75: *value = capability() / 10; break;
    case 76: *value = capability() % 10; break;
    case 16: *value = static_cast<int>(number("FAKE_CUDA_PROCESSORS", 2)); break;
    default: return INVALID_VALUE;
  }
  return known(device);
}

int cuDevicePrimaryCtxRetain(void** made, int device) {
  *made = reinterpret_cast<void*>(static_cast<intptr_t>(device) + 1);
  return known(device);
}

int cuCtxSetCurrent(void* to) {
  context = reinterpret_cast<intptr_t>(to);
  return SUCCESS;
}

int cuCtxSynchronize() { return reach(); }

int cuModuleLoadData(Module** module, const char* ptx) {
  if (const Status status = reach()) return status;
  const std::string text = ptx;
  const size_t target = text.find(".target sm_");
  if (text.find(".version") == std::string::npos || target == std::string::npos) return INVALID_PTX;
  if (std::atoi(text.c_str() + target + 11) > capability()) return NO_BINARY_FOR_GPU;
  *module = new Module{text};
  return SUCCESS;
}

// The kernel of this name, if the module has it and the sources' has the same argument.
int cuModuleGetFunction(const fake_cuda::Kernel** function, Module* module, const char* name) {
  const std::string entry = ".entry " + std::string(name) + "(";
  const size_t at = module->text.find(entry);
  *function = fake_cuda::find(name);
  if (at == std::string::npos || !*function) return NOT_FOUND;
  const size_t size = module->text.find("_param_0[", at);
  if (size == std::string::npos) return INVALID_PTX;
  return std::strtoull(module->text.c_str() + size + 9, nullptr, 10) == (*function)->argument ? SUCCESS : INVALID_PTX;
}

int cuMemAlloc_v2(uintptr_t* at, size_t bytes) {
  static const size_t memory = number("FAKE_CUDA_MEMORY", MEMORY);
  const std::lock_guard<std::mutex> lock(mutex);
  if (const Status status = reach()) return status;
  if (bytes == 0) return INVALID_VALUE;
  if (counts.used + bytes > memory) return OUT_OF_MEMORY;
  counts.used += bytes;
  if (counts.used > counts.peak) counts.peak = counts.used;
  void* block = std::malloc(bytes);
  std::memset(block, 0xff, bytes);  // NaN, in single and in double precision
  *at = reinterpret_cast<uintptr_t>(block);
  blocks[*at] = bytes;
  return SUCCESS;
}

int cuMemFree_v2(uintptr_t at) {
  const std::lock_guard<std::mutex> lock(mutex);
  const auto block = blocks.find(at);
  if (block == blocks.end()) return INVALID_VALUE;
  counts.used -= block->second;
  blocks.erase(block);
  std::free(reinterpret_cast<void*>(at));
  return SUCCESS;
}

int cuMemcpyHtoD_v2(uintptr_t to, const void* from, size_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex);
  if (const Status status = reach()) return status;
  if (!holds(to, bytes)) return INVALID_VALUE;
  ++counts.copies;
  std::memcpy(reinterpret_cast<void*>(to), from, bytes);
  return SUCCESS;
}

int cuMemcpyDtoH_v2(void* to, uintptr_t from, size_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex);
  if (const Status status = reach()) return status;
  if (!holds(from, bytes)) return INVALID_VALUE;
  ++counts.copies;
  std::memcpy(to, reinterpret_cast<const void*>(from), bytes);
  static const bool is_wrong = number("FAKE_CUDA_WRONG", 0) != 0;
  if (is_wrong && bytes >= sizeof(float)) static_cast<uint32_t*>(to)[0] ^= 1u << 20;  // an eighth of a single-precision number
  return SUCCESS;
}

int cuLaunchKernel(const fake_cuda::Kernel* kernel, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                   unsigned block_y, unsigned block_z, unsigned, void*, void** parameters, void** extra) {
  const std::lock_guard<std::mutex> lock(mutex);
  if (const Status status = reach()) return status;
  const bool is_flat = grid_y == 1 && grid_z == 1 && block_y == 1 && block_z == 1;
  if (!is_flat || grid_x == 0 || block_x != static_cast<unsigned>(kernel->threads) || extra) return INVALID_VALUE;
  ++counts.launches;
  fake_cuda::launch(static_cast<int>(grid_x), kernel->threads, [&] { kernel->run(parameters[0]); });
  return SUCCESS;
}

}  // extern "C"
