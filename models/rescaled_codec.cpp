#include "models/rescaled_codec.h"

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/latent_scale.h"
#include "core/note.h"

namespace calotype {
namespace {

class RescaledCodec : public LatentCodec {
 public:
  RescaledCodec(std::shared_ptr<LatentCodec> codec, const LatentScale& inside,
                const LatentScale& outside)
      : codec_(std::move(codec)), inside_(inside), outside_(outside) {}

  LatentGrid encode(const at::Tensor& images) override {
    return rescaled(codec_->encode(images), inside_, outside_);
  }
  at::Tensor decode(const at::Tensor& latent) override {
    return codec_->decode(rescaled(latent, outside_, inside_));
  }
  int64_t image_channels() const override { return codec_->image_channels(); }
  int64_t latent_channels() const override { return codec_->latent_channels(); }
  int64_t downsample() const override { return codec_->downsample(); }
  bool has_variance() const override { return codec_->has_variance(); }
  std::optional<int64_t> fixed_size() const override {
    return codec_->fixed_size();
  }
  torch::nn::Module& module() override { return codec_->module(); }

 private:
  std::shared_ptr<LatentCodec> codec_;
  LatentScale inside_, outside_;
};

/// The scale of another codec's latents, if both say one and it is not that of
/// `codec`.
std::optional<LatentScale> other_scale(const LoadedCodec& codec,
                                       const CodecRecord& record) {
  const auto theirs = record.json().find("config");
  const auto says_one = [](const Json& config) {
    return config.is_object() && config.contains("scaling_factor");
  };
  if (record.sha256() == codec.sha256 || theirs == record.json().end() ||
      !says_one(*theirs) || !says_one(codec.config))
    return {};
  const auto scale = latent_scale(*theirs);
  if (scale == latent_scale(codec.config)) return {};
  return scale;
}

std::string difference_of(const LoadedCodec& codec, const LatentScale& outside,
                          const std::string& where) {
  const auto inside = latent_scale(codec.config);
  return fmt::format(
      "{}: its latents are scaled by {:g} and shifted by {:g}, those of {} by "
      "{:g} and {:g}",
      where, outside.scale, outside.shift, codec.path.string(), inside.scale,
      inside.shift);
}

}  // namespace

LoadedCodec with_scale_of(LoadedCodec codec, const CodecRecord& record,
                          const std::string& where) {
  const auto outside = other_scale(codec, record);
  if (!outside) return codec;
  note(difference_of(codec, *outside, where) + ": they are turned into these");
  codec.codec = std::make_shared<RescaledCodec>(
      codec.codec, latent_scale(codec.config), *outside);
  return codec;
}

void expect_scale_of(const LoadedCodec& codec, const CodecRecord& record,
                     const std::string& where) {
  if (const auto outside = other_scale(codec, record))
    throw ConfigError(difference_of(codec, *outside, where) +
                      ", and are not turned into these here");
}

}  // namespace calotype
