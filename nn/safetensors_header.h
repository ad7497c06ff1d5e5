#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "nn/stored_tensor.h"

namespace calotype {

/// Where one tensor of a safetensors file lies, as the header says.
struct SafetensorsEntry {
  std::string name;
  ElementType type = ElementType::kF32;
  std::vector<int64_t> shape;
  uint64_t begin = 0, end = 0;  // bytes from `tensors_begin` on
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  // in the order of their bytes
  std::map<std::string, std::string> metadata;
  uint64_t tensors_begin = 0;  // in the file
};

/// Copies `size` bytes from `offset` on to `to`.
using SafetensorsBytes =
    std::function<void(uint64_t offset, void* to, uint64_t size)>;

/// The header of a file of `size_bytes`. Strict, as read_safetensors says
/// (nn/safetensors.h). Throws DataError, in the name of `where`.
SafetensorsHeader read_safetensors_header(const SafetensorsBytes& bytes_at,
                                          uint64_t size_bytes,
                                          const std::string& where);

/// Whether bytes begin as a safetensors file does, truncated ones included.
bool is_safetensors(std::span<const uint8_t> bytes);

}  // namespace calotype
