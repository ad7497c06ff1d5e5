#include "tools/generate_output.h"

#include <torch/types.h>

#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/files.h"
#include "core/profile.h"
#include "datasets/loader.h"
#include "images/png_recipe.h"
#include "models/image_size.h"
#include "nn/latent_preview.h"
#include "outputs/image_files.h"
#include "tools/drawn_files.h"
#include "tools/folder_parts.h"

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

ImageFolderPlan plan_of(const OutputSetup& setup, const Json& settings) {
  const auto& job = setup.job;
  return {.folder = job.out,
          .command = "generate",
          .settings = settings,
          .fresh = job.fresh,
          .sets = {job.init_image, job.mask},
          .models = {job.model, job.codec, job.guide},
          .beside = {grid_file(job.out), preview_file(job.out)},
          .staging = is_in_parts(job) ? parts_folder(job.out)
                                      : std::filesystem::path()};
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
        writer_(plan_of(setup_, files_.settings()),
                [this](const std::string& file) { return files_.has(file); }) {}

  bool has(const DrawnRows& rows) override {
    for (int64_t i = 0; i < rows.samples.size(0); ++i)
      if (!writer_.has_file(file_of(rows.begin + i), recipe_of(rows.begin + i)))
        return false;
    return true;
  }

  void add(const at::Tensor& latents, const DrawnRows& rows) override {
    const auto [height, width] = decoded_size(setup_);
    const auto at_once = std::max<int64_t>(
        1, kUsualBatchPixels / std::max<int64_t>(1, height * width));
    for (int64_t begin = 0; begin < latents.size(0); begin += at_once) {
      const auto count = std::min(at_once, latents.size(0) - begin);
      auto images = decoded(latents.narrow(0, begin, count));
      if (setup_.init) images = setup_.init->paste(images);
      for (int64_t i = 0; i < count; ++i) {
        const auto k = rows.begin + begin + i;
        writer_.write_file(file_of(k), images[i], recipe_of(k));
      }
    }
  }

  void preview(const at::Tensor& latents) override {
    auto images = look_at(latents).to(torch::kCPU);
    if (setup_.init) images = setup_.init->paste(images);
    write_file_atomic(preview_file(setup_.job.out),
                      encode_png(grid_of(images), by_product_text("preview")),
                      Durability::kRenamed);
  }

  void flush() override { writer_.finish(); }

  void finish() override {
    writer_.finish();
    write_overview();
    if (setup_.job.preview_every > 0)
      std::filesystem::remove(preview_file(setup_.job.out));
  }

  Json settings() const override { return files_.settings(); }

 private:
  /// Of the files: whoever finishes need not have drawn them.
  void write_overview() {
    std::vector<at::Tensor> shown;
    for (int64_t k = 0, count = 1; k < count; ++k) {
      const auto file = setup_.job.out / file_of(k);
      shown.push_back(
          to_tensor(decode_image(read_file(file), file.string())).unsqueeze(0));
      if (k == 0)
        count = std::min(setup_.job.count, num_in_overview(shown.front()));
    }
    auto recipe = setup_.recipe;
    recipe["samples"] = {files_.sample(0),
                         files_.sample(std::ssize(shown) - 1)};
    writer_.write_overview(grid_of(torch::cat(shown)), recipe);
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

  std::string file_of(int64_t k) const { return files_.name(k) + ".png"; }

  Json recipe_of(int64_t k) const {
    auto recipe = setup_.recipe;
    recipe["sample"] = files_.sample(k);
    recipe["class"] = files_.class_name(k);
    if (setup_.job.to_seed)
      recipe["way"] =
          double(k) / double(std::max<int64_t>(1, setup_.job.count - 1));
    return recipe;
  }

  OutputSetup setup_;
  DrawnFiles files_;
  ImageFolderWriter writer_;
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

}  // namespace calotype
