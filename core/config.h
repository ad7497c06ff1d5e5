#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"

// JSON <-> plain config structs. A struct names its fields once,
//
//   template <class Visitor>
//   void visit_fields(LoaderConfig& c, Visitor&& visit) {
//     visit("batch_size", c.batch_size);
//   }
//
// and can then be read (a missing key keeps its default, an unknown key is a
// ConfigError that suggests the nearest known one) and written whole.
namespace calotype {

/// JSON that is nested deeper is refused: its reader would run out of stack.
inline constexpr int kMaxJsonDepth = 256;

using Json = nlohmann::ordered_json;  // keeps the order of the fields

/// Reads JSON text; `where` is the file's name in messages. Throws DataError
/// for text that is not JSON, with the line and column, for numbers that a
/// double cannot hold, keys that stand twice in an object and more than 256
/// levels.
Json parse_json(std::string_view text, const std::string& where);

/// The same, or `text` itself as a string where it is no such JSON.
Json json_or_text(const std::string& text);

/// Reads a JSON file. Throws ConfigError if it is not there.
Json read_json_file(const std::filesystem::path& path);

/// The same of one that must hold an object; throws DataError otherwise.
Json read_json_object(const std::filesystem::path& path);

/// `json` as text, in one line or with `indent`. Strings come from file names
/// and the command line, which need not be UTF-8: what is not becomes U+FFFD.
std::string json_text(const Json& json, int indent = -1);

/// "did you mean "x"?", or "known are x, y".
std::string key_advice(const std::string& key,
                       const std::vector<std::string>& known);

/// Throws ConfigError naming `key` and the nearest of `known`.
[[noreturn]] void refuse_unknown_key(const std::string& where,
                                     const std::string& key,
                                     const std::vector<std::string>& known);

namespace config_detail {

/// `json` for a message: the beginning, where it is long.
std::string shown(const Json& json);

/// A string that json_text writes and parse_json reads back unchanged.
Json text_value(const std::string& text);

struct AnyVisitor {
  template <class T>
  void operator()(const char*, T&) {}
};

template <class T>
concept Struct = requires(T& value) {
  visit_fields(value, AnyVisitor{});
};

template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};
template <class T>
struct is_vector : std::false_type {};
template <class T>
struct is_vector<std::vector<T>> : std::true_type {};

template <class T>
constexpr const char* type_name() {
  if constexpr (std::same_as<T, bool>)
    return "true or false";
  else if constexpr (std::integral<T>)
    return "a whole number";
  else if constexpr (std::floating_point<T>)
    return "a number";
  else if constexpr (is_vector<T>::value)
    return "a list";
  else
    return "a text";
}

template <class T>
bool holds(const Json& json) {
  if constexpr (std::same_as<T, bool>)
    return json.is_boolean();
  else if constexpr (std::integral<T>)
    return json.is_number_unsigned()
               ? std::in_range<T>(json.get<uint64_t>())
               : json.is_number_integer() &&
                     std::in_range<T>(json.get<int64_t>());
  else if constexpr (std::floating_point<T>)
    return json.is_number();
  else
    return json.is_string();
}

}  // namespace config_detail

/// Overwrites the fields of `config` that `json` names. `where` leads messages
/// ("config.json: model"). Throws ConfigError for an unknown key or a wrong
/// type.
template <class T>
void read_config(const Json& json, T& config, const std::string& where) {
  namespace d = config_detail;
  if constexpr (std::same_as<T, Json>) {
    config = json;
  } else if constexpr (d::is_optional<T>::value) {
    if (json.is_null()) return config.reset();
    if (!config) config.emplace();
    read_config(json, *config, where);
  } else if constexpr (d::is_vector<T>::value) {
    if (!json.is_array())
      throw ConfigError(
          fmt::format("{}: expected a list, got {}", where, d::shown(json)));
    config.clear();
    for (const auto& item : json) {
      typename T::value_type value{};
      read_config(item, value, where);
      config.push_back(std::move(value));
    }
  } else if constexpr (d::Struct<T>) {
    if (!json.is_object())
      throw ConfigError(
          fmt::format("{}: expected {{...}}, got {}", where, d::shown(json)));
    std::vector<std::string> known;
    visit_fields(config, [&](const char* key, auto& field) {
      known.emplace_back(key);
      if (const auto at = json.find(key); at != json.end())
        read_config(*at, field, where + ": " + key);
    });
    for (const auto& item : json.items())
      if (std::find(known.begin(), known.end(), item.key()) == known.end())
        refuse_unknown_key(where, item.key(), known);
  } else {
    if (!d::holds<T>(json))
      throw ConfigError(fmt::format("{}: expected {}, got {}", where,
                                    d::type_name<T>(), d::shown(json)));
    config = json.template get<T>();
  }
}

/// The whole of `config` as JSON, defaults included.
template <class T>
Json write_config(const T& config) {
  namespace d = config_detail;
  if constexpr (d::is_optional<T>::value) {
    return config ? write_config(*config) : Json(nullptr);
  } else if constexpr (d::is_vector<T>::value) {
    Json list = Json::array();
    for (const auto& item : config) list.push_back(write_config(item));
    return list;
  } else if constexpr (d::Struct<T>) {
    Json json = Json::object();
    // visit_fields takes a mutable struct so that one list serves both ways.
    visit_fields(const_cast<T&>(config), [&](const char* key, auto& field) {
      json[key] = write_config(field);
    });
    return json;
  } else if constexpr (std::same_as<T, std::string>) {
    return d::text_value(config);
  } else {
    return Json(config);
  }
}

}  // namespace calotype
