#include "datasets/class_labels.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <tuple>

#include "core/printable.h"

namespace calotype {
namespace {

std::optional<int64_t> whole_number(const std::string& name) {
  int64_t value = 0;
  const auto [end, error] =
      std::from_chars(name.data(), name.data() + name.size(), value);
  if (error != std::errc() || end != name.data() + name.size()) return {};
  return value;
}

}  // namespace

ClassLabels class_labels(
    const std::vector<std::optional<std::string>>& called) {
  std::map<std::string, int32_t> places;
  for (const auto& name : called)
    if (name) places.emplace(*name, 0);
  ClassLabels classes;
  for (const auto& [name, place] : places) classes.names.push_back(name);
  if (std::ranges::all_of(classes.names, [](const std::string& name) {
        return whole_number(name).has_value();
      }))
    std::ranges::sort(classes.names, {}, [](const std::string& name) {
      return std::tuple(*whole_number(name), name);
    });
  for (size_t i = 0; i < classes.names.size(); ++i)
    places[classes.names[i]] = int32_t(i);
  for (const auto& name : called)
    classes.labels.push_back(name ? places.at(*name) : -1);
  return classes;
}

std::optional<std::string> class_name_in(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return printable(
      text.substr(first, text.find_last_not_of(kBlanks) - first + 1));
}

}  // namespace calotype
