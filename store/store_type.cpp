#include "store/store_type.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/error.h"
#include "core/runtime.h"

namespace calotype {
namespace {

int64_t largest_token(const std::string& dtype) {
  if (dtype == "uint8") return 0xff;
  return dtype == "uint16" ? 0xffff : 0xffff'ffff;
}

}  // namespace

c10::ScalarType stored_scalar(const std::string& dtype) {
  if (dtype == "uint8") return at::kByte;
  if (dtype == "uint16") return at::kShort;
  if (dtype == "uint32") return at::kInt;
  return parse_dtype(dtype);
}

Hdf5Type stored_hdf5(const std::string& dtype) {
  if (dtype == "fp16") return Hdf5Type::kFloat16;
  if (dtype == "bf16") return Hdf5Type::kBfloat16;
  if (dtype == "uint8") return Hdf5Type::kUint8;
  if (dtype == "uint16") return Hdf5Type::kUint16;
  if (dtype == "uint32") return Hdf5Type::kUint32;
  return Hdf5Type::kFloat32;
}

std::string token_dtype(int64_t num_codes) {
  if (num_codes <= 1 << 8) return "uint8";
  return num_codes <= 1 << 16 ? "uint16" : "uint32";
}

at::Tensor tokens_from_bits(const at::Tensor& bits, const std::string& dtype) {
  return bits.to(at::kLong).bitwise_and(largest_token(dtype));
}

at::Tensor tokens_to_bits(const at::Tensor& tokens, const std::string& dtype) {
  const auto whole = tokens.to(at::kCPU, at::kLong).contiguous();
  const auto lowest = whole.min().item<int64_t>();
  const auto highest = whole.max().item<int64_t>();
  if (lowest < 0 || highest > largest_token(dtype))
    throw DataError(fmt::format("token store: {} does not fit {}",
                                lowest < 0 ? lowest : highest, dtype));
  return whole.to(stored_scalar(dtype));
}

}  // namespace calotype
