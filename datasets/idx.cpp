#include "datasets/idx.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "core/error.h"
#include "core/hash.h"
#include "datasets/dataset_roots.h"
#include "datasets/idx_file.h"
#include "images/codecs.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

class IdxSource : public ImageSource {
 public:
  IdxSource(IdxArray images, IdxArray labels,
            std::vector<std::string> class_names, std::string spec)
      : images_(std::move(images)),
        labels_(std::move(labels)),
        class_names_(std::move(class_names)),
        spec_(std::move(spec)) {}

  int64_t size() const override { return images_.shape[0]; }

  SourceImage load(int64_t index) const override {
    const int64_t height = images_.shape[1], width = images_.shape[2];
    const auto pixels =
        std::span(images_.values)
            .subspan(size_t(index * height * width), size_t(height * width));
    return {{height, width, 1, {pixels.begin(), pixels.end()}}, xxh64(pixels)};
  }

  std::string name(int64_t index) const override {
    return fmt::format("{:05}", index);
  }

  int64_t label(int64_t index) const override {
    return labels_.values.empty() ? -1 : labels_.values[size_t(index)];
  }

  std::vector<std::string> class_names() const override { return class_names_; }
  std::string spec() const override { return spec_; }

 private:
  IdxArray images_;  // [count, height, width]
  IdxArray labels_;  // [count], or empty
  std::vector<std::string> class_names_;
  std::string spec_;
};

void replace(std::string& text, std::string_view from, std::string_view to) {
  if (const auto at = text.find(from); at != std::string::npos)
    text.replace(at, from.size(), to);
}

/// "train-images-idx3-ubyte.gz" -> "train-labels-idx1-ubyte.gz", gzipped or
/// not; an empty path if there is none.
fs::path find_labels(const fs::path& images) {
  auto name = images.filename().string();
  replace(name, "images", "labels");
  replace(name, "idx3", "idx1");
  if (name == images.filename().string()) return {};
  const auto other =
      name.ends_with(".gz") ? name.substr(0, name.size() - 3) : name + ".gz";
  for (const auto& candidate : {name, other})
    if (const auto path = images.parent_path() / candidate;
        fs::is_regular_file(path))
      return path;
  return {};
}

IdxArray read_labels(const fs::path& path, int64_t count) {
  auto labels = read_idx(path);
  if (labels.shape.size() != 1 || labels.shape[0] != count)
    throw DataError(fmt::format(
        "{}: expected {} labels for {} images, got {} values in {} dimensions",
        path.string(), count, count, labels.values.size(),
        labels.shape.size()));
  return labels;
}

}  // namespace

std::unique_ptr<ImageSource> open_idx(const fs::path& images,
                                      const std::string& spec,
                                      const ImageLimits& limits,
                                      std::vector<std::string> class_names) {
  auto pixels = read_idx(images);
  const auto where = images.string();
  if (pixels.shape.size() != 3)
    throw DataError(
        fmt::format("{}: expected images of 3 dimensions (count, height, "
                    "width), got {} dimensions",
                    where, pixels.shape.size()));
  if (pixels.shape[0] == 0)
    throw ConfigError(where + ": no images found (an empty file)");
  check_image_size(where, "IDX", pixels.shape[2], pixels.shape[1], limits);

  IdxArray labels;
  const auto labels_path = find_labels(images);
  if (!labels_path.empty()) {
    labels = read_labels(labels_path, pixels.shape[0]);
    const int64_t count = *std::ranges::max_element(labels.values) + 1;
    if (class_names.empty())
      for (int64_t i = 0; i < count; ++i)
        class_names.push_back(std::to_string(i));
    if (count > int64_t(class_names.size()))
      throw DataError(fmt::format("{}: label {} of {} classes",
                                  labels_path.string(), count - 1,
                                  class_names.size()));
  } else {
    class_names.clear();
  }
  return std::make_unique<IdxSource>(std::move(pixels), std::move(labels),
                                     std::move(class_names), spec);
}

std::unique_ptr<ImageSource> open_fashion_mnist(const std::string& split,
                                                const std::string& spec,
                                                const ImageLimits& limits) {
  if (split != "train" && split != "test")
    throw ConfigError(fmt::format(
        "{}: expected fashion-mnist:train or fashion-mnist:test", spec));
  const auto roots = dataset_roots();
  const std::string stem = split == "train" ? "train" : "t10k";
  for (const auto& root : roots)
    for (const char* suffix : {".gz", ""}) {
      const auto path =
          root / "fashion-mnist" / (stem + "-images-idx3-ubyte" + suffix);
      if (fs::is_regular_file(path))
        return open_idx(path, spec, limits,
                        {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                         "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"});
    }
  throw ConfigError(fmt::format(
      "{}: not found in {}; get it with: apt install dataset-fashion-mnist",
      spec, (roots.back() / "fashion-mnist").string()));
}

}  // namespace calotype
