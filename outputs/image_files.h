#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/background.h"
#include "core/config.h"
#include "datasets/image_source.h"
#include "images/transforms.h"
#include "models/codec.h"
#include "outputs/set_folder.h"

namespace calotype {

/// The overview of a folder of images, a picture beside it: a set's folder
/// holds nothing but the set. "drawn" has "drawn.png".
std::filesystem::path grid_file(const std::filesystem::path& folder);

/// What is being drawn, seen on the way: "drawn" has "drawn.preview.png".
std::filesystem::path preview_file(const std::filesystem::path& folder);

/// Throws ConfigError unless a picture may be written to `file`: nothing is
/// there, or a picture of ours that is none of the inputs.
void expect_place_for_picture(const std::filesystem::path& file,
                              const std::vector<std::filesystem::path>& inputs);

/// Which folder a set is written to, by which call.
struct ImageFolderPlan {
  std::filesystem::path folder;
  std::string command;
  Json settings;  // what the images depend on
  bool fresh = false;
  std::vector<std::filesystem::path> sets;    // images and stores that are read
  std::vector<std::filesystem::path> models;  // models that are read
  std::vector<std::filesystem::path> beside;  // pictures written beside it
  // Where several processes may write the same pictures: a folder on the same
  // file system in which each comes to be, under a name of this process's own,
  // before it takes its place; it need not be there yet. Empty: there is one.
  std::filesystem::path staging;
};

/// A call that makes a picture of each of the first `limit` images of a set (0:
/// of all) by a codec. `more`: what else the pictures depend on. The set is
/// known by its contents, so that a call over other images is another call.
ImageFolderPlan plan_of_set(const std::filesystem::path& folder,
                            const std::string& command,
                            const LoadedCodec& codec,
                            const std::shared_ptr<const ImageSource>& source,
                            const Preprocessing& preprocessing, int64_t limit,
                            Json more = Json::object());

/// Writes a folder of images, and pictures beside it.
class ImageFolderWriter {
 public:
  /// `names`: of all images, which come from elsewhere (a store, a set); see
  /// output_names(). Throws ConfigError, with nothing touched, for a folder
  /// that holds what is not of this call (see SetFolder), or is or meets
  /// what is read; DataError for names that cannot be files.
  ImageFolderWriter(const ImageFolderPlan& plan,
                    const std::vector<std::string>& names);

  /// The same for files that `makes` tells by their path below the folder.
  ImageFolderWriter(const ImageFolderPlan& plan,
                    std::function<bool(const std::string&)> makes);

  /// `pixels`: [C,H,W] in [-1,1]. `name`: one of those given. The file is
  /// written while the caller goes on: what comes later, finish() at the
  /// latest, throws what kept an earlier one from being written.
  void write(const std::string& name, const at::Tensor& pixels,
             const Json& recipe);

  /// The same under the path of a file below the folder.
  void write_file(const std::string& file, const at::Tensor& pixels,
                  const Json& recipe);

  /// Whether an earlier call that was the same has written this very file.
  bool has_file(const std::string& file, const Json& recipe) const;

  /// The same of an image that write() was given.
  bool has(const std::string& name, const Json& recipe) const;

  /// The picture beside the folder that shows what is in it.
  void write_overview(const Image& image, Json recipe = Json::object());

  /// To be called after the last image: all that were given are on the disk
  /// then.
  void finish();

 private:
  ImageFolderWriter(const ImageFolderPlan& plan,
                    std::unordered_map<std::string, std::string> files);

  SetFolder folder_;
  std::filesystem::path staged_;  // file of this process; empty: none
  std::unordered_map<std::string, std::string> files_;  // by name
  std::unique_ptr<Background> writing_;
};

}  // namespace calotype
