// CUDA devices made of host memory, for tests: built as libtorch_cuda.so, it takes the place of libtorch's.
//
// Every operator of the CUDA dispatch key runs on the CPU. As on a GPU, operands on two devices are an error, memory
// comes uninitialised (filled with NaN) and runs out, and after some failures the process cannot use its device again.
// What a GPU's time hangs on is counted: launches of kernels, and copies that the host waits for. Not like a GPU: the
// kernels themselves, and everything happens at once.
//
// FAKE_CUDA_MEMORY: bytes of a device; FAKE_CUDA_BREAK: launches after which every call fails; FAKE_CUDA_REPORT: a file
// for the counts, written when the process ends, and for whether matrix products may round to TF32.
#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/EmptyTensor.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/native/CPUFallback.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/view_native.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/library.h>

#include <atomic>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "settings.h"

namespace {

using fake_cuda::number;

// Counts, and what breaks.

struct Counts {
  std::atomic<size_t> launches{0}, blocking_copies{0}, queued_copies{0}, used{0}, peak{0};
  std::mutex mutex;
  std::map<std::string, size_t> by_operator;

  std::atomic<bool> tf32{false};

  void launch(const std::string& name) {
    if (launches++ == 0) tf32 = at::globalContext().allowTF32CuBLAS();
    const std::lock_guard<std::mutex> lock(mutex);
    ++by_operator[name];
  }

  ~Counts() {
    const char* path = std::getenv("FAKE_CUDA_REPORT");
    if (!path) return;
    std::ofstream file(path, std::ios::app);
    file << "launches " << launches << "\nblocking_copies " << blocking_copies << "\nqueued_copies " << queued_copies
         << "\npeak " << peak << "\ntf32 " << tf32 << "\n";
    for (const auto& [name, count] : by_operator) file << name << " " << count << "\n";
  }
} counts;

// An error that stays, like an uncorrectable one of the memory: every call that reaches the device fails from then on.
void reach_device() {
  static const size_t limit = number("FAKE_CUDA_BREAK", SIZE_MAX);
  TORCH_CHECK(counts.launches < limit, "CUDA error: uncorrectable ECC error encountered");
}

// Memory.

thread_local c10::DeviceIndex current_device = 0;

// Blocks know their size: it stands in front of them.
constexpr size_t HEADER = 64;

struct DeviceMemory final : c10::Allocator {
  static void release(void* data) {
    if (!data) return;
    char* block = static_cast<char*>(data) - HEADER;
    counts.used -= *reinterpret_cast<size_t*>(block);
    std::free(block);
  }

  c10::DataPtr allocate(size_t bytes) override {
    static const size_t memory = number("FAKE_CUDA_MEMORY", SIZE_MAX);
    reach_device();
    TORCH_CHECK_WITH(OutOfMemoryError, counts.used + bytes <= memory, "CUDA out of memory. Tried to allocate ", bytes,
                     " bytes. The fake device has ", memory, " bytes, of which ", counts.used.load(), " are in use.");
    const size_t used = counts.used += bytes;
    size_t peak = counts.peak;
    while (used > peak && !counts.peak.compare_exchange_weak(peak, used)) {
    }
    char* block = static_cast<char*>(std::aligned_alloc(HEADER, HEADER + (bytes + HEADER - 1) / HEADER * HEADER));
    *reinterpret_cast<size_t*>(block) = bytes;
    std::memset(block + HEADER, 0xff, bytes);  // NaN, in single and in double precision
    return {block + HEADER, block + HEADER, &release, c10::Device(c10::kCUDA, current_device)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, size_t bytes) const override { std::memcpy(to, from, bytes); }
} device_memory;

// Page-locked memory of the host, the only one that a device fetches by itself.
struct PinnedMemory final : c10::Allocator {
  static inline std::mutex mutex;
  static inline std::set<std::pair<const char*, const char*>> blocks;  // end and start

  static void release(void* data) {
    if (!data) return;
    const std::lock_guard<std::mutex> lock(mutex);
    const auto block = blocks.upper_bound({static_cast<const char*>(data), nullptr});
    if (block != blocks.end()) blocks.erase(block);
    std::free(data);
  }

  c10::DataPtr allocate(size_t bytes) override {
    const size_t whole = (bytes / HEADER + 1) * HEADER;
    char* data = static_cast<char*>(std::aligned_alloc(HEADER, whole));
    const std::lock_guard<std::mutex> lock(mutex);
    blocks.insert({data + whole, data});
    return {data, data, &release, c10::Device(c10::kCPU)};
  }

  static bool holds(const void* data) {
    const auto* place = static_cast<const char*>(data);
    const std::lock_guard<std::mutex> lock(mutex);
    const auto block = blocks.upper_bound({place + 1, nullptr});
    return block != blocks.end() && block->second <= place;
  }

  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, size_t bytes) const override { std::memcpy(to, from, bytes); }
} pinned_memory;

// Devices: each has one stream, and whatever is put on it has happened.

struct Guard final : c10::impl::DeviceGuardImplInterface {
  c10::DeviceType type() const override { return c10::kCUDA; }
  c10::Device getDevice() const override { return {c10::kCUDA, current_device}; }
  void setDevice(c10::Device device) const override {
    TORCH_CHECK(device.index() < deviceCount(), "CUDA error: invalid device ordinal");
    uncheckedSetDevice(device);
  }
  void uncheckedSetDevice(c10::Device device) const noexcept override {
    if (device.has_index()) current_device = device.index();
  }
  c10::Device exchangeDevice(c10::Device device) const override {
    const c10::Device before = getDevice();
    setDevice(device);
    return before;
  }
  c10::DeviceIndex deviceCount() const noexcept override { return static_cast<c10::DeviceIndex>(fake_cuda::devices()); }
  c10::Stream getStream(c10::Device device) const override { return c10::Stream(c10::Stream::DEFAULT, device); }
  c10::Stream getDefaultStream(c10::Device device) const override { return getStream(device); }
  c10::Stream exchangeStream(c10::Stream stream) const override { return stream; }
  void record(void** event, const c10::Stream&, c10::DeviceIndex, c10::EventFlag) const override {
    static int happened;
    *event = &happened;
  }
  void block(void*, const c10::Stream&) const override {}
  bool queryEvent(void*) const override { return true; }
  bool queryStream(const c10::Stream&) const override { return true; }
  void synchronizeStream(const c10::Stream&) const override { reach_device(); }
  void synchronizeDevice(c10::DeviceIndex) const override { reach_device(); }
};
C10_REGISTER_GUARD_IMPL(CUDA, Guard);

struct CUDAHooks final : at::CUDAHooksInterface {
  explicit CUDAHooks(at::CUDAHooksArgs) {}
  void init() const override {}
  bool hasCUDA() const override { return true; }
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return getNumGPUs() > 0; }
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
  int getNumGPUs() const override { return fake_cuda::devices(); }
  c10::DeviceIndex deviceCount() const override { return static_cast<c10::DeviceIndex>(getNumGPUs()); }
  c10::DeviceIndex current_device() const override { return ::current_device; }
  c10::DeviceIndex getCurrentDevice() const override { return ::current_device; }
  bool isPinnedPtr(const void* data) const override { return PinnedMemory::holds(data); }
  c10::Allocator* getPinnedMemoryAllocator() const override { return &pinned_memory; }
  c10::Allocator* getCUDADeviceAllocator() const override { return &device_memory; }
  void deviceSynchronize(c10::DeviceIndex) const override {
    reach_device();
    ++counts.blocking_copies;  // the host waits, which is what counts
  }
};

}  // namespace

namespace at {
using ::CUDAHooks;
REGISTER_CUDA_HOOKS(CUDAHooks)
}  // namespace at

namespace {

// Operators that make, look at and copy memory; all others run on the CPU, below.

constexpr c10::DispatchKeySet CUDA_KEY(c10::DispatchKey::CUDA);

// Within an operator that runs on the CPU: copies are not the program's.
thread_local bool inside_operator = false;

struct Inside {
  const bool before = std::exchange(inside_operator, true);
  ~Inside() { inside_operator = before; }
};

using Device = std::optional<at::Device>;

at::Tensor empty(at::IntArrayRef sizes, std::optional<at::ScalarType> type, std::optional<at::Layout>, Device device,
                 std::optional<bool>, std::optional<at::MemoryFormat> format) {
  const c10::OptionalDeviceGuard guard(device);
  return at::detail::empty_generic(sizes, &device_memory, CUDA_KEY, type.value_or(at::kFloat), format);
}

at::Tensor empty_strided(at::IntArrayRef sizes, at::IntArrayRef strides, std::optional<at::ScalarType> type,
                         std::optional<at::Layout>, Device device, std::optional<bool>) {
  const c10::OptionalDeviceGuard guard(device);
  return at::detail::empty_strided_generic(sizes, strides, &device_memory, CUDA_KEY, type.value_or(at::kFloat));
}

void give_memory(const at::Tensor& tensor, at::IntArrayRef sizes) {
  size_t bytes = tensor.element_size();
  for (const int64_t size : sizes) bytes *= static_cast<size_t>(size);
  const c10::DeviceGuard guard(tensor.device());
  tensor.storage().set_data_ptr_noswap(device_memory.allocate(bytes));
  tensor.storage().set_nbytes(bytes);
  tensor.unsafeGetTensorImpl()->set_sizes_contiguous(sizes);
}

const at::Tensor& resize_(const at::Tensor& self, at::IntArrayRef sizes, std::optional<at::MemoryFormat>) {
  if (self.sizes() != sizes) give_memory(self, sizes);
  return self;
}

// The same memory as a tensor of the CPU.
at::Tensor host_view(const at::Tensor& tensor) {
  if (!tensor.defined() || tensor.is_cpu()) return tensor;
  const auto options = at::TensorOptions().dtype(tensor.dtype()).device(at::kCPU);
  void* data = const_cast<void*>(tensor.const_data_ptr());
  return at::for_blob(data, tensor.sizes()).strides(tensor.strides()).options(options).target_device(at::kCPU).make_tensor();
}

at::Tensor& copy_(at::Tensor& self, const at::Tensor& source, bool non_blocking) {
  reach_device();
  if (!inside_operator) {
    const at::Tensor& host = self.is_cpu() ? self : source;
    if (self.device() == source.device()) {
      counts.launch("aten::copy_");
    } else if (non_blocking && host.is_cpu() && PinnedMemory::holds(host.const_data_ptr())) {
      ++counts.queued_copies;
    } else {
      ++counts.blocking_copies;
    }
  }
  const at::AutoDispatchBelowADInplaceOrView below;
  host_view(self).copy_(host_view(source));
  return self;
}

at::Tensor copy_from(const at::Tensor& self, const at::Tensor& to, bool) {
  const at::AutoDispatchBelowADInplaceOrView below;
  host_view(to).copy_(host_view(self));
  return to;
}

at::Tensor copy_from_and_resize(const at::Tensor& self, const at::Tensor& to) {
  if (to.sizes() != self.sizes()) give_memory(to, self.sizes());
  return copy_from(self, to, false);
}

using Optional = const std::optional<at::Tensor>&;

// The running statistics change, which the operator's schema does not say, so that the way below would lose them.
std::tuple<at::Tensor, at::Tensor, at::Tensor> native_batch_norm(const at::Tensor& input, Optional weight, Optional bias,
                                                                 Optional mean, Optional var, bool training,
                                                                 double momentum, double epsilon) {
  reach_device();
  counts.launch("aten::native_batch_norm");
  const Inside inside;
  const auto host = [](Optional tensor) { return tensor ? std::optional(host_view(*tensor)) : std::nullopt; };
  const at::AutoDispatchBelowADInplaceOrView below;
  const auto [out, saved_mean, saved_deviation] = at::native_batch_norm(
      host_view(input), host(weight), host(bias), host(mean), host(var), training, momentum, epsilon);
  const auto back = [&](const at::Tensor& tensor) { return tensor.to(input.device()); };
  return {back(out), back(saved_mean), back(saved_deviation)};
}

// All other operators.

void check_devices(const c10::OperatorHandle& op, const torch::jit::Stack& stack) {
  std::optional<at::Device> common;
  const auto see = [&](const at::Tensor& tensor) {
    if (!tensor.defined() || (tensor.is_cpu() && tensor.dim() == 0)) return;
    TORCH_CHECK(!common || *common == tensor.device(), "Expected all tensors to be on the same device, but found ",
                *common, " and ", tensor.device(), " in ", op.schema().name());
    common = tensor.device();
  };
  for (const auto& value : torch::jit::last(stack, op.schema().arguments().size())) {
    if (value.isTensor()) see(value.toTensor());
    if (value.isTensorList()) {
      for (const at::Tensor& tensor : value.toTensorList()) see(tensor);
    }
  }
}

void on_the_cpu(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  check_devices(op, *stack);
  reach_device();
  const std::string& name = op.schema().name();
  counts.launch(name);
  if (name == "aten::_local_scalar_dense") ++counts.blocking_copies;
  const Inside inside;
  at::native::cpu_fallback(op, stack, false);
}

}  // namespace

TORCH_LIBRARY_IMPL(_, CUDA, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&on_the_cpu>());
}

TORCH_LIBRARY_IMPL(aten, CUDA, library) {
  library.impl("empty.memory_format", empty);
  library.impl("empty_strided", empty_strided);
  library.impl("resize_", resize_);
  library.impl("copy_", copy_);
  library.impl("_copy_from", copy_from);
  library.impl("_copy_from_and_resize", copy_from_and_resize);
  library.impl("native_batch_norm", native_batch_norm);
  library.impl("as_strided", at::native::as_strided_tensorimpl);
  library.impl("view", at::native::view);
  library.impl("_reshape_alias", at::native::_reshape_alias);
}
