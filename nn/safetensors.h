#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

// The safetensors format: an 8-byte length, a JSON header, then raw tensors.
namespace calotype {

/// Tensors by name, sorted, with the free-text metadata of the header. What
/// others put there that is no text is read as its JSON.
struct TensorFile {
  std::map<std::string, at::Tensor> tensors;
  std::map<std::string, std::string> metadata;
};

/// Reads a whole file, each tensor straight into memory of its own. Strict:
/// header of at most 100 MB, no duplicate keys, offsets that tile the buffer
/// without gap or overlap, sizes that match shape and type. F64 F32 F16 BF16
/// I64 I32 I16 I8 U8 BOOL. Throws DataError otherwise.
TensorFile read_safetensors(const std::filesystem::path& path);

/// The same of bytes that are in memory; `where` leads messages.
TensorFile parse_safetensors(std::span<const uint8_t> bytes,
                             const std::string& where);

/// Writes atomically, tensor by tensor, each made contiguous and moved to the
/// CPU where it is not: the file is never in memory.
void write_safetensors(const std::filesystem::path& path,
                       const TensorFile& file);

}  // namespace calotype
