#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "datasets/image.h"

// The only place where bytes of image files and pixels meet, and the only user of
// stb_image, libturbojpeg and libwebp.
namespace calotype {

struct ImageLimits {
  int64_t max_pixels = 64'000'000;  // checked in the header, before any decoding
};

/// Decodes PNG, JPEG, BMP, WebP or PNM, told apart by content and never by name.
/// Palettes are expanded, 16 bits rounded to 8, alpha laid on white, EXIF
/// orientation applied. `where` leads messages. Throws DataError: not an image,
/// truncated, above the limit.
Image decode_image(std::span<const uint8_t> bytes, const std::string& where,
                   const ImageLimits& limits = {});

/// Key and value of a PNG tEXt chunk (Latin-1 key of 1 to 79 letters).
using PngText = std::vector<std::pair<std::string, std::string>>;

/// PNG of 8 bits a channel, with `text` in iTXt chunks ahead of the pixels.
std::vector<uint8_t> encode_png(const Image& image, const PngText& text = {});

/// The tEXt and iTXt chunks of a PNG, in order. Throws DataError if not a PNG.
PngText read_png_text(std::span<const uint8_t> bytes, const std::string& where);

/// Float [C,H,W] in [-1,1].
at::Tensor to_tensor(const Image& image);

/// round(255 * clamp(x / 2 + 0.5, 0, 1)) of a float [C,H,W] tensor, C 1 or 3.
Image to_image(const at::Tensor& pixels);

/// The images [N,C,H,W] in [-1,1] in rows of `columns`, `gap` white pixels apart,
/// each pixel drawn `zoom` times. What sample grids and reports show.
Image image_grid(const at::Tensor& images, int64_t columns, int64_t zoom = 1,
                 int64_t gap = 2);

}  // namespace calotype
