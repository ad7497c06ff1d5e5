#include "outputs/set_folder.h"

#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/hash.h"
#include "core/json_difference.h"
#include "core/note.h"
#include "datasets/folder_walk.h"
#include "images/image_format.h"
#include "images/png_recipe.h"
#include "outputs/folder_files.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCall = "call";  // in a recipe

/// Adds to `flat` the settings that a recipe names, without the objects that
/// they are in: a recipe has none.
void add_named(const Json& settings, const Json& recipe, Json& flat) {
  for (const auto& item : settings.items()) {
    if (item.value().is_object()) {
      add_named(item.value(), recipe, flat);
      continue;
    }
    const auto named = recipe.find(item.key());
    if (named != recipe.end() && named->is_primitive())
      flat[item.key()] = item.value();
  }
}

/// " (seed: 0 before, 1 now)", of what both the recipe and the settings name;
/// empty if that is alike.
std::string difference(const Json& recipe, const Json& settings) {
  Json now = Json::object(), before = Json::object();
  add_named(settings, recipe, now);
  for (const auto& item : now.items()) before[item.key()] = recipe[item.key()];
  const auto text = difference_text(before, now);
  return text.empty() ? "" : " (" + text + ")";
}

/// Whether a set that is read from the folder would take the file for an image.
bool is_image(const fs::path& file) {
  return has_image_extension(file) ||
         (fs::is_regular_file(file) &&
          sniff_format(read_leading_bytes(file)) != ImageFormat::kNone);
}

/// Of a folder that is begun anew, takes what is no image from the strangers:
/// it stays, and is no part of the set.
void leave_other_files(const fs::path& folder,
                       std::vector<std::string>& strangers) {
  std::vector<std::string> images, others;
  for (const auto& file : strangers)
    (is_image(folder / file) ? images : others).push_back(file);
  if (!others.empty())
    note(fmt::format("{}: holds {}, which {} no image and stay{}",
                     folder.string(), some_of(others),
                     others.size() == 1 ? "is" : "are",
                     others.size() == 1 ? "s" : ""));
  strangers = images;
}

}  // namespace

SetFolder::SetFolder(const fs::path& folder, const SetPlan& plan, bool fresh)
    : folder_((folder / "").parent_path()) {
  const Json call{{"command", plan.command}, {"settings", plan.settings}};
  call_ = hex64(xxh64(json_text(call)));
  std::vector<std::string> own, others, unasked, strangers;
  std::string how;  // the first of the others differs
  for (const auto& file : visible_files(folder_)) {
    const auto recipe = read_recipe(folder_ / file);
    if (!recipe) {
      strangers.push_back(file);
      continue;
    }
    own.push_back(file);
    if (recipe->value(kCall, Json()) != call_) {
      if (others.empty()) how = difference(*recipe, plan.settings);
      others.push_back(file);
    } else if (!plan.makes(file)) {
      unasked.push_back(file);
    }
  }
  if (fresh) leave_other_files(folder_, strangers);
  refuse_strangers(folder_, strangers);
  const auto refuse = [&](const std::vector<std::string>& files,
                          const std::string& what) {
    if (!files.empty() && !fresh)
      throw ConfigError(fmt::format(
          "{}: holds {}, {}; choose an empty folder, or remove it with --fresh",
          folder_.string(), some_of(files), what));
  };
  refuse(others, "of another call" + how);
  refuse(unasked, "which this call does not make");
  if (fresh) to_remove_ = own;
}

void SetFolder::begin() {
  remove_files(folder_, to_remove_);
  make_folder(folder_);
}

Json SetFolder::signed_recipe(Json recipe) const {
  recipe[kCall] = call_;
  return recipe;
}

}  // namespace calotype
