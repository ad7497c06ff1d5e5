#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <span>
#include <utility>

#include "core/error.h"
#include "core/printable.h"
#include "datasets/archive_index.h"
#include "datasets/folder_classes.h"
#include "datasets/folder_walk.h"
#include "datasets/sample_labels.h"
#include "images/image_format.h"
#include "images/png_recipe.h"

namespace calotype {
namespace {

constexpr uint64_t kMaxTexts = uint64_t{1} << 30;  // of labels, in bytes

bool is_image(const std::string& name, std::span<const uint8_t> bytes) {
  return has_image_extension(name) ||
         sniff_format(bytes.first(std::min(bytes.size(), kSniffBytes))) !=
             ImageFormat::kNone;
}

/// "3 .txt, 1 without an ending".
std::string count_by_ending(const std::vector<std::string>& names) {
  std::map<std::string, int64_t> counts;
  for (const auto& name : names) ++counts[lower_extension(name)];
  constexpr size_t kShown = 8;
  std::string text;
  size_t num_shown = 0;
  for (const auto& [ending, count] : counts) {
    if (++num_shown > kShown) return text + " and others";
    text +=
        fmt::format("{}{} {}", text.empty() ? "" : ", ", count,
                    ending.empty() ? "without an ending" : printable(ending));
  }
  return text;
}

void refuse_doubles(const std::string& where, std::vector<std::string> names) {
  std::ranges::sort(names);
  const auto twice = std::ranges::adjacent_find(names);
  if (twice != names.end())
    throw DataError(
        fmt::format("{}: two members are called {}", where, printable(*twice)));
}

/// Where no sub-folder is a class of its own, since one lies around all.
void tell_one_folder(const std::string& where, const ArchiveIndex& index,
                     std::vector<std::string>& notes) {
  if (index.classes.names.size() != 1) return;
  const auto slashes = [](const TarMember& image) {
    return std::ranges::count(image.name, '/');
  };
  const bool is_around = std::ranges::all_of(
      index.images, [&](const TarMember& image) { return slashes(image) > 1; });
  if (is_around)
    notes.push_back(fmt::format(
        "{}: all images lie in folders of one folder, {}, which is then the "
        "one class; for the folders in it as classes pack from inside of it: "
        "tar -C {} -cf NEW.tar .",
        where, index.classes.names[0], index.classes.names[0]));
}

}  // namespace

void IndexBuilder::add(
    const TarMember& member,
    const std::function<std::span<const uint8_t>(bool is_label)>& content) {
  if (is_left_out(member.name)) {
    ++num_hidden_;
    return;
  }
  if (may_hold_labels(member.name)) {
    const auto bytes = content(/*is_label=*/true);
    text_bytes_ += bytes.size();
    if (text_bytes_ > kMaxTexts)
      throw DataError(fmt::format(
          "{}: more than 1 GiB of .cls and .json files, which are no labels",
          where_));
    others_.emplace_back(member.name, std::string(bytes.begin(), bytes.end()));
    return;
  }
  const bool is_called_png = lower_extension(member.name) == ".png";
  const bool is_called_image = has_image_extension(member.name);
  const auto bytes = is_called_image && !is_called_png
                         ? std::span<const uint8_t>()
                         : content(/*is_label=*/false);
  if (!is_image(member.name, bytes)) {
    others_.emplace_back(member.name, "");
    return;
  }
  if (is_called_png)
    if (const auto recipe = read_recipe(bytes);
        recipe && is_by_product(*recipe)) {
      ++num_pictures_;
      return;
    }
  images_.push_back(member);
}

ArchiveIndex IndexBuilder::finish(bool sorts) {
  std::ranges::sort(others_);
  auto sorted = images_;
  std::ranges::sort(sorted, {}, &TarMember::name);
  SetFiles files;
  for (const auto& image : sorted) files.images.push_back(image.name);
  for (const auto& other : others_) files.others.push_back(other.first);
  auto all = files.images;
  all.insert(all.end(), files.others.begin(), files.others.end());
  refuse_doubles(where_, std::move(all));

  ArchiveIndex index;
  index.classes = find_classes(
      where_, files, [&](size_t other) { return others_[other].second; },
      index.notes);
  index.images = std::move(sorted);
  if (index.notes.empty()) tell_one_folder(where_, index, index.notes);
  if (!files.others.empty())
    index.notes.push_back(
        fmt::format("{}: {} members are no images and left out: {}", where_,
                    files.others.size(), count_by_ending(files.others)));
  if (num_hidden_ > 0)
    index.notes.push_back(
        fmt::format("{}: {} hidden members are left out", where_, num_hidden_));
  if (num_pictures_ > 0)
    index.notes.push_back(
        fmt::format("{}: {} overviews that the program drew are left out",
                    where_, num_pictures_));
  for (const auto& other : files.others)
    index.others.push_back(printable(other));
  if (!sorts) {
    std::vector<std::pair<TarMember, int32_t>> both;
    for (size_t i = 0; i < index.images.size(); ++i)
      both.emplace_back(std::move(index.images[i]), index.classes.labels[i]);
    std::ranges::sort(both, {},
                      [](const auto& one) { return one.first.offset; });
    for (size_t i = 0; i < both.size(); ++i) {
      index.images[i] = std::move(both[i].first);
      index.classes.labels[i] = both[i].second;
    }
  }
  return index;
}

}  // namespace calotype
