#include "outputs/image_files.h"

#include <fmt/format.h>

#include <string_view>
#include <unordered_set>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/profile.h"
#include "datasets/subset_source.h"
#include "images/png_recipe.h"
#include "outputs/apart.h"
#include "outputs/folder_files.h"
#include "outputs/output_names.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxWaitingBytes = int64_t{64} << 20;  // of decoded pictures

/// "drawn" of "drawn/", and of "." in it.
fs::path by_its_name(const fs::path& folder) {
  auto path = (folder / "").parent_path();
  if (path.filename() == "." || path.filename() == "..")
    path = (fs::weakly_canonical(path) / "").parent_path();
  return path;
}

SetFolder open_folder(const ImageFolderPlan& plan,
                      std::function<bool(const std::string&)> makes) {
  expect_apart(plan.folder, plan.sets, plan.models);
  auto inputs = plan.sets;
  inputs.insert(inputs.end(), plan.models.begin(), plan.models.end());
  for (const auto& picture : plan.beside)
    expect_place_for_picture(picture, inputs);
  SetFolder folder(plan.folder,
                   {.command = plan.command,
                    .settings = plan.settings,
                    .makes = std::move(makes)},
                   plan.fresh);
  folder.begin();
  return folder;
}

std::unordered_map<std::string, std::string> files_by_name(
    const std::vector<std::string>& names) {
  const auto files = output_names(names);
  std::unordered_map<std::string, std::string> found;
  for (size_t i = 0; i < names.size(); ++i) found.emplace(names[i], files[i]);
  return found;
}

/// Where a picture comes to be before it has its name.
fs::path staged_file(const ImageFolderPlan& plan) {
  return plan.staging.empty() ? fs::path()
                              : plan.staging / (unique_token() + ".png");
}

/// Two writers of one path share a temporary file but for a lock, which some
/// file systems do not have: `staged` is nobody else's.
void put_picture(const fs::path& path, const fs::path& staged,
                 const std::vector<uint8_t>& png, Durability durability) {
  if (staged.empty()) return write_file_atomic(path, png, durability);
  write_file_atomic(staged, png, durability);
  fs::rename(staged, path);
}

/// To be called while `files` lives; costs memory where it is called at all.
std::function<bool(const std::string&)> is_one_of(
    const std::unordered_map<std::string, std::string>& files) {
  return [&files, all = std::unordered_set<std::string_view>()](
             const std::string& file) mutable {
    if (all.empty())
      for (const auto& item : files) all.insert(item.second);
    return all.contains(file);
  };
}

}  // namespace

fs::path grid_file(const fs::path& folder) {
  return by_its_name(folder) += ".png";
}

fs::path preview_file(const fs::path& folder) {
  return by_its_name(folder) += ".preview.png";
}

void expect_place_for_picture(const fs::path& file,
                              const std::vector<fs::path>& inputs) {
  expect_other_than(file, inputs);
  expect_own_picture(file);
}

ImageFolderPlan plan_of_set(const fs::path& folder, const std::string& command,
                            const LoadedCodec& codec,
                            const std::shared_ptr<const ImageSource>& source,
                            const Preprocessing& preprocessing, int64_t limit,
                            Json more) {
  const bool is_part = limit > 0 && limit < source->size();
  const auto data =
      is_part ? make_slice(source, 0, limit, source->spec())->fingerprint()
              : source->fingerprint();
  Json settings{{"codec", codec.sha256},
                {"data", data},
                {"preprocessing", preprocessing_record(preprocessing)},
                {"limit", limit}};
  settings.update(more);
  return {.folder = folder,
          .command = command,
          .settings = settings,
          .sets = {path_of_source(source->spec())},
          .models = {codec.path},
          .beside = {grid_file(folder)}};
}

ImageFolderWriter::ImageFolderWriter(const ImageFolderPlan& plan,
                                     const std::vector<std::string>& names)
    : ImageFolderWriter(plan, files_by_name(names)) {}

ImageFolderWriter::ImageFolderWriter(
    const ImageFolderPlan& plan,
    std::unordered_map<std::string, std::string> files)
    : folder_(open_folder(plan, is_one_of(files))),
      staged_(staged_file(plan)),
      files_(std::move(files)),
      writing_(std::make_unique<Background>(kMaxWaitingBytes)) {}

ImageFolderWriter::ImageFolderWriter(
    const ImageFolderPlan& plan, std::function<bool(const std::string&)> makes)
    : folder_(open_folder(plan, std::move(makes))),
      staged_(staged_file(plan)),
      writing_(std::make_unique<Background>(kMaxWaitingBytes)) {}

void ImageFolderWriter::write(const std::string& name, const at::Tensor& pixels,
                              const Json& recipe) {
  write_file(files_.at(name), pixels, recipe);
}

void ImageFolderWriter::write_file(const std::string& file,
                                   const at::Tensor& pixels,
                                   const Json& recipe) {
  const ProfileZone zone("hand over image");
  auto image = to_image(pixels);
  const auto bytes = int64_t(image.pixels.size());
  writing_->add(bytes, [path = folder_.path() / file, staged = staged_,
                        image = std::move(image),
                        text = recipe_text(folder_.signed_recipe(recipe))] {
    const ProfileZone writing("write image");
    make_folder(path.parent_path());
    put_picture(path, staged, encode_png(image, text), Durability::kRenamed);
  });
}

bool ImageFolderWriter::has_file(const std::string& file,
                                 const Json& recipe) const {
  return read_recipe(folder_.path() / file) == folder_.signed_recipe(recipe);
}

bool ImageFolderWriter::has(const std::string& name, const Json& recipe) const {
  return has_file(files_.at(name), recipe);
}

void ImageFolderWriter::finish() {
  const ProfileZone zone("wait for files");
  writing_->wait();
  sync_all(folder_.path());
}

void ImageFolderWriter::write_overview(const Image& image, Json recipe) {
  const auto file = grid_file(folder_.path());
  // It lies outside of the folder, so on another file system perhaps.
  const auto beside = file.parent_path() / (".calotype-" + unique_token());
  put_picture(file, staged_.empty() ? fs::path() : beside,
              encode_png(image, by_product_text("overview", std::move(recipe))),
              Durability::kSynced);
}

}  // namespace calotype
