#include "nn/tensor_reader.h"

#include <ATen/Functions.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

namespace calotype {
namespace {

/// Numbers of 8 bits (arXiv:2209.05433, table 1): sign, exponent, fraction.
/// e4m3 has one NaN of either sign and no infinity.
float float_of_8_bits(uint8_t bits, int fraction_bits) {
  const bool is_e4m3 = fraction_bits == 3;
  const int bias = is_e4m3 ? 7 : 15;
  const int exponent = (bits & 0x7f) >> fraction_bits;
  const int fraction = bits & ((1 << fraction_bits) - 1);
  const float sign = bits & 0x80 ? -1.f : 1.f;
  if (is_e4m3 && (bits & 0x7f) == 0x7f)
    return std::numeric_limits<float>::quiet_NaN();
  if (!is_e4m3 && exponent == 31)
    return fraction ? std::numeric_limits<float>::quiet_NaN()
                    : sign * std::numeric_limits<float>::infinity();
  const int mantissa =
      exponent == 0 ? fraction : fraction + (1 << fraction_bits);
  return sign * std::ldexp(float(mantissa),
                           std::max(exponent, 1) - bias - fraction_bits);
}

void copy_element(const uint8_t* from, uint8_t* to, size_t size,
                  bool big_endian) {
  if (!big_endian) {
    std::memcpy(to, from, size);
    return;
  }
  for (size_t i = 0; i < size; ++i) to[i] = from[size - 1 - i];
}

/// Visits the elements in row-major order: visit(byte of the first element).
template <class Visit>
void for_each_element(const StoredTensor& stored, Visit&& visit) {
  const auto size = size_bytes(stored.type);
  const auto count = stored.num_elements();
  std::vector<int64_t> index(stored.shape.size(), 0);
  int64_t at = 0;
  for (int64_t n = 0; n < count; ++n) {
    visit(stored.elements.data() + uint64_t(at) * size);
    for (size_t d = index.size(); d-- > 0;) {
      at += stored.strides[d];
      if (++index[d] < stored.shape[d]) break;
      at -= stored.strides[d] * stored.shape[d];
      index[d] = 0;
    }
  }
}

}  // namespace

at::ScalarType scalar_type(ElementType type) {
  switch (type) {
    case ElementType::kF64:
      return at::kDouble;
    case ElementType::kF16:
      return at::kHalf;
    case ElementType::kBF16:
      return at::kBFloat16;
    case ElementType::kI64:
      return at::kLong;
    case ElementType::kI32:
      return at::kInt;
    case ElementType::kI16:
      return at::kShort;
    case ElementType::kI8:
      return at::kChar;
    case ElementType::kU8:
      return at::kByte;
    case ElementType::kBool:
      return at::kBool;
    case ElementType::kF32:
    case ElementType::kF8E4M3:
    case ElementType::kF8E5M2:
      break;
  }
  return at::kFloat;
}

at::Tensor read_tensor(const StoredTensor& stored) {
  auto tensor = at::empty(stored.shape, scalar_type(stored.type));
  if (tensor.numel() == 0) return tensor;
  auto* to = static_cast<uint8_t*>(tensor.data_ptr());
  if (stored.type == ElementType::kF8E4M3 ||
      stored.type == ElementType::kF8E5M2) {
    const int fraction_bits = stored.type == ElementType::kF8E4M3 ? 3 : 2;
    auto* numbers = static_cast<float*>(tensor.data_ptr());
    for_each_element(stored, [&](const uint8_t* from) {
      *numbers++ = float_of_8_bits(*from, fraction_bits);
    });
  } else if (stored.is_contiguous() && !stored.big_endian) {
    std::memcpy(to, stored.elements.data(), tensor.nbytes());
  } else {
    const auto size = size_bytes(stored.type);
    for_each_element(stored, [&](const uint8_t* from) {
      copy_element(from, to, size, stored.big_endian);
      to += size;
    });
  }
  // A byte that is neither 0 nor 1 is no bool to a compiler.
  if (stored.type == ElementType::kBool) {
    auto* flags = static_cast<uint8_t*>(tensor.data_ptr());
    for (int64_t i = 0; i < tensor.numel(); ++i) flags[i] = flags[i] != 0;
  }
  return tensor;
}

}  // namespace calotype
