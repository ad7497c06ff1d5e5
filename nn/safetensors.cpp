#include "nn/safetensors.h"

#include <ATen/Functions.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>

#include "core/config.h"
#include "core/error.h"
#include "core/file_parts.h"
#include "core/files.h"
#include "nn/safetensors_header.h"

namespace calotype {
namespace {

constexpr size_t kAlignment = 8;  // of the first tensor's bytes

struct TypeName {
  const char* name;
  at::ScalarType type;
};

constexpr std::array<TypeName, 10> kTypes{{{"F64", at::kDouble},
                                           {"F32", at::kFloat},
                                           {"F16", at::kHalf},
                                           {"BF16", at::kBFloat16},
                                           {"I64", at::kLong},
                                           {"I32", at::kInt},
                                           {"I16", at::kShort},
                                           {"I8", at::kChar},
                                           {"U8", at::kByte},
                                           {"BOOL", at::kBool}}};

const char* type_name(at::ScalarType type) {
  for (const auto& known : kTypes)
    if (known.type == type) return known.name;
  throw ShapeError(
      fmt::format("safetensors: cannot hold {}", c10::toString(type)));
}

/// Each tensor is read straight into its memory.
TensorFile read_tensors(const SafetensorsBytes& read, uint64_t size_bytes,
                        const std::string& where) {
  const auto header = read_safetensors_header(read, size_bytes, where);
  TensorFile file{.tensors = {}, .metadata = header.metadata};
  for (const auto& entry : header.entries) {
    const auto known = std::find_if(
        kTypes.begin(), kTypes.end(),
        [&](const auto& type) { return name_of(entry.type) == type.name; });
    if (known == kTypes.end())
      throw DataError(fmt::format("{}: {}: unknown dtype {}", where, entry.name,
                                  name_of(entry.type)));
    auto tensor = at::empty(entry.shape, known->type);
    if (entry.end > entry.begin)
      read(header.tensors_begin + entry.begin, tensor.data_ptr(),
           entry.end - entry.begin);
    file.tensors.emplace(entry.name, std::move(tensor));
  }
  return file;
}

}  // namespace

TensorFile read_safetensors(const std::filesystem::path& path) {
  std::error_code ignored;
  std::ifstream file;
  if (std::filesystem::is_regular_file(path, ignored))
    file.open(path, std::ios::binary | std::ios::ate);
  // What has no size, and the message where there is nothing to open.
  if (!file.is_open()) return parse_safetensors(read_file(path), path.string());
  const auto size_bytes = uint64_t(file.tellg());
  return read_tensors(
      [&](uint64_t offset, void* to, uint64_t size) {
        file.seekg(std::streamoff(offset));
        if (!file.read(static_cast<char*>(to), std::streamsize(size)))
          throw DataError(path.string() + ": reading broke off");
      },
      size_bytes, path.string());
}

TensorFile parse_safetensors(std::span<const uint8_t> bytes,
                             const std::string& where) {
  return read_tensors(
      [&](uint64_t offset, void* to, uint64_t size) {
        if (size > 0) std::memcpy(to, bytes.data() + offset, size);
      },
      bytes.size(), where);
}

void write_safetensors(const std::filesystem::path& path,
                       const TensorFile& file) {
  Json header = Json::object();
  if (!file.metadata.empty()) header["__metadata__"] = file.metadata;
  uint64_t at = 0;
  for (const auto& [name, tensor] : file.tensors) {
    const uint64_t end = at + tensor.nbytes();
    header[name] = {{"dtype", type_name(tensor.scalar_type())},
                    {"shape", tensor.sizes().vec()},
                    {"data_offsets", {at, end}}};
    at = end;
  }
  auto text = json_text(header);
  text.append((kAlignment - text.size() % kAlignment) % kAlignment, ' ');
  const uint64_t header_bytes = text.size();

  write_parts_atomic(path, [&](const PartSink& sink) {
    const auto put = [&](const void* data, size_t size) {
      sink({static_cast<const uint8_t*>(data), size});
    };
    put(&header_bytes, sizeof header_bytes);
    put(text.data(), text.size());
    for (const auto& [name, tensor] : file.tensors) {
      const auto values = tensor.detach().to(at::kCPU).contiguous();
      put(values.data_ptr(), values.nbytes());
    }
  });
}

}  // namespace calotype
