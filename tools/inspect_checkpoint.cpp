#include "tools/inspect_checkpoint.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <string>
#include <vector>

#include "core/hash.h"
#include "core/printable.h"
#include "models/checkpoint_kind.h"
#include "nn/checkpoint.h"

namespace calotype {
namespace {

/// A value for a listing: the beginning of a text, and of what is large only
/// its keys.
Json short_value(const Json& value) {
  constexpr size_t kLongest = 1000;
  if (value.is_string()) {
    const auto text = value.get<std::string>();
    return text.size() <= kLongest ? text : text.substr(0, kLongest) + "...";
  }
  if (json_text(value).size() <= kLongest) return value;
  if (!value.is_object()) return fmt::format("a list of {}", value.size());
  std::vector<std::string> keys;
  for (const auto& item : value.items()) keys.push_back(printable(item.key()));
  return short_value(fmt::format("keys {}", fmt::join(keys, ", ")));
}

/// The types of a state dict's numbers, and how many tensors have each.
Json types_of(const StateDict& state_dict) {
  std::map<std::string, int64_t> counts;
  for (const auto& item : state_dict.tensors)
    ++counts[std::string(name_of(item.second.type))];
  return counts;
}

/// Tensors that belong to no state dict by the first part of their names: an
/// optimizer's, say.
Json tensors_beside(const Checkpoint& checkpoint) {
  Json counts = Json::object();
  for (const auto& item : checkpoint.tensors()) {
    const auto key = item.first.substr(0, item.first.find('.'));
    bool is_state_dict = false;
    for (const auto& state_dict : checkpoint.state_dicts())
      is_state_dict |= state_dict.wrapper.empty() || state_dict.wrapper == key;
    if (!is_state_dict)
      counts[printable(key)] = counts.value(printable(key), int64_t{0}) + 1;
  }
  return counts;
}

Json listing(const Checkpoint& checkpoint) {
  Json list = Json::object();
  for (const auto& [name, tensor] : checkpoint.tensors())
    list[printable(name)] = {{"dtype", std::string(name_of(tensor.type))},
                             {"shape", tensor.shape}};
  return list;
}

/// What lies beside all that holds tensors.
Json values_beside(const Checkpoint& checkpoint, const Json& with_tensors) {
  Json values = Json::object();
  for (const auto& item : checkpoint.beside().items()) {
    const auto key = printable(item.key());
    bool is_told = with_tensors.contains(key);
    for (const auto& state_dict : checkpoint.state_dicts())
      is_told |= state_dict.wrapper == item.key();
    if (!is_told) values[key] = short_value(item.value());
  }
  return values;
}

}  // namespace

Json inspect_checkpoint(const std::filesystem::path& path, bool list_tensors) {
  const auto checkpoint = Checkpoint::open(path);
  const auto kind = kind_of(checkpoint);
  const auto& state_dict = checkpoint.state_dict(kind.wrapper);
  int64_t parameters = 0;
  for (const auto& item : state_dict.tensors)
    parameters += item.second.num_elements();

  Json result{{"kind", kind.name}, {"what", kind.what}};
  if (!kind.part.empty()) result["part"] = kind.part;
  result["format"] = checkpoint.format();
  result["tensors"] = state_dict.tensors.size();
  result["parameters"] = parameters;
  result["dtypes"] = types_of(state_dict);
  result["converts_to"] = kind.classes;
  if (!kind.read_by.empty()) result["read_by"] = kind.read_by;
  if (!kind.remarks.empty()) result["remarks"] = kind.remarks;
  if (!state_dict.wrapper.empty()) result["state_dict"] = state_dict.wrapper;
  for (const auto& other : checkpoint.state_dicts())
    if (other.wrapper != state_dict.wrapper)
      result["other_state_dicts"].push_back(other.wrapper);
  const auto others = tensors_beside(checkpoint);
  if (!others.empty()) result["tensors_beside"] = others;
  if (auto values = values_beside(checkpoint, others); !values.empty())
    result["beside"] = std::move(values);
  for (const auto& [name, why] : checkpoint.left_out())
    result["left_out"][printable(name)] = why;
  if (std::filesystem::is_regular_file(path))
    result["sha256"] = sha256_hex_of_file(path);
  if (list_tensors) result["tensor_list"] = listing(checkpoint);
  return result;
}

}  // namespace calotype
