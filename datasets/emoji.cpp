#include "datasets/emoji.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/config.h"
#include "core/error.h"
#include "core/files.h"
#include "core/hash.h"
#include "datasets/dataset_roots.h"
#include "datasets/file_contents.h"
#include "datasets/image_file.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

constexpr std::array kCategories = {
    "Activities",        "Animals & Nature", "Flags",
    "Food & Drink",      "Objects",          "People & Body",
    "Smileys & Emotion", "Symbols",          "Travel & Places"};
constexpr uint64_t kTestShare = 10;  // one of so many base emoji

struct Emoji {
  std::string file;
  int64_t label = -1;  // -1: the components, which are in no main category
  bool is_test = false;
};

int64_t category_of(const std::string& name) {
  const auto found = std::find(kCategories.begin(), kCategories.end(), name);
  return found == kCategories.end() ? -1 : found - kCategories.begin();
}

/// All that have an image in `set`, in the order of the table.
std::vector<Emoji> read_table(const fs::path& path, const std::string& set) {
  std::vector<Emoji> all;
  const auto key = "has_img_" + set;
  try {
    for (const auto& base : parse_json(read_text_file(path), path.string())) {
      const auto label = category_of(base.at("category").get<std::string>());
      const bool is_test =
          xxh64(base.at("unified").get<std::string>()) % kTestShare == 0;
      const auto add = [&](const Json& one) {
        if (one.at(key).get<bool>())
          all.push_back({one.at("image").get<std::string>(), label, is_test});
      };
      add(base);
      if (base.contains("skin_variations"))
        for (const auto& tone : base["skin_variations"].items())
          add(tone.value());
    }
  } catch (const Json::exception& error) {
    throw DataError(fmt::format("{}: {}", path.string(), error.what()));
  }
  for (const auto& emoji : all)
    if (emoji.file.find('/') != std::string::npos)
      throw DataError(fmt::format("{}: names {}, which is no file beside it",
                                  path.string(), emoji.file));
  return all;
}

std::vector<std::string> files_of(const std::vector<Emoji>& emoji) {
  std::vector<std::string> files;
  for (const auto& each : emoji) files.push_back(each.file);
  return files;
}

class EmojiSource : public ImageSource {
 public:
  EmojiSource(fs::path folder, std::vector<Emoji> emoji, std::string spec,
              const ImageLimits& limits)
      : folder_(std::move(folder)),
        emoji_(std::move(emoji)),
        spec_(std::move(spec)),
        limits_(limits),
        contents_(folder_, files_of(emoji_), limits.max_file_bytes()) {}

  int64_t size() const override { return int64_t(emoji_.size()); }
  SourceImage load(int64_t index) const override {
    return load_image_file(folder_ / at(index).file, limits_);
  }
  std::string name(int64_t index) const override {
    const auto label = at(index).label;
    return fmt::format("{}/{}",
                       label < 0 ? "Component" : kCategories[size_t(label)],
                       at(index).file);
  }
  int64_t label(int64_t index) const override { return at(index).label; }
  std::vector<std::string> class_names() const override {
    return {kCategories.begin(), kCategories.end()};
  }
  std::string spec() const override { return spec_; }
  std::vector<uint64_t> content_hashes(
      const std::vector<int64_t>& indices) const override {
    return contents_.hashes(indices);
  }

 private:
  const Emoji& at(int64_t index) const { return emoji_[size_t(index)]; }

  fs::path folder_;
  std::vector<Emoji> emoji_;
  std::string spec_;
  ImageLimits limits_;
  FileContents contents_;
};

}  // namespace

std::unique_ptr<ImageSource> open_emoji(const std::string& what,
                                        const std::string& spec,
                                        const ImageLimits& limits) {
  const auto colon = what.find(':');
  const auto set = what.substr(0, colon);
  const auto split = colon == std::string::npos ? "" : what.substr(colon + 1);
  if ((set != "google" && set != "twitter") ||
      (colon != std::string::npos && split != "train" && split != "test"))
    throw ConfigError(fmt::format(
        "{}: expected emoji:google or emoji:twitter, with :train or :test "
        "behind it or without",
        spec));
  for (const auto& root : dataset_roots()) {
    const auto folder = root / "emoji" / set;
    const auto table = folder / "emoji.json";
    if (!fs::is_regular_file(table)) continue;
    auto emoji = read_table(table, set);
    if (!split.empty())
      std::erase_if(emoji, [&](const Emoji& e) {
        return e.is_test != (split == "test");
      });
    return std::make_unique<EmojiSource>(folder / "64", std::move(emoji), spec,
                                         limits);
  }
  throw ConfigError(
      fmt::format("{}: not here; get it with: ./run data emoji", spec));
}

}  // namespace calotype
