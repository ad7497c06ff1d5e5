#include "models/convert/yaml.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <charconv>
#include <cstdint>
#include <optional>
#include <regex>

#include "core/error.h"
#include "core/files.h"
#include "core/printable.h"

namespace calotype {
namespace {

constexpr int kMaxLevels = 64;
constexpr int kMaxValues = 100'000;
constexpr uint64_t kMaxBytes = uint64_t{4} << 20;

/// Turns nodes into JSON. An anchor is one node with many places, so that the
/// values of the result are counted, not those of the file.
class Reader {
 public:
  explicit Reader(const std::string& where) : where_(where) {}

  Json json_of(const YAML::Node& node, int level = 0) {
    if (level > kMaxLevels)
      refuse(node, fmt::format("more than {} levels", kMaxLevels));
    if (++num_values_ > kMaxValues)
      refuse(node, fmt::format("more than {} values", kMaxValues));
    switch (node.Type()) {
      case YAML::NodeType::Map:
        expect_untagged(node);
        return mapping(node, level);
      case YAML::NodeType::Sequence: {
        expect_untagged(node);
        Json list = Json::array();
        for (const auto& item : node) list.push_back(json_of(item, level + 1));
        return list;
      }
      case YAML::NodeType::Scalar:
        return scalar(node);
      default:
        return nullptr;
    }
  }

 private:
  [[noreturn]] void refuse(const YAML::Node& node, const std::string& what) {
    throw DataError(
        fmt::format("{}: line {}: {}", where_, node.Mark().line + 1, what));
  }

  void expect_untagged(const YAML::Node& node) {
    if (const auto& tag = node.Tag(); tag.size() > 1)
      refuse(node, "a tag, " + printable(tag) + ", which is not read");
  }

  Json mapping(const YAML::Node& node, int level) {
    Json object = Json::object();
    for (const auto& item : node) {
      if (!item.first.IsScalar()) refuse(item.first, "a key that is no text");
      const auto key = item.first.Scalar();
      if (key == "<<") refuse(item.first, "merged keys, which are not read");
      if (object.contains(key))
        refuse(item.first, printable(key) + " stands twice");
      object[key] = json_of(item.second, level + 1);
    }
    return object;
  }

  Json scalar(const YAML::Node& node) {
    const auto& text = node.Scalar();
    if (node.Tag() == "!") return text;  // in quotes
    expect_untagged(node);
    if (text == "true" || text == "True" || text == "TRUE") return true;
    if (text == "false" || text == "False" || text == "FALSE") return false;
    if (text.empty() || text == "~" || text == "null" || text == "Null" ||
        text == "NULL")
      return nullptr;
    return number(text).value_or(text);
  }

  /// As people write numbers: 1e-06 too, which is a text to some readers.
  static std::optional<Json> number(const std::string& text) {
    static const std::regex whole("[-+]?[0-9]{1,18}");
    static const std::regex real(
        "[-+]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][-+]?[0-9]+)?");
    const auto* begin = text.data() + (text[0] == '+' ? 1 : 0);
    const auto* end = text.data() + text.size();
    if (text.size() > 64) return {};
    if (std::regex_match(text, whole)) {
      int64_t value = 0;
      std::from_chars(begin, end, value);
      return value;
    }
    double value = 0;
    if (std::regex_match(text, real) &&
        std::from_chars(begin, end, value).ec == std::errc())
      return value;
    return {};
  }

  std::string where_;
  int num_values_ = 0;
};

}  // namespace

Json parse_yaml(const std::string& text, const std::string& where) {
  try {
    return Reader(where).json_of(YAML::Load(text));
  } catch (const YAML::Exception& error) {
    throw DataError(
        fmt::format("{}: line {}: {}", where, error.mark.line + 1, error.msg));
  }
}

Json read_yaml_file(const std::filesystem::path& path) {
  const auto bytes = read_file(path, kMaxBytes);
  return parse_yaml(std::string(bytes.begin(), bytes.end()), path.string());
}

}  // namespace calotype
