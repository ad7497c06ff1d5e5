#include "tools/init_image.h"

#include <torch/utils.h>

#include "core/error.h"
#include "core/files.h"
#include "images/image_io.h"
#include "images/transforms.h"
#include "models/round_trip.h"
#include "nn/padding.h"
#include "report/skipped.h"

namespace calotype {
namespace {

Image read_image(const std::filesystem::path& path, const ImageLimits& limits) {
  auto picture = decode_picture(read_file(path, limits.max_file_bytes()),
                                path.string(), limits);
  tell_notes_once()(path.string(), picture.notes);
  return std::move(picture.image);
}

/// [1,C,H,W] of the pixels that the model draws.
at::Tensor fitted(Image image, int64_t H, int64_t W, int64_t channels,
                  const std::filesystem::path& path) {
  Preprocessing how{.size = H, .channels = channels};
  if (H != W) {
    if (image.height != H || image.width != W)
      throw ConfigError(fmt::format(
          "{}: must be {}x{} pixels (height x width) for this model, got {}x{}",
          path.string(), H, W, image.height, image.width));
    how.size = 0;
  }
  return to_tensor(preprocess(std::move(image), how)).unsqueeze(0);
}

}  // namespace

at::Tensor InitImage::paste(const at::Tensor& images) const {
  if (!mask.defined()) return images;
  return torch::where(mask.gt(0), images, pixels);
}

InitImage read_init_image(const std::filesystem::path& image,
                          const std::filesystem::path& mask,
                          const ImageLimits& limits, const LatentSpace& space,
                          const LoadedCodec& codec, c10::Device device) {
  const torch::InferenceMode inference;
  const auto f = codec.codec->downsample();
  const bool is_cut = !space.image_size.empty();
  const auto H = is_cut ? space.image_size[0] : space.grid_shape[1] * f;
  const auto W = is_cut ? space.image_size[1] : space.grid_shape[2] * f;
  auto source = read_image(image, limits);
  const auto height = source.height, width = source.width;
  InitImage init;
  init.pixels =
      fitted(std::move(source), H, W, codec.codec->image_channels(), image);
  init.latents.latents =
      encode_images(*codec.codec, init.pixels, device).mean.to(torch::kCPU);
  if (mask.empty()) return init;

  auto shape = read_image(mask, limits);
  if (shape.height != height || shape.width != width)
    throw ConfigError(fmt::format(
        "{}: the mask must have the size of {}, {}x{} pixels (height x width), "
        "got {}x{}",
        mask.string(), image.string(), height, width, shape.height,
        shape.width));
  // A thin line of white must not fade where the image is made smaller: any
  // part of a pixel counts.
  const bool shrinks = shape.height > H;
  for (auto& value : shape.pixels) value = value < 128 ? 0 : 255;
  constexpr double kAny = -0.99, kHalf = 0;
  init.mask = fitted(std::move(shape), H, W, 1, mask)
                  .gt(shrinks ? kAny : kHalf)
                  .to(torch::kFloat);
  if (!init.mask.any().item<bool>())
    throw ConfigError(fmt::format(
        "{}: no white is left of the mask, cropped and resized to {}x{}; white "
        "is what is drawn anew",
        mask.string(), H, W));
  init.latents.repaint = torch::max_pool2d(pad_to_multiple(init.mask, f), f, f);
  return init;
}

}  // namespace calotype
