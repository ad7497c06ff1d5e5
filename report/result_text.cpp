#include "report/result_text.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace calotype {
namespace {

/// A list of numbers, with gaps, that are not all whole.
bool is_row(const Json& json) {
  return json.is_array() &&
         std::ranges::all_of(json,
                             [](const Json& item) {
                               return item.is_number() || item.is_null();
                             }) &&
         std::ranges::any_of(
             json, [](const Json& item) { return item.is_number_float(); });
}

std::string number_text(const Json& number, int digits) {
  if (number.is_null()) return "-";
  return number.is_number_float()
             ? fmt::format("{:.{}g}", number.get<double>(), digits)
             : number.dump();
}

std::string row_text(const Json& row) {
  std::string text;
  for (const auto& item : row)
    text += fmt::format("{}{}", text.empty() ? "" : " ", number_text(item, 4));
  return text;
}

bool is_list_of_objects(const Json& json) {
  return json.is_array() && !json.empty() &&
         std::ranges::all_of(json,
                             [](const Json& item) { return item.is_object(); });
}

/// "key value, key value".
std::string object_text(const Json& object) {
  std::string text;
  for (const auto& item : object.items()) {
    const auto& value = item.value();
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", item.key(),
                        value.is_string() ? value.get<std::string>()
                        : is_row(value)   ? row_text(value)
                                          : number_text(value, 4));
  }
  return text;
}

/// Whether `key` leads to one of many small objects, each of which is one line.
bool is_table_row(const std::string& key, const Json& value) {
  const bool is_in_table = std::ranges::any_of(
      std::array{"differences.", "rates.", "rate_distortion.", "protocol.",
                 "subject."},
      [&](const char* table) { return key.starts_with(table); });
  return is_in_table && value.is_object() &&
         std::ranges::none_of(value, [](const Json& item) {
           return item.is_object() || is_list_of_objects(item);
         });
}

class Lines {
 public:
  explicit Lines(const Json& intervals) : intervals_(intervals) {}

  void add(const Json& json, const std::string& prefix) {
    for (const auto& item : json.items()) {
      const auto key = prefix.empty() ? item.key() : prefix + "." + item.key();
      const auto& value = item.value();
      if (key == "intervals") continue;
      if (is_table_row(key, value))
        add_line(key, object_text(value));
      else if (value.is_object() && !value.empty())
        add(value, key);
      else if (is_list_of_objects(value))
        for (const auto& object : value) add_line(key, object_text(object));
      else if (value.is_string())
        add_line(key, value.get<std::string>());
      else if (is_row(value))
        add_line(key, row_text(value));
      else if (value.is_number_float())
        add_line(key, number_text(value, 6) + interval_text(key));
      else
        add_line(key, json_text(value));
    }
  }

  const std::string& text() const { return text_; }

 private:
  void add_line(const std::string& key, const std::string& value) {
    text_ += fmt::format("{:<34} {}\n", key, value);
  }

  std::string interval_text(const std::string& key) const {
    if (!intervals_.contains(key)) return "";
    const auto& ends = intervals_[key];
    return fmt::format("  ({} to {})", number_text(ends[0], 4),
                       number_text(ends[1], 4));
  }

  const Json& intervals_;
  std::string text_;
};

}  // namespace

std::string result_text(const Json& result) {
  const auto intervals = result.value("intervals", Json::object());
  Lines lines(intervals);
  lines.add(result, "");
  return lines.text();
}

void add_note(Json& result, const std::string& note) {
  const auto before = result.value("note", "");
  result["note"] = before.empty() ? note : before + "; " + note;
}

Json number_or_null(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

}  // namespace calotype
