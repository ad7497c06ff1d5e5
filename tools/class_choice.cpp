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

std::string trimmed(const std::string& text) {
  const auto begin = text.find_first_not_of(' ');
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(' ') + 1 - begin);
}

/// Whether `name` is one of those that `names` lists with commas, as published
/// classes do: "tench, Tinca tinca".
bool is_listed(const std::string& name, const std::string& names) {
  std::istringstream parts(names);
  for (std::string part; std::getline(parts, part, ',');)
    if (trimmed(part) == name) return true;
  return false;
}

/// Where `name` stands in `names`, or where it is one of several that a class
/// has. Throws ConfigError if it is of two classes.
std::optional<int64_t> place_of(const std::string& name,
                                const std::vector<std::string>& names) {
  const auto find = [&](auto&& is_it) -> std::optional<int64_t> {
    const auto found = std::ranges::find_if(names, is_it);
    if (found == names.end()) return {};
    const auto next = std::find_if(found + 1, names.end(), is_it);
    if (next != names.end())
      throw ConfigError(
          fmt::format("generate: --class {} is of class {} and of class {}; "
                      "give the number",
                      name, found - names.begin(), next - names.begin()));
    return found - names.begin();
  };
  if (const auto place = find([&](const auto& each) { return each == name; }))
    return place;
  const auto shortened = trimmed(name);
  if (shortened.empty()) return {};
  return find([&](const auto& each) { return is_listed(shortened, each); });
}

/// What else may be given than a number.
std::string known_names(std::vector<std::string> names) {
  constexpr size_t kShown = 20;
  if (names.empty()) return "";
  const auto rest = names.size() > kShown ? names.size() - kShown : 0;
  names.resize(names.size() - rest);
  return fmt::format(" or one of {}{}", fmt::join(names, ", "),
                     rest > 0 ? fmt::format(" and {} more", rest) : "");
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
  if (const auto named = std::ranges::find(names, text);
      (text == "all" || text == "none") && named != names.end())
    note(fmt::format(
        "generate: --class {0} is taken as the word, not as the class \"{0}\", "
        "whose number is {1}",
        text, named - names.begin()));
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
      throw ConfigError(fmt::format(
          "generate: --class must be all, none{} a number below {}{}; got {}",
          names.empty() ? " or" : ",", num_classes, known_names(names), part));
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
