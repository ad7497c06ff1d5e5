#include "nn/checkpoint_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "core/mapped_file.h"
#include "core/note.h"
#include "core/printable.h"
#include "nn/safetensors_header.h"
#include "nn/torch_file.h"

namespace calotype {
namespace {

struct Magic {
  size_t at;
  std::string_view bytes, what;
};

// What people have under the name of a checkpoint.
constexpr Magic kMagics[] = {
    {0, "version https://git-lfs",
     "a Git LFS pointer, not the file that it stands for; fetch that (git lfs "
     "pull)"},
    {257, "ustar",
     "a tar archive, the format of PyTorch before 0.1.10 if torch.save wrote "
     "it; save it anew with a later one"},
    {0, "\x89HDF", "an HDF5 file"},
    {0, "GGUF", "a GGUF file"},
    {0, "\x93NUMPY", "a NumPy array"},
    {0, "\x1f\x8b", "compressed by gzip; unpack it"},
    {0, "PK", "an empty or damaged zip archive"},
    {0, "{", "JSON, and no index of shards"},
};

bool begins(std::span<const uint8_t> bytes, std::string_view text, size_t at) {
  return bytes.size() >= at + text.size() &&
         std::memcmp(bytes.data() + at, text.data(), text.size()) == 0;
}

/// Of a page such as a login page, which was saved instead.
bool is_web_page(std::span<const uint8_t> bytes) {
  for (const auto byte : bytes)
    if (byte != ' ' && byte != '\n' && byte != '\r' && byte != '\t')
      return byte == '<';
  return false;
}

std::string what_else(std::span<const uint8_t> bytes) {
  if (bytes.empty()) return "empty; fetch it again";
  if (is_web_page(bytes))
    return "a page of a web site (HTML or XML), not the file that was meant; "
           "fetch it again";
  for (const auto& magic : kMagics)
    if (begins(bytes, magic.bytes, magic.at)) return std::string(magic.what);
  return "neither safetensors nor a file of torch.save's";
}

CheckpointContent read_safetensors_content(std::span<const uint8_t> bytes,
                                           const std::string& where) {
  const auto header = read_safetensors_header(
      [&](uint64_t offset, void* to, uint64_t size) {
        if (size > 0) std::memcpy(to, bytes.data() + offset, size);
      },
      bytes.size(), where);
  CheckpointContent content;
  content.format = "safetensors";
  content.beside = Json::object();
  for (const auto& [key, text] : header.metadata) content.beside[key] = text;
  for (const auto& entry : header.entries)
    content.tensors.emplace(
        entry.name, StoredTensor{.type = entry.type,
                                 .shape = entry.shape,
                                 .strides = row_major(entry.shape),
                                 .elements = bytes.subspan(
                                     size_t(header.tensors_begin + entry.begin),
                                     size_t(entry.end - entry.begin))});
  content.state_dicts.push_back({"", content.tensors});
  return content;
}

}  // namespace

CheckpointContent read_checkpoint(std::span<const uint8_t> bytes,
                                  const std::string& where) {
  if (is_safetensors(bytes)) return read_safetensors_content(bytes, where);
  if (is_torch_zip(bytes)) return read_torch_zip(bytes, where);
  if (is_torch_legacy(bytes)) return read_torch_legacy(bytes, where);
  throw DataError(
      fmt::format("{}: no checkpoint: it is {}", where, what_else(bytes)));
}

CheckpointFile open_checkpoint_file(const std::filesystem::path& path) {
  const auto file = std::make_shared<MappedFile>(path);
  auto content = read_checkpoint(file->bytes(), path.string());
  if (content.lacks_checksums)
    note(path.string() +
         ": was written without checksums: damage to its numbers would not "
         "show");
  return {std::move(content), file};
}

}  // namespace calotype
