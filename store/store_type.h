#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "store/hdf5.h"
#include "store/latent_store.h"

// The number types of a store, and what they are to LibTorch and to HDF5.
namespace calotype {

/// Elements as LibTorch holds them on their way: fp32, fp16, bf16, uint8; it
/// has no uint16 and uint32, whose bits travel as int16 and int32.
c10::ScalarType stored_scalar(const std::string& dtype);

Hdf5Type stored_hdf5(const std::string& dtype);

/// Tokens in [0, 2^32) as int64 from their stored bits, and back. Throws
/// DataError for a token that the type does not hold.
at::Tensor tokens_from_bits(const at::Tensor& bits, const std::string& dtype);
at::Tensor tokens_to_bits(const at::Tensor& tokens, const std::string& dtype);

}  // namespace calotype
