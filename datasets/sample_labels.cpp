#include "datasets/sample_labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "core/config.h"
#include "core/error.h"
#include "core/printable.h"
#include "datasets/class_labels.h"

namespace calotype {
namespace {

constexpr const char* kTable = "dataset.json";
constexpr size_t kLongestClass = 1024;  // bytes

/// Where the file's own name begins in a path.
size_t name_at(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? 0 : slash + 1;
}

/// A path without its last ending.
std::string_view stem_of(std::string_view path) {
  const auto dot = path.rfind('.');
  return dot == std::string_view::npos || dot < name_at(path)
             ? path
             : path.substr(0, dot);
}

/// A path without all endings, which WebDataset calls a sample's key.
std::string_view key_of(std::string_view path) {
  return path.substr(0, path.find('.', name_at(path)));
}

/// A label as its class is called; nothing for null.
std::optional<std::string> called(const Json& label, const std::string& where) {
  if (label.is_null()) return {};
  if (label.is_number_integer()) return label.dump();
  if (label.is_string()) {
    const auto text = label.get<std::string>();
    if (text.size() <= kLongestClass) return class_name_in(text);
  }
  throw ConfigError(fmt::format(
      "{}: a label that is no class: expected a whole number or a name, got {}",
      where, config_detail::shown(label)));
}

Json parsed(const std::string& text, const std::string& where) {
  auto json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) throw DataError(where + ": not JSON");
  return json;
}

/// Those of `others` that end so, by stem.
class Sidecars {
 public:
  Sidecars(const std::vector<std::string>& others, std::string_view ending) {
    for (size_t i = 0; i < others.size(); ++i)
      if (others[i].ends_with(ending)) {
        by_stem_.emplace(stem_of(others[i]), i);
        places_.push_back(i);
      }
  }

  /// The file that is called as the image, or as the sample that it is of.
  std::optional<size_t> of(std::string_view image) const {
    for (const auto name : {stem_of(image), key_of(image)})
      if (const auto found = by_stem_.find(name); found != by_stem_.end())
        return found->second;
    return {};
  }

  const std::vector<size_t>& places() const { return places_; }

 private:
  std::unordered_map<std::string_view, size_t> by_stem_;
  std::vector<size_t> places_;
};

class Finder {
 public:
  Finder(const std::string& where, const std::vector<std::string>& images,
         const std::vector<std::string>& others,
         const std::function<std::string(size_t)>& read)
      : where_(where), images_(images), others_(others), read_(read) {}

  std::optional<SampleLabels> by_table() const {
    const auto table = std::ranges::find(others_, kTable);
    if (table == others_.end()) return {};
    const auto place = size_t(table - others_.begin());
    const auto name = name_of(place);
    const auto json = parsed(read_(place), name);
    if (!json.is_object() || !json.contains("labels")) return {};
    SampleLabels found{
        .called = std::vector<std::optional<std::string>>(images_.size()),
        .origin = kTable,
        .used = {place}};
    const auto& labels = json["labels"];
    if (labels.is_null()) return {};
    const auto fail = [&] {
      throw DataError(name +
                      ": labels: expected [[\"image.png\", class], ...]");
    };
    if (!labels.is_array()) fail();
    for (const auto& item : labels) {
      if (!item.is_array() || item.size() != 2 || !item[0].is_string()) fail();
      auto image = item[0].get<std::string>();
      std::ranges::replace(image, '\\', '/');
      const auto at = std::ranges::lower_bound(images_, image);
      if (at != images_.end() && *at == image)
        found.called[size_t(at - images_.begin())] = called(item[1], name);
    }
    return found;
  }

  std::optional<SampleLabels> by_class_files() const {
    return by_sidecars(".cls", [&](size_t place) {
      const auto text = read_(place);
      if (text.size() > kLongestClass)
        throw DataError(name_of(place) + ": no class: it has " +
                        std::to_string(text.size()) + " bytes");
      return class_name_in(text);
    });
  }

  std::optional<SampleLabels> by_json_files() const {
    std::string key;
    const Sidecars files(others_, ".json");
    for (const auto& image : images_)
      if (const auto first = files.of(image)) {
        key = class_key(*first);
        break;
      }
    if (key.empty()) return {};
    auto found =
        by_sidecars(".json", [&](size_t place) -> std::optional<std::string> {
          const auto json = parsed(read_(place), name_of(place));
          if (!json.is_object() || !json.contains(key)) return {};
          return called(json[key], name_of(place));
        });
    if (found) found->origin = fmt::format("\"{}\" of .json files", key);
    return found;
  }

 private:
  std::string name_of(size_t place) const {
    return where_ + "/" + printable(others_[place]);
  }

  std::string class_key(size_t place) const {
    const auto json = parsed(read_(place), name_of(place));
    if (json.is_object())
      for (const char* key : {"class_name", "class", "label", "cls"})
        if (json.contains(key) &&
            (json[key].is_number_integer() || json[key].is_string()))
          return key;
    return "";
  }

  std::optional<SampleLabels> by_sidecars(
      const char* ending,
      const std::function<std::optional<std::string>(size_t)>& class_in) const {
    const Sidecars files(others_, ending);
    SampleLabels found{.origin = fmt::format("{} files", ending),
                       .used = files.places()};
    bool has_any = false;
    for (const auto& image : images_) {
      const auto place = files.of(image);
      found.called.push_back(place ? class_in(*place) : std::nullopt);
      has_any = has_any || found.called.back();
    }
    if (!has_any) return {};
    return found;
  }

  const std::string& where_;
  const std::vector<std::string>& images_;
  const std::vector<std::string>& others_;
  const std::function<std::string(size_t)>& read_;
};

}  // namespace

bool may_hold_labels(const std::string& name) {
  return name.ends_with(".cls") || name.ends_with(".json");
}

std::optional<SampleLabels> find_sample_labels(
    const std::string& where, const std::vector<std::string>& images,
    const std::vector<std::string>& others,
    const std::function<std::string(size_t other)>& read) {
  const Finder finder(where, images, others, read);
  if (auto found = finder.by_table()) return found;
  if (auto found = finder.by_class_files()) return found;
  return finder.by_json_files();
}

}  // namespace calotype
