#include "core/config.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "core/files.h"

namespace calotype {
namespace {

constexpr size_t kMaxShownBytes = 200;  // of a value in a message

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

/// Where the parser stopped, after `num_bytes`.
std::string place_text(std::string_view text, size_t num_bytes) {
  const auto read = text.substr(0, num_bytes);
  const auto line = 1 + std::count(read.begin(), read.end(), '\n');
  const auto last_line = read.substr(read.find_last_of('\n') + 1);  // npos + 1
  return fmt::format("line {}, column {}", line, last_line.size());
}

/// Sees to what the parser lets pass. Two values under one key: whichever were
/// taken, the other would be lost in silence.
class Strictness {
 public:
  explicit Strictness(const std::string& where) : where_(where) {}

  bool operator()(int depth, Json::parse_event_t event, const Json& value) {
    using Event = Json::parse_event_t;
    if (depth > kMaxJsonDepth)
      throw DataError(fmt::format("{}: nested more than {} levels deep", where_,
                                  kMaxJsonDepth));
    if (event == Event::object_start) keys_.emplace_back();
    if (event == Event::object_end) keys_.pop_back();
    if (event == Event::key &&
        !keys_.back().insert(value.get<std::string>()).second)
      throw DataError(
          fmt::format("{}: key {} stands twice", where_, json_text(value)));
    return true;
  }

 private:
  const std::string& where_;
  std::vector<std::set<std::string>> keys_;  // of the objects that are open
};

}  // namespace

Json parse_json(std::string_view text, const std::string& where) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos)
    throw DataError(where + ": expected JSON, got an empty file");
  try {
    Strictness strictness(where);
    return Json::parse(
        text, [&](int depth, Json::parse_event_t event, const Json& value) {
          return strictness(depth, event, value);
        });
  } catch (const Json::parse_error& error) {
    throw DataError(
        fmt::format("{}: not JSON at {}", where, place_text(text, error.byte)));
  } catch (const Json::out_of_range& error) {
    // "[json.exception.out_of_range.406] number overflow parsing '1e999'"
    const std::string_view what = error.what();
    throw DataError(fmt::format("{}: number out of range: {}", where,
                                what.substr(what.find_last_of(' ') + 1)));
  }
}

Json json_or_text(const std::string& text) {
  try {
    return parse_json(text, "");
  } catch (const DataError&) {
    return text;
  }
}

Json read_json_file(const std::filesystem::path& path) {
  return parse_json(read_text_file(path), path.string());
}

Json read_json_object(const std::filesystem::path& path) {
  auto json = read_json_file(path);
  if (!json.is_object())
    throw DataError(fmt::format("{}: expected {{...}}, got {}", path.string(),
                                config_detail::shown(json)));
  return json;
}

std::string json_text(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::string config_detail::shown(const Json& json) {
  auto text = json_text(json);
  if (text.size() <= kMaxShownBytes) return text;
  auto size = kMaxShownBytes;
  while (size > 0 && (uint8_t(text[size]) & 0xc0) == 0x80)
    --size;  // not in the midst of a character
  text.resize(size);
  return text + "...";
}

Json config_detail::text_value(const std::string& text) {
  return Json::parse(json_text(text));
}

std::string key_advice(const std::string& key,
                       const std::vector<std::string>& known) {
  const auto nearest = std::min_element(
      known.begin(), known.end(), [&](const auto& a, const auto& b) {
        return edit_distance(a, key) < edit_distance(b, key);
      });
  return nearest != known.end() &&
                 edit_distance(*nearest, key) <= 1 + key.size() / 3
             ? fmt::format("did you mean \"{}\"?", *nearest)
             : fmt::format("known are {}", fmt::join(known, ", "));
}

void refuse_unknown_key(const std::string& where, const std::string& key,
                        const std::vector<std::string>& known) {
  throw ConfigError(fmt::format("{}: unknown key {}; {}", where, json_text(key),
                                key_advice(key, known)));
}

}  // namespace calotype
