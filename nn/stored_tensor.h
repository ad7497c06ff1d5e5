#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

// A tensor as a file holds it, not read yet. Knows nothing of LibTorch.
namespace calotype {

/// The types of numbers that are read, by safetensors' names.
enum class ElementType : uint8_t {
  kF64,
  kF32,
  kF16,
  kBF16,
  kF8E4M3,  // e4m3fn: no infinities
  kF8E5M2,
  kI64,
  kI32,
  kI16,
  kI8,
  kU8,
  kBool
};

/// Bytes of one element.
uint64_t size_bytes(ElementType type);

/// "F32", as in the header of a safetensors file, and back.
std::string_view name_of(ElementType type);
std::optional<ElementType> element_type(std::string_view name);

/// Where a tensor's elements lie. Element (i, j, ...) is at
/// i * strides[0] + j * strides[1] + ... elements from the first byte of
/// `elements`, and inside: whoever makes one has checked that.
struct StoredTensor {
  ElementType type = ElementType::kF32;
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;  // >= 0, in elements; as many as `shape`
  std::span<const uint8_t> elements;
  bool big_endian = false;

  /// Product of the shape; 1 of a scalar.
  int64_t num_elements() const;
  /// Whether the elements lie one after the other in row-major order.
  bool is_contiguous() const;
};

/// Strides of elements in row-major order.
std::vector<int64_t> row_major(const std::vector<int64_t>& shape);

/// Of a shape, or nothing where one is negative or their product times
/// `element_size` leaves 63 bits.
std::optional<uint64_t> checked_bytes(const std::vector<int64_t>& shape,
                                      uint64_t element_size);

}  // namespace calotype
