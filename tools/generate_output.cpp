#include "tools/generate_output.h"

#include <torch/types.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/check.h"
#include "core/disk_space.h"
#include "core/error.h"
#include "core/files.h"
#include "core/printable.h"
#include "core/profile.h"
#include "datasets/class_folder.h"
#include "datasets/loader.h"
#include "images/png_recipe.h"
#include "models/image_size.h"
#include "models/token_space.h"
#include "nn/latent_preview.h"
#include "nn/precision.h"
#include "outputs/apart.h"
#include "outputs/folder_files.h"
#include "outputs/image_files.h"
#include "store/latent_store.h"
#include "store/store_info.h"
#include "store/store_rows.h"
#include "store/store_size.h"

namespace calotype {
namespace {

constexpr int64_t kGridColumns = 10;
constexpr int64_t kOverviewImages = 100;
constexpr int64_t kOverviewPixels = 2 * kUsualBatchPixels;  // all in memory

/// Images of an overview of images [N,C,H,W].
int64_t num_in_overview(const at::Tensor& images) {
  return std::clamp<int64_t>(
      kOverviewPixels / (images.size(2) * images.size(3)), 1, kOverviewImages);
}

Image grid_of(const at::Tensor& images) {
  return image_grid(images, kGridColumns, images.size(3) < 64 ? 2 : 1);
}

/// "any" for label -1.
std::string class_name(const LatentSpace& space, int64_t label) {
  if (label < 0) return "any";
  return label < int64_t(space.class_names.size())
             ? space.class_names[size_t(label)]
             : std::to_string(label);
}

/// What a call draws, beside the recipe of each: which samples of which
/// classes.
Json settings_of(const OutputSetup& setup) {
  Json classes = Json::array();
  for (const auto label : setup.classes)
    classes.push_back(class_name(setup.space, label));
  return {{"recipe", setup.recipe},
          {"first", setup.job.first},
          {"count", setup.job.count},
          {"classes", classes}};
}

/// Where drawn images are named: on the way from seed to seed all are of one
/// sample, and counted.
class DrawnFiles {
 public:
  explicit DrawnFiles(const OutputSetup& setup)
      : space_(setup.space),
        classes_(setup.classes),
        first_(setup.job.to_seed ? 0 : setup.job.first),
        end_(first_ + setup.job.count),
        sample_(setup.job.to_seed ? std::optional(setup.job.first)
                                  : std::nullopt) {}

  /// Of image `number`, without an ending.
  std::string name(int64_t number, int64_t label) const {
    return fmt::format("{}/{:05}", class_folder(class_name(space_, label)),
                       number);
  }

  /// Whether a file is one of this call's.
  bool has(const std::string& file) const {
    const auto digits = file.substr(file.rfind('/') + 1);
    int64_t number = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc() || number < first_ || number >= end_) return false;
    const auto sample = size_t(sample_.value_or(number));
    return file == name(number, classes_[sample % classes_.size()]) + ".png";
  }

 private:
  const LatentSpace& space_;
  std::vector<int64_t> classes_;
  int64_t first_, end_;
  std::optional<int64_t> sample_;
};

ImageFolderPlan plan_of(const OutputSetup& setup) {
  const auto& job = setup.job;
  return {.folder = job.out,
          .command = "generate",
          .settings = settings_of(setup),
          .fresh = job.fresh,
          .sets = {job.init_image, job.mask},
          .models = {job.model, job.codec, job.guide},
          .beside = {grid_file(job.out), preview_file(job.out)}};
}

OutputSetup with_codec(OutputSetup setup) {
  if (setup.tokens && !setup.codec->tokenizer)
    throw ConfigError(fmt::format("{}: draws tokens, and a {} has none",
                                  setup.job.model.string(),
                                  setup.codec->class_name));
  setup.recipe["codec"] = setup.codec->sha256;
  return setup;
}

class ImageOutput : public GenerateOutput {
 public:
  explicit ImageOutput(OutputSetup setup)
      : setup_(with_codec(std::move(setup))),
        files_(setup_),
        writer_(plan_of(setup_), [files = files_](const std::string& file) {
          return files.has(file);
        }) {}

  bool has(const at::Tensor& samples, const at::Tensor& labels) override {
    if (num_shown_ < most_shown_) return false;  // the overview needs them
    const auto before = num_written_;
    for (int64_t i = 0; i < samples.size(0); ++i, ++num_written_) {
      const auto sample = samples[i].item<int64_t>(),
                 label = labels[i].item<int64_t>();
      if (writer_.has_file(file_of(sample, label), recipe_of(sample, label)))
        continue;
      num_written_ = before;
      return false;
    }
    return true;
  }

  void add(const at::Tensor& latents, const at::Tensor& samples,
           const at::Tensor& labels) override {
    const auto [height, width] = decoded_size(setup_);
    const auto at_once = std::max<int64_t>(
        1, kUsualBatchPixels / std::max<int64_t>(1, height * width));
    for (int64_t begin = 0; begin < latents.size(0); begin += at_once) {
      const auto count = std::min(at_once, latents.size(0) - begin);
      add_decoded(decoded(latents.narrow(0, begin, count)),
                  samples.narrow(0, begin, count),
                  labels.narrow(0, begin, count));
    }
  }

  void preview(const at::Tensor& latents) override {
    auto images = look_at(latents).to(torch::kCPU);
    if (setup_.init) images = setup_.init->paste(images);
    write_file_atomic(preview_file(setup_.job.out),
                      encode_png(grid_of(images), by_product_text("preview")),
                      Durability::kRenamed);
  }

  void finish() override {
    auto recipe = setup_.recipe;
    const auto last =
        setup_.job.first + (setup_.job.to_seed ? 0 : num_shown_ - 1);
    recipe["samples"] = {setup_.job.first, last};
    writer_.write_overview(grid_of(torch::cat(shown_)), recipe);
    if (setup_.job.preview_every > 0)
      std::filesystem::remove(preview_file(setup_.job.out));
    writer_.finish();
  }

 private:
  void add_decoded(at::Tensor images, const at::Tensor& samples,
                   const at::Tensor& labels) {
    if (setup_.init) images = setup_.init->paste(images);
    for (int64_t i = 0; i < images.size(0); ++i) {
      const auto sample = samples[i].item<int64_t>(),
                 label = labels[i].item<int64_t>();
      writer_.write_file(file_of(sample, label), images[i],
                         recipe_of(sample, label));
      ++num_written_;
    }
    most_shown_ = num_in_overview(images);
    const auto left = most_shown_ - num_shown_;
    if (left <= 0) return;
    // Copies: a view would keep the memory of the whole batch.
    shown_.push_back(
        images.narrow(0, 0, std::min(left, images.size(0))).clone());
    num_shown_ += shown_.back().size(0);
  }

  /// On the CPU.
  at::Tensor decoded(const at::Tensor& latents) {
    const ProfileZone zone("decode", ZoneKind::kNetwork);
    const auto on_device = latents.to(setup_.job.device);
    return cut_to(latents.scalar_type() == torch::kLong
                      ? setup_.codec->tokenizer->detokenize(on_device)
                      : setup_.codec->codec->decode(on_device),
                  setup_.space.image_size)
        .to(torch::kCPU);
  }

  /// By the linear map that the store knew, or by the decoder, a few at a time:
  /// decoders of large images take much memory for each.
  at::Tensor look_at(const at::Tensor& latents) {
    const auto& space = setup_.space;
    const auto shown =
        latents.narrow(0, 0, std::min(kOverviewImages, latents.size(0)));
    if (int64_t(space.preview_matrix.size()) ==
        setup_.codec->codec->image_channels()) {
      const auto f = setup_.codec->codec->downsample();
      return cut_to(
          latent_preview(shown, space.preview_matrix, space.preview_bias)
              .repeat_interleave(f, 2)
              .repeat_interleave(f, 3),
          space.image_size);
    }
    constexpr int64_t kDecoded = 16;
    return decoded(shown.narrow(0, 0, std::min(kDecoded, shown.size(0))));
  }

  /// Of the next image.
  std::string file_of(int64_t sample, int64_t label) const {
    return files_.name(setup_.job.to_seed ? num_written_ : sample, label) +
           ".png";
  }

  Json recipe_of(int64_t sample, int64_t label) const {
    auto recipe = setup_.recipe;
    recipe["sample"] = sample;
    recipe["class"] = class_name(setup_.space, label);
    if (setup_.job.to_seed)
      recipe["way"] = double(num_written_) /
                      double(std::max<int64_t>(1, setup_.job.count - 1));
    return recipe;
  }

  OutputSetup setup_;
  DrawnFiles files_;
  ImageFolderWriter writer_;
  std::vector<at::Tensor> shown_;
  int64_t num_shown_ = 0, num_written_ = 0;
  int64_t most_shown_ = kOverviewImages;
};

/// Behind the index of the last image.
int64_t end_of(const GenerateJob& job) {
  return (job.to_seed ? 0 : job.first) + job.count;
}

StoreInfo drawn_store_info(const OutputSetup& setup) {
  StoreInfo info{.kind = "latents", .dtype = "fp32"};
  info.precision = precision_name(current_precision());
  if (setup.tokens) {
    info.kind = "tokens";
    const auto num_codes = setup.space.codec.num_codes();
    info.dtype = token_dtype(num_codes > 0 ? num_codes : int64_t{1} << 24);
  }
  info.codec = setup.space.codec;
  info.recipe = setup.recipe;
  info.source = {{"spec", "generated"},
                 {"fingerprint", json_text(settings_of(setup))},
                 {"count", end_of(setup.job)}};
  info.class_names = setup.space.class_names;
  return info;
}

void expect_place_for_store(const OutputSetup& setup) {
  const auto& job = setup.job;
  check_range("generate", "--first and --count of a store, together",
              double(end_of(job)), 1, double(int64_t{1} << 33));
  expect_apart(job.out, {job.init_image, job.mask}, {job.model, job.guide});
  expect_empty(job.out, "store.json");
}

class StoreOutput : public GenerateOutput {
 public:
  explicit StoreOutput(OutputSetup setup)
      : setup_(std::move(setup)),
        files_(setup_),
        writer_(setup_.job.out, drawn_store_info(setup_)),
        is_stored_(writer_.stored(end_of(setup_.job))) {}

  bool has(const at::Tensor& samples, const at::Tensor&) override {
    const auto indices = indices_of(samples);
    for (int64_t i = 0; i < indices.size(0); ++i)
      if (!is_stored_[size_t(indices[i].item<int64_t>())]) return false;
    num_drawn_ += samples.size(0);
    return true;
  }

  void add(const at::Tensor& latents, const at::Tensor& samples,
           const at::Tensor& labels) override {
    StoreRows rows{.labels = labels, .indices = indices_of(samples)};
    num_drawn_ += latents.size(0);
    (setup_.tokens ? rows.tokens : rows.grid.mean) = latents;
    for (int64_t i = 0; i < latents.size(0); ++i) {
      rows.names.push_back(printable(files_.name(
          rows.indices[i].item<int64_t>(), labels[i].item<int64_t>())));
      rows.sizes.push_back(image_size());
      rows.hashes.push_back(0);
    }
    append_missing(rows);
  }

  void preview(const at::Tensor&) override {}
  void finish() override { writer_.finish(); }

 private:
  /// What decode() cuts each image to; 0 for as it is.
  std::array<int32_t, 2> image_size() const {
    const auto& size = setup_.space.image_size;
    if (size.empty()) return {0, 0};
    return {int32_t(size[0]), int32_t(size[1])};
  }

  at::Tensor indices_of(const at::Tensor& samples) const {
    return setup_.job.to_seed
               ? torch::arange(num_drawn_, num_drawn_ + samples.size(0),
                               torch::kLong)
               : samples;
  }

  /// A batch that the end of a shard cut in two was drawn again as a whole.
  void append_missing(const StoreRows& rows) {
    const auto n = rows.indices.size(0);
    const auto is_stored = [&](int64_t i) {
      return bool(is_stored_[size_t(rows.indices[i].item<int64_t>())]);
    };
    for (int64_t begin = 0, end = 0; begin < n; begin = end) {
      while (end < n && is_stored(end) == is_stored(begin)) ++end;
      if (!is_stored(begin))
        writer_.append(slice_rows(rows, begin, end - begin));
    }
  }

  OutputSetup setup_;
  DrawnFiles files_;
  StoreWriter writer_;
  std::vector<bool> is_stored_;
  int64_t num_drawn_ = 0;
};

}  // namespace

LoadedCodec codec_of(const GenerateJob& job, const LatentSpace& space) {
  auto codec = load_recorded_codec(space.codec, job.codec, job.any_codec,
                                   job.model, job.device);
  if (!space.grid_shape.empty())  // of tokens it is not told
    expect_depth(codec, space.grid_shape[0], job.model.string());
  return codec;
}

std::array<int64_t, 2> decoded_size(const OutputSetup& setup) {
  const auto& size = setup.space.image_size;
  if (!size.empty()) return {size[0], size[1]};
  const auto& shape = setup.space.grid_shape;  // of tokens it is not told
  if (shape.empty()) return {0, 0};
  const auto f = setup.codec->codec->downsample();
  return {shape[1] * f, shape[2] * f};
}

std::unique_ptr<GenerateOutput> image_output(OutputSetup setup) {
  return std::make_unique<ImageOutput>(std::move(setup));
}

bool is_drawn_already(const OutputSetup& setup) {
  const auto file = setup.job.out / "store.json";
  if (!std::filesystem::exists(file)) return false;
  const auto found = parse_store_info(read_text_file(file), file.string());
  if (!found.complete ||
      !first_difference(found, drawn_store_info(setup)).empty())
    return false;
  try {
    return StoreReader(setup.job.out).size() == setup.job.count;
  } catch (const DataError&) {  // damaged: what is missing is drawn
    return false;
  }
}

std::unique_ptr<GenerateOutput> store_output(OutputSetup setup) {
  expect_place_for_store(setup);
  const auto& shape = setup.space.grid_shape;  // of tokens it is not told
  const auto cells = shape.empty() ? 0 : shape[1] * shape[2];
  const auto depth = shape.empty() ? 0 : shape[0];
  expect_space(setup.job.out, least_store_bytes(drawn_store_info(setup),
                                                setup.job.count, cells, depth));
  return std::make_unique<StoreOutput>(std::move(setup));
}

}  // namespace calotype
