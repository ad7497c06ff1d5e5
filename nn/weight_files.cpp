#include "nn/weight_files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "core/config.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/note.h"
#include "nn/checkpoint.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStem = "diffusion_pytorch_model";
constexpr std::string_view kWeights = ".safetensors";
constexpr std::string_view kIndex = ".safetensors.index";
constexpr std::string_view kJson = ".json";
constexpr std::string_view kPickle = ".bin";
constexpr std::string_view kPickleIndex = ".bin.index";

/// "fp16" of ".fp16", "" of "": the name of a variant between two parts of a
/// file's name.
std::optional<std::string> variant_of(std::string_view text) {
  if (text.empty()) return "";
  if (text[0] != '.' || text.size() == 1 ||
      text.find_first_of(".-", 1) != std::string_view::npos)
    return {};
  return std::string(text.substr(1));
}

std::optional<std::string_view> between(std::string_view text,
                                        std::string_view prefix,
                                        std::string_view suffix) {
  if (text.size() < prefix.size() + suffix.size() ||
      !text.starts_with(prefix) || !text.ends_with(suffix))
    return {};
  text.remove_prefix(prefix.size());
  text.remove_suffix(suffix.size());
  return text;
}

/// A file that holds a model's weights or lists those that do; those to be
/// preferred come first.
struct Candidate {
  bool is_pickle = false;
  int rank = 0;  // of the variant: none, fp16, bf16, others
  std::string variant;
  bool is_index = false;
  std::string name;

  auto operator<=>(const Candidate&) const = default;
};

/// `name` as one of the files that end with `weights`, or their index.
std::optional<Candidate> candidate(const std::string& name,
                                   std::string_view weights,
                                   std::string_view index) {
  const auto made = [&](std::string_view middle,
                        bool is_index) -> std::optional<Candidate> {
    const auto variant = variant_of(middle);
    if (!variant) return {};
    const int rank = variant->empty()     ? 0
                     : *variant == "fp16" ? 1
                     : *variant == "bf16" ? 2
                                          : 3;
    return Candidate{weights == kPickle, rank, *variant, is_index, name};
  };
  const std::string before_index = std::string(kStem) + std::string(index);
  const std::string index_end = std::string(index) + std::string(kJson);
  if (const auto middle = between(name, kStem, weights))
    return made(*middle, false);
  if (const auto middle = between(name, before_index, kJson))
    return made(*middle, true);  // ....safetensors.index.fp16.json
  if (const auto middle = between(name, kStem, index_end))
    return made(*middle, true);  // ....fp16.safetensors.index.json
  return {};
}

std::optional<Candidate> candidate(const std::string& name) {
  const auto found = candidate(name, kWeights, kIndex);
  return found ? found : candidate(name, kPickle, kPickleIndex);
}

std::vector<std::string> files_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    std::error_code ignored;
    if (entry.is_regular_file(ignored))
      names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool is_weights(std::string_view name) {
  return name.ends_with(kWeights) || name.ends_with(kPickle);
}

[[noreturn]] void refuse_none(const fs::path& folder,
                              const std::vector<std::string>& names) {
  std::vector<std::string> others;
  for (const auto& name : names)
    if (is_weights(name)) others.push_back(name);
  throw ConfigError(fmt::format(
      "{}: no weights here, expected {}{}", folder.string(), kWeightsName,
      others.empty() ? "" : fmt::format(", got {}", fmt::join(others, ", "))));
}

/// The index's map from tensors to names of files, each of which is that of a
/// file with weights in the same folder.
std::map<std::string, std::string> read_index(const fs::path& path) {
  const auto json = read_json_object(path);
  const auto found = json.find("weight_map");
  if (found == json.end() || !found->is_object() || found->empty())
    throw DataError(path.string() +
                    ": expected a weight_map of tensors to files");
  std::map<std::string, std::string> map;
  for (const auto& item : found->items()) {
    const auto name =
        item.value().is_string() ? item.value().get<std::string>() : "";
    if (!is_weights(name) || name.find('/') != std::string::npos)
      throw DataError(fmt::format(
          "{}: {} must be in a safetensors or .bin file of this folder, got {}",
          path.string(), item.key(), json_text(item.value())));
    map[item.key()] = name;
  }
  return map;
}

std::vector<fs::path> shards_of(const fs::path& index) {
  std::set<std::string> names;
  for (const auto& [tensor, name] : read_index(index)) names.insert(name);
  std::vector<fs::path> shards;
  for (const auto& name : names) {
    shards.push_back(index.parent_path() / name);
    if (!fs::is_regular_file(shards.back()))
      throw DataError(fmt::format("{}: names {}, which is not there",
                                  index.string(), name));
  }
  return shards;
}

}  // namespace

WeightFiles find_weights(const fs::path& folder) {
  const auto names = files_in(folder);
  std::set<Candidate> candidates;
  for (const auto& name : names)
    if (const auto found = candidate(name)) candidates.insert(*found);
  if (candidates.empty()) refuse_none(folder, names);
  const auto best = *candidates.begin();
  if (candidates.size() > 1) {
    std::vector<std::string> others;
    for (auto at = std::next(candidates.begin()); at != candidates.end(); ++at)
      others.push_back(at->name);
    note(fmt::format("{}: takes the weights of {}, not of {}", folder.string(),
                     best.name, fmt::join(others, ", ")));
  }
  const auto path = folder / best.name;
  return {.path = path,
          .shards = best.is_index ? shards_of(path) : std::vector<fs::path>()};
}

WeightFiles weights_of_index(const fs::path& index) {
  return {.path = index, .shards = shards_of(index)};
}

ShardNames::ShardNames(const WeightFiles& files)
    : index_(files.path), expected_(read_index(files.path)) {}

bool ShardNames::add(const std::string& tensor, const fs::path& shard) {
  const auto file = shard.filename().string();
  if (const auto [at, is_new] = found_.emplace(tensor, file); !is_new)
    throw DataError(fmt::format("{}: {} stands in {} and in {}",
                                index_.string(), tensor, at->second, file));
  return expected_.contains(tensor);
}

void ShardNames::check() const {
  for (const auto& [name, file] : expected_)
    if (const auto found = found_.find(name);
        found == found_.end() || found->second != file)
      throw DataError(fmt::format("{}: names {} in {}, which lacks it",
                                  index_.string(), name, file));
  if (found_.size() == expected_.size()) return;
  for (const auto& [name, file] : found_)
    if (!expected_.contains(name))
      return note(fmt::format(
          "{}: {} tensors that it does not name are left out, {} of {} among "
          "them",
          index_.string(), found_.size() - expected_.size(), name, file));
}

TensorFile read_weights(const WeightFiles& files) {
  if (files.shards.empty()) return read_state_dict(files.path);
  TensorFile all;
  ShardNames names(files);
  for (const auto& shard : files.shards) {
    auto part = read_state_dict(shard);
    all.metadata.merge(part.metadata);
    for (auto& [name, tensor] : part.tensors) {
      if (names.add(name, shard)) all.tensors.emplace(name, std::move(tensor));
    }
  }
  names.check();
  return all;
}

std::string sha256_of_weights(const WeightFiles& files) {
  if (files.shards.empty()) return sha256_hex_of_file(files.path);
  std::string text;
  for (const auto& shard : files.shards)
    text += fmt::format("{} {}\n", shard.filename().string(),
                        sha256_hex_of_file(shard));
  return sha256_hex(
      {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

}  // namespace calotype
