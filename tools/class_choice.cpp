#include "tools/class_choice.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <numeric>
#include <optional>
#include <sstream>
#include <utility>

#include "core/error.h"
#include "core/note.h"
#include "datasets/class_list.h"

namespace calotype {
namespace {

bool is_class_number(const std::string& text) {
  return !text.empty() && text.size() < 10 &&
         std::ranges::all_of(text,
                             [](unsigned char c) { return std::isdigit(c); });
}

/// Where `name` stands in `names`.
std::optional<int64_t> place_of(const std::string& name,
                                const std::vector<std::string>& names) {
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) return {};
  return found - names.begin();
}

/// The names and numbers of all lines.
std::vector<std::string> parts_of(const std::string& text,
                                  const std::vector<std::string>& names) {
  std::vector<std::string> parts;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    for (auto& part : parse_class_list(line, names))
      parts.push_back(std::move(part));
  return parts;
}

}  // namespace

std::vector<int64_t> choose_classes(const std::string& text,
                                    const std::vector<std::string>& names,
                                    int64_t num_classes) {
  if ((text == "all" || text == "none") && place_of(text, names))
    note(fmt::format(
        "generate: --class {0} is taken as the word, not as the class \"{0}\", "
        "whose number is {1}",
        text, *place_of(text, names)));
  if (text == "none" || num_classes == 0) {
    if (text != "none" && text != "all")
      throw ConfigError(fmt::format(
          "generate: --class is {}, and the model knows no classes", text));
    return {-1};
  }
  std::vector<int64_t> classes;
  if (text == "all") {
    classes.resize(size_t(num_classes));
    std::iota(classes.begin(), classes.end(), 0);
    return classes;
  }
  const bool has_number_names = std::ranges::any_of(names, is_class_number);
  for (const auto& part : parts_of(text, names)) {
    if (const auto place = place_of(part, names)) {
      classes.push_back(*place);
      continue;
    }
    if (!is_class_number(part) || std::stoll(part) >= num_classes)
      throw ConfigError(
          fmt::format("generate: --class must be all, none, a number below {} "
                      "or one of {}; got {}",
                      num_classes, fmt::join(names, ", "), part));
    classes.push_back(std::stoll(part));
    if (has_number_names && classes.back() < int64_t(names.size()))
      note(fmt::format(
          "generate: no class is called {0}, so that {0} is taken as the "
          "number of \"{1}\"",
          part, names[size_t(classes.back())]));
  }
  if (classes.empty()) throw ConfigError("generate: --class is empty");
  return classes;
}

}  // namespace calotype
