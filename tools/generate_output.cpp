#include "tools/generate_output.h"

#include <torch/torch.h>

#include <algorithm>
#include <array>

#include "core/disk_space.h"
#include "core/error.h"
#include "core/files.h"
#include "core/runtime.h"
#include "datasets/latent_store.h"
#include "datasets/store_size.h"
#include "nn/latent_preview.h"
#include "tools/classifier_model.h"
#include "tools/image_files.h"
#include "tools/image_size.h"
#include "tools/token_space.h"

namespace calotype {
namespace {

constexpr int64_t kGridColumns = 10;
constexpr int64_t kGridImages = 100;

Image grid_of(const at::Tensor& images) {
  return image_grid(images, kGridColumns, images.size(3) < 64 ? 2 : 1);
}

class ImageOutput : public GenerateOutput {
 public:
  explicit ImageOutput(OutputSetup setup)
      : setup_(std::move(setup)), writer_(setup_.job.out) {
    if (setup_.tokens && !setup_.codec->tokenizer)
      throw ConfigError(fmt::format("{}: draws tokens, and a {} has none",
                                    setup_.job.model.string(),
                                    setup_.codec->class_name));
    setup_.recipe["codec"] = setup_.codec->sha256;
  }

  void add(const at::Tensor& latents, const at::Tensor& samples,
           const at::Tensor& labels) override {
    auto images = decoded(latents).to(torch::kCPU);
    if (setup_.init) images = setup_.init->paste(images);
    for (int64_t i = 0; i < images.size(0); ++i) {
      const auto sample = samples[i].item<int64_t>();
      const auto name = class_name(setup_.space, labels[i].item<int64_t>());
      auto recipe = setup_.recipe;
      recipe["sample"] = sample;
      recipe["class"] = name;
      if (setup_.job.to_seed)
        recipe["way"] = double(num_written_) /
                        double(std::max<int64_t>(1, setup_.job.count - 1));
      writer_.write(
          fmt::format("{}/{:05}.png", file_word(name), file_number(sample)),
          images[i],
          {{"Software", version_text()}, {"calotype", json_text(recipe)}});
      ++num_written_;
    }
    const auto left = kGridImages - num_shown_;
    if (left <= 0) return;
    shown_.push_back(images.narrow(0, 0, std::min(left, images.size(0))));
    num_shown_ += shown_.back().size(0);
  }

  void preview(const at::Tensor& latents) override {
    auto images = look_at(latents).to(torch::kCPU);
    if (setup_.init) images = setup_.init->paste(images);
    write_file_atomic(preview_file(setup_.job.out),
                      encode_png(grid_of(images)));
  }

  void finish() override {
    auto recipe = setup_.recipe;
    const auto last =
        setup_.job.first + (setup_.job.to_seed ? 0 : num_shown_ - 1);
    recipe["samples"] = {setup_.job.first, last};
    write_file_atomic(grid_file(setup_.job.out),
                      encode_png(grid_of(torch::cat(shown_)),
                                 {{"Software", version_text()},
                                  {"calotype", json_text(recipe)}}));
    std::filesystem::remove(preview_file(setup_.job.out));
  }

 private:
  at::Tensor decoded(const at::Tensor& latents) {
    const auto on_device = latents.to(setup_.job.device);
    return cut_to(latents.scalar_type() == torch::kLong
                      ? setup_.codec->tokenizer->detokenize(on_device)
                      : setup_.codec->codec->decode(on_device),
                  setup_.space.image_size);
  }

  /// By the linear map that the store knew, or by the decoder, a few at a time:
  /// decoders of large images take much memory for each.
  at::Tensor look_at(const at::Tensor& latents) {
    const auto& space = setup_.space;
    const auto shown =
        latents.narrow(0, 0, std::min(kGridImages, latents.size(0)));
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

  /// On the way from seed to seed all images are of one sample: they are
  /// counted.
  int64_t file_number(int64_t sample) const {
    return setup_.job.to_seed ? num_written_ : sample;
  }

  OutputSetup setup_;
  ImageFolderWriter writer_;
  std::vector<at::Tensor> shown_;
  int64_t num_shown_ = 0, num_written_ = 0;
};

class StoreOutput : public GenerateOutput {
 public:
  explicit StoreOutput(OutputSetup setup)
      : setup_(std::move(setup)), writer_(setup_.job.out, info(setup_)) {
    if (writer_.num_stored() > 0)
      throw ConfigError(setup_.job.out.string() +
                        ": holds latents already; choose another --out");
  }

  void add(const at::Tensor& latents, const at::Tensor& samples,
           const at::Tensor& labels) override {
    StoreRows rows{.labels = labels, .indices = samples};
    if (setup_.job.to_seed)
      rows.indices = torch::arange(num_stored_, num_stored_ + latents.size(0),
                                   torch::kLong);
    num_stored_ += latents.size(0);
    (setup_.tokens ? rows.tokens : rows.grid.mean) = latents;
    for (int64_t i = 0; i < latents.size(0); ++i) {
      rows.names.push_back(fmt::format(
          "{}/{:05}",
          file_word(class_name(setup_.space, labels[i].item<int64_t>())),
          rows.indices[i].item<int64_t>()));
      rows.sizes.push_back(image_size());
      rows.hashes.push_back(0);
    }
    writer_.append(rows);
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

  static StoreInfo info(const OutputSetup& setup) {
    StoreInfo info{.kind = "latents", .dtype = "fp32"};
    if (setup.tokens) {
      info.kind = "tokens";
      info.dtype =
          token_dtype(setup.space.codec.value("num_codes", int64_t{1} << 24));
    }
    info.codec = setup.space.codec;
    info.recipe = setup.recipe;
    info.source = {
        {"spec", "generated"},
        {"fingerprint", json_text(setup.recipe)},
        {"count", (setup.job.to_seed ? 0 : setup.job.first) + setup.job.count}};
    info.class_names = setup.space.class_names;
    return info;
  }

  OutputSetup setup_;
  StoreWriter writer_;
  int64_t num_stored_ = 0;
};

}  // namespace

LoadedCodec codec_of(const GenerateJob& job, const LatentSpace& space) {
  auto path = job.codec;
  if (path.empty()) {
    path = space.codec.value("path", "");
    if (path.empty() || !is_codec_there(path))
      throw ConfigError(
          fmt::format("{}: its codec was at \"{}\", which is not there; name "
                      "it with --codec, or write latents with --latents",
                      job.model.string(), path.string()));
  }
  auto codec = load_codec(path, job.device);
  if (!job.any_codec) expect_same_codec(codec, space.codec, job.model.string());
  return codec;
}

std::string class_name(const LatentSpace& space, int64_t label) {
  if (label < 0) return "any";
  return label < int64_t(space.class_names.size())
             ? space.class_names[size_t(label)]
             : std::to_string(label);
}

std::unique_ptr<GenerateOutput> image_output(OutputSetup setup) {
  return std::make_unique<ImageOutput>(std::move(setup));
}

std::unique_ptr<GenerateOutput> store_output(OutputSetup setup) {
  const auto& shape = setup.space.grid_shape;
  expect_space(
      setup.job.out,
      least_store_bytes({.kind = "latents"}, setup.job.count,
                        setup.tokens ? 0 : shape[1] * shape[2], shape[0]));
  return std::make_unique<StoreOutput>(std::move(setup));
}

}  // namespace calotype
