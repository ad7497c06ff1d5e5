#include "evaluation/reconstructor.h"

#include <torch/utils.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <functional>

#include "core/error.h"
#include "core/parallel.h"
#include "core/runtime.h"
#include "datasets/source_record.h"
#include "evaluation/pairing.h"
#include "models/codec.h"
#include "models/round_trip.h"
#include "report/skipped.h"
#include "store/token_packing.h"

namespace calotype {
namespace {

class CodecReconstructor : public Reconstructor {
 public:
  CodecReconstructor(LoadedCodec codec, std::string dtype, c10::Device device)
      : codec_(std::move(codec)), dtype_(std::move(dtype)), device_(device) {}

  Reconstructed reconstruct(const ImageBatch& batch) override {
    const torch::InferenceMode inference;
    expect_fits(codec_, batch.images, CodecPass::kBoth);
    const auto height = batch.images.size(2), width = batch.images.size(3);
    const auto of_each = [&](double bytes) {
      return torch::full({batch.images.size(0)}, bytes, torch::kDouble);
    };
    if (codec_.tokenizer) {
      const auto tokens = tokenize_images(*codec_.codec, *codec_.tokenizer,
                                          batch.images, device_);
      return {.images = detokenize_images(*codec_.tokenizer, tokens, height,
                                          width, device_),
              .stored_bytes = of_each(double(tokens[0].numel()) *
                                      double(bits_per_token(num_codes())) / 8),
              .tokens = tokens};
    }
    const auto type = parse_dtype(dtype_);
    const auto f = codec_.codec->downsample();
    const auto cells = [&](int64_t size) { return (size + f - 1) / f; };
    return {.images = round_trip(*codec_.codec, batch.images, device_, type),
            .stored_bytes = of_each(double(codec_.codec->latent_channels() *
                                           cells(height) * cells(width) *
                                           int64_t(c10::elementSize(type))))};
  }

  RowCost cost(const ImageSource& source,
               const Preprocessing& preprocessing) override {
    return codec_.cost->of(CodecPass::kBoth, source, preprocessing);
  }

  Json subject() const override {
    return {{"codec", codec_.path.string()},
            {"class", codec_.class_name},
            {"sha256", codec_.sha256},
            {"stored_as", codec_.tokenizer ? "tokens" : dtype_}};
  }

  std::vector<int64_t> codebooks() const override {
    return codec_.tokenizer ? codec_.tokenizer->codebooks()
                            : std::vector<int64_t>{};
  }
  int64_t num_codes() const override {
    return codec_.tokenizer ? codec_.tokenizer->num_codes() : 0;
  }
  CalotypeAutoencoderImpl* autoencoder() override {
    return dynamic_cast<CalotypeAutoencoderImpl*>(codec_.codec.get());
  }

 private:
  LoadedCodec codec_;
  std::string dtype_;
  c10::Device device_;
};

bool has_colours(const Image& image) {
  if (image.channels != 3) return false;
  for (size_t i = 0; i < image.pixels.size(); i += 3)
    if (image.pixels[i] != image.pixels[i + 1] ||
        image.pixels[i] != image.pixels[i + 2])
      return true;
  return false;
}

/// Whether an image's file is what a codec stores; others (PNG) are pictures of
/// what it makes.
bool is_lossy_file(const std::string& name) {
  auto ending = std::filesystem::path(name).extension().string();
  std::ranges::transform(ending, ending.begin(),
                         [](unsigned char c) { return std::tolower(c); });
  return ending == ".jpg" || ending == ".jpeg" || ending == ".webp";
}

class PairedImages : public Reconstructor {
 public:
  PairedImages(std::unique_ptr<ImageSource> made, const ImageSource& originals)
      : made_(std::move(made)), partners_(pair_images(originals, *made_)) {}

  Reconstructed reconstruct(const ImageBatch& batch) override {
    Reconstructed found{
        .images = torch::empty_like(batch.images),
        .stored_bytes = torch::zeros({batch.images.size(0)}, torch::kDouble)};
    auto* bytes = found.stored_bytes.data_ptr<double>();
    const auto* indices = batch.indices.data_ptr<int64_t>();
    parallel_for(0, batch.images.size(0), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        bytes[i] = double(load(indices[i], batch.images[i], found.images[i]));
    });
    if (!found.stored_bytes.gt(0).all().item<bool>())
      found.stored_bytes = at::Tensor();
    return found;
  }

  Json subject() const override {
    return {{"reconstructions", made_->spec()},
            {"fingerprint", made_->fingerprint()},
            {"fingerprint_kind", kFingerprintKind}};
  }

 private:
  /// Writes the partner of an image to `out`; returns the bytes that its codec
  /// has stored, or 0 if nobody knows.
  int64_t load(int64_t original_index, const at::Tensor& original,
               const at::Tensor& out) const {
    const auto index = partners_[size_t(original_index)];
    auto loaded = made_->load(index);
    tell_(made_->name(index), loaded.notes);
    if (original.size(0) == 1 && has_colours(loaded.image))
      throw DataError(
          fmt::format("pairs: {} in {} has colours, its original is grey",
                      made_->name(index), made_->spec()));
    const auto image =
        preprocess(std::move(loaded.image), {.channels = original.size(0)});
    if (image.height != original.size(1) || image.width != original.size(2))
      throw DataError(fmt::format(
          "pairs: {} in {} has {}x{} pixels, its original {}x{}; reconstruct "
          "images of the size that --size makes of the originals",
          made_->name(index), made_->spec(), image.width, image.height,
          original.size(2), original.size(1)));
    copy_to_planes(image, out.data_ptr<float>());
    return is_lossy_file(made_->name(index)) ? loaded.file_bytes : 0;
  }

  std::shared_ptr<const ImageSource> made_;
  std::vector<int64_t> partners_;  // by place in the originals
  const std::function<void(const std::string&, const ImageNotes&)> tell_ =
      tell_notes_once();
};

}  // namespace

std::unique_ptr<Reconstructor> open_codec_reconstructor(EvaluateJob& job) {
  parse_dtype(job.dtype);
  auto codec = load_codec(job.model, job.device);
  fit_preprocessing(codec, job.preprocessing);
  if (codec.tokenizer && job.dtype != EvaluateJob{}.dtype)
    throw ConfigError(
        job.model.string() +
        ": --dtype needs a codec that stores latents, not tokens");
  return std::make_unique<CodecReconstructor>(std::move(codec), job.dtype,
                                              job.device);
}

std::unique_ptr<Reconstructor> open_pairs(const EvaluateJob& job,
                                          const ImageSource& originals) {
  auto limits = limits_of(job.preprocessing);
  limits.least_side = 0;  // they have the size that the originals are given
  return std::make_unique<PairedImages>(open_source(job.data, limits),
                                        originals);
}

}  // namespace calotype
