#include "nn/checkpoint.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "nn/checkpoint_file.h"
#include "nn/safetensors_header.h"
#include "nn/weight_files.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

/// JSON, as an index of shards is.
bool is_index(const fs::path& path) {
  const auto head = read_file_head(path, 16);
  return !head.empty() && head[0] == '{' && !is_safetensors(head);
}

}  // namespace

Checkpoint Checkpoint::open(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored))
    throw ConfigError(path.string() + ": no such file");
  const auto files = fs::is_directory(path) ? find_weights(path)
                     : is_index(path)       ? weights_of_index(path)
                                            : WeightFiles{.path = path};
  Checkpoint checkpoint;
  checkpoint.path_ = path;
  if (files.shards.empty()) {
    auto file = open_checkpoint_file(files.path);
    checkpoint.content_ = std::move(file.content);
    checkpoint.files_.push_back(std::move(file.bytes));
    return checkpoint;
  }
  auto& content = checkpoint.content_;
  ShardNames names(files);
  content.state_dicts.emplace_back();
  for (const auto& shard : files.shards) {
    auto file = open_checkpoint_file(shard);
    content.format =
        fmt::format("{}, {} shards", file.content.format, files.shards.size());
    for (auto& [name, tensor] : file.content.state_dicts.front().tensors) {
      if (names.add(name, shard))
        content.tensors.emplace(name, std::move(tensor));
    }
    for (auto& tensor : file.content.left_out)
      content.left_out.push_back(std::move(tensor));
    checkpoint.files_.push_back(std::move(file.bytes));
  }
  names.check();
  content.state_dicts.front().tensors = content.tensors;
  content.beside = Json::object();
  return checkpoint;
}

const StateDict& Checkpoint::state_dict(const std::string& wrapper) const {
  std::vector<std::string> known;
  for (const auto& state_dict : state_dicts()) {
    if (state_dict.wrapper == wrapper) return state_dict;
    known.push_back(state_dict.wrapper.empty() ? "the whole file"
                                               : state_dict.wrapper);
  }
  throw ConfigError(fmt::format("{}: holds no {}, but {}", path_.string(),
                                wrapper, fmt::join(known, ", ")));
}

TensorFile Checkpoint::read(const StateDict& state_dict) {
  TensorFile file;
  for (const auto& [name, tensor] : state_dict.tensors)
    file.tensors.emplace(name, read_tensor(tensor));
  return file;
}

TensorFile read_state_dict(const fs::path& path) {
  // Safetensors come straight from the file, and through pipes.
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored) ||
      is_safetensors(read_file_head(path, 16)))
    return read_safetensors(path);
  const auto file = open_checkpoint_file(path);
  return Checkpoint::read(file.content.state_dicts.front());
}

}  // namespace calotype
