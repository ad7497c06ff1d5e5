#include "datasets/spec_pattern.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <glob.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "core/printable.h"

namespace calotype {
namespace {

constexpr size_t kMaxExpanded = 100'000;

/// A group in braces that is a list or a range.
struct Group {
  size_t begin = 0, end = 0;  // of its braces
  std::vector<std::string> items;
};

[[noreturn]] void refuse_many(const std::string& pattern) {
  throw ConfigError(fmt::format("{}: stands for more than {} names",
                                printable(pattern), kMaxExpanded));
}

/// "000..127": its numbers, up or down; nothing of other text.
std::optional<std::vector<std::string>> range_in(const std::string& inside,
                                                 const std::string& pattern) {
  const auto dots = inside.find("..");
  if (dots == std::string::npos) return {};
  const auto first_text = inside.substr(0, dots),
             last_text = inside.substr(dots + 2);
  const auto first = whole_number(first_text), last = whole_number(last_text);
  if (!first || !last) return {};
  const auto count =
      uint64_t(std::max(*first, *last) - std::min(*first, *last)) + 1;
  if (count > kMaxExpanded) refuse_many(pattern);
  const bool is_padded =
      first_text.starts_with('0') || last_text.starts_with('0');
  const auto width =
      is_padded ? std::max(first_text.size(), last_text.size()) : 0;
  std::vector<std::string> items;
  for (uint64_t i = 0; i < count; ++i)
    items.push_back(fmt::format(
        "{:0{}}", *first <= *last ? *first + int64_t(i) : *first - int64_t(i),
        width));
  return items;
}

/// The first group; braces around neither a list nor a range are letters.
std::optional<Group> first_group(const std::string& pattern) {
  for (size_t begin = pattern.find('{'); begin != std::string::npos;
       begin = pattern.find('{', begin + 1)) {
    int depth = 0;
    std::vector<size_t> cuts = {begin};
    for (size_t at = begin; at < pattern.size(); ++at) {
      if (pattern[at] == '{') ++depth;
      if (pattern[at] == ',' && depth == 1) cuts.push_back(at);
      if (pattern[at] != '}' || --depth > 0) continue;
      Group group{begin, at, {}};
      if (cuts.size() == 1) {
        auto range =
            range_in(pattern.substr(begin + 1, at - begin - 1), pattern);
        if (!range) break;
        group.items = std::move(*range);
        return group;
      }
      cuts.push_back(at);
      for (size_t i = 0; i + 1 < cuts.size(); ++i)
        group.items.push_back(
            pattern.substr(cuts[i] + 1, cuts[i + 1] - cuts[i] - 1));
      return group;
    }
  }
  return {};
}

}  // namespace

std::optional<int64_t> whole_number(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0)
    return {};
  return value;
}

bool is_pattern(const std::string& text) {
  return text.find_first_of("*?[") != std::string::npos ||
         first_group(text).has_value();
}

std::vector<std::string> expand_braces(const std::string& pattern) {
  const auto group = first_group(pattern);
  if (!group) return {pattern};
  std::vector<std::string> all;
  for (const auto& item : group->items)
    for (auto& one : expand_braces(pattern.substr(0, group->begin) + item +
                                   pattern.substr(group->end + 1))) {
      if (all.size() == kMaxExpanded) refuse_many(pattern);
      all.push_back(std::move(one));
    }
  return all;
}

std::vector<std::string> expand_wildcards(const std::string& pattern) {
  glob_t found{};
  const int status = ::glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found);
  std::vector<std::string> paths;
  if (status == 0)
    paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  ::globfree(&found);
  std::ranges::sort(paths);
  return paths;
}

std::string join_specs(const std::vector<std::string>& specs) {
  if (specs.size() == 1) return specs[0];
  for (const auto& spec : specs)
    if (spec.find_first_of(",") != std::string::npos &&
        !first_group(spec).has_value())
      throw ConfigError(
          fmt::format("{}: a name with a comma cannot be one of several --data",
                      printable(spec)));
  return fmt::format("{{{}}}", fmt::join(specs, ","));
}

}  // namespace calotype
