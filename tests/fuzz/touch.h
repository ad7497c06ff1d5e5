#pragma once

#include <cstdint>
#include <span>

#include "nn/stored_tensor.h"

namespace calotype {

/// Ends the program unless all elements of a tensor lie in `bytes`.
inline void touch(const StoredTensor& tensor, std::span<const uint8_t> bytes) {
  if (tensor.shape.size() != tensor.strides.size()) __builtin_trap();
  if (tensor.num_elements() == 0) return;
  uint64_t last = 0;
  for (size_t d = 0; d < tensor.shape.size(); ++d) {
    if (tensor.shape[d] < 1 || tensor.strides[d] < 0) __builtin_trap();
    last += uint64_t(tensor.shape[d] - 1) * uint64_t(tensor.strides[d]);
  }
  const auto end = (last + 1) * size_bytes(tensor.type);
  if (end > tensor.elements.size()) __builtin_trap();
  const auto* begin = tensor.elements.data();
  if (begin < bytes.data() || begin + end > bytes.data() + bytes.size())
    __builtin_trap();
}

}  // namespace calotype
