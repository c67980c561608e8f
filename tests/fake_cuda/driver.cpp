// libcuda.so.1 of the fake devices: what the program asks of a driver.
//
// FAKE_CUDA_DRIVER: the driver's CUDA version, such as 13000; FAKE_CUDA_FREE: bytes that are free on each device.
#include <cstdio>

#include "settings.h"

namespace {
enum Status { SUCCESS = 0, INVALID_VALUE = 1, INVALID_DEVICE = 101 };
constexpr size_t MEMORY = size_t{80} << 30;
Status known(int device) { return 0 <= device && device < fake_cuda::devices() ? SUCCESS : INVALID_DEVICE; }
}  // namespace

extern "C" {

int cuInit(unsigned) { return SUCCESS; }

int cuDriverGetVersion(int* version) {
  *version = static_cast<int>(fake_cuda::number("FAKE_CUDA_DRIVER", 13000));
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

// 75 and 76 are the compute capability's major and minor number.
int cuDeviceGetAttribute(int* value, int attribute, int device) {
  if (attribute != 75 && attribute != 76) return INVALID_VALUE;
  const int capability = static_cast<int>(fake_cuda::number("FAKE_CUDA_CAPABILITY", 90));
  *value = attribute == 75 ? capability / 10 : capability % 10;
  return known(device);
}

}  // extern "C"
