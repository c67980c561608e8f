// What the environment says about the fake CUDA devices.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace fake_cuda {

inline size_t number(const char* name, size_t otherwise) {
  const char* text = std::getenv(name);
  return text && *text ? std::strtoull(text, nullptr, 10) : otherwise;
}

// FAKE_CUDA_DEVICES of them are in the machine; CUDA_VISIBLE_DEVICES lists those that a process may see.
inline int devices() {
  const int all = static_cast<int>(number("FAKE_CUDA_DEVICES", 1));
  const char* list = std::getenv("CUDA_VISIBLE_DEVICES");
  if (!list) return all;
  int listed = *list ? 1 : 0;
  for (; *list; ++list) listed += *list == ',';
  return listed < all ? listed : all;
}

}  // namespace fake_cuda
