#include "core/config.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

#include "core/files.h"

namespace calotype {
namespace {

// Levenshtein's distance: the number of letters to insert, delete or change.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t change = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({change, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

Json parse_json(std::string_view text, const std::string& where) {
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    const auto end = text.begin() + std::min(error.byte, text.size());
    const auto line = 1 + std::count(text.begin(), end, '\n');
    throw DataError(fmt::format("{}: not JSON at line {}", where, line));
  }
}

Json read_json_file(const std::filesystem::path& path) {
  return parse_json(read_text_file(path), path.string());
}

void refuse_unknown_key(const std::string& where, const std::string& key,
                        const std::vector<std::string>& known) {
  const auto nearest = std::min_element(
      known.begin(), known.end(), [&](const auto& a, const auto& b) {
        return edit_distance(a, key) < edit_distance(b, key);
      });
  if (nearest != known.end() &&
      edit_distance(*nearest, key) <= 1 + key.size() / 3)
    throw ConfigError(fmt::format(
        "{}: unknown key \"{}\"; did you mean \"{}\"?", where, key, *nearest));
  throw ConfigError(fmt::format("{}: unknown key \"{}\"; known are {}", where,
                                key, fmt::join(known, ", ")));
}

}  // namespace calotype
