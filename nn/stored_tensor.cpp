#include "nn/stored_tensor.h"

#include <array>
#include <cstddef>

namespace calotype {
namespace {

struct TypeEntry {
  std::string_view name;
  uint64_t size_bytes;
};

// In the order of the enumeration.
constexpr std::array<TypeEntry, 12> kElementTypes{{{"F64", 8},
                                                   {"F32", 4},
                                                   {"F16", 2},
                                                   {"BF16", 2},
                                                   {"F8_E4M3", 1},
                                                   {"F8_E5M2", 1},
                                                   {"I64", 8},
                                                   {"I32", 4},
                                                   {"I16", 2},
                                                   {"I8", 1},
                                                   {"U8", 1},
                                                   {"BOOL", 1}}};

}  // namespace

uint64_t size_bytes(ElementType type) {
  return kElementTypes[size_t(type)].size_bytes;
}

std::string_view name_of(ElementType type) {
  return kElementTypes[size_t(type)].name;
}

std::optional<ElementType> element_type(std::string_view name) {
  for (size_t i = 0; i < kElementTypes.size(); ++i)
    if (kElementTypes[i].name == name) return ElementType(i);
  return {};
}

int64_t StoredTensor::num_elements() const {
  int64_t product = 1;
  for (const auto size : shape) product *= size;
  return product;
}

bool StoredTensor::is_contiguous() const {
  if (num_elements() == 0) return true;
  const auto expected = row_major(shape);
  for (size_t i = 0; i < shape.size(); ++i)
    if (shape[i] != 1 && strides[i] != expected[i]) return false;
  return true;
}

std::vector<int64_t> row_major(const std::vector<int64_t>& shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;)
    strides[i - 1] = strides[i] * (shape[i] > 0 ? shape[i] : 1);
  return strides;
}

std::optional<uint64_t> checked_bytes(const std::vector<int64_t>& shape,
                                      uint64_t element_size) {
  int64_t bytes = int64_t(element_size), sizes = 1;
  for (const auto size : shape) {
    if (size < 0 || __builtin_mul_overflow(bytes, size, &bytes)) return {};
    // What is empty may still not be larger than anything in one direction.
    if (size > 0 && __builtin_mul_overflow(sizes, size, &sizes)) return {};
  }
  return uint64_t(bytes);
}

}  // namespace calotype
