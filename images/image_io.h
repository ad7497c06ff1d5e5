#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "images/image.h"
#include "images/image_notes.h"

// The only place where bytes of image files and pixels meet, and the only user
// of stb_image, libjpeg, libwebp, Little CMS and the libraries of the formats
// that a build can do without.
namespace calotype {

struct ImageLimits {
  int64_t max_pixels = 64'000'000;  // checked before any decoding

  /// A JPEG above max_pixels is decoded at the largest of 7/8 to 1/8 of its
  /// size that is within them, if its shorter side keeps so many pixels there;
  /// 0: it is refused like all others.
  int64_t least_side = 0;

  /// Pixels of another colour profile than sRGB are converted; else they are
  /// taken as stored.
  bool convert_to_srgb = false;

  /// Larger files cannot be images within the limit: 16 bits in four channels
  /// without compression, and 64 MiB for whatever else the file holds.
  uint64_t max_file_bytes() const {
    return uint64_t(max_pixels) * 8 + (64 << 20);
  }
};

/// What a file shows, and what there is to say of it.
struct Picture {
  Image image;
  ImageNotes notes;
};

/// Decodes PNG, JPEG, BMP, WebP or PNM, and AVIF, HEIF, JPEG XL, TIFF and GIF
/// where built with their libraries, told apart by content and never by name.
/// Palettes are expanded, 16 bits rounded to 8, alpha laid on white, EXIF
/// orientation applied. `where` leads messages. Throws DataError: not an image,
/// pixels that are missing, damaged, above the limit. Of what is
/// animated the first picture is taken.
Picture decode_picture(std::span<const uint8_t> bytes, const std::string& where,
                       const ImageLimits& limits = {});

/// The same, without what there is to say of the file.
Image decode_image(std::span<const uint8_t> bytes, const std::string& where,
                   const ImageLimits& limits = {});

/// Keys (1 to 79 letters of Latin-1) and values (UTF-8) of a PNG's text chunks.
using PngText = std::vector<std::pair<std::string, std::string>>;

/// PNG of 8 bits a channel, with `text` in iTXt chunks ahead of the pixels.
/// Throws ShapeError if the image is not whole, ConfigError for a key that PNG
/// cannot hold.
std::vector<uint8_t> encode_png(const Image& image, const PngText& text = {});

/// The tEXt, zTXt and iTXt chunks of a PNG, in order. Throws DataError if it is
/// not a PNG, damaged, or a compressed text comes to more than 1 MiB.
PngText read_png_text(std::span<const uint8_t> bytes, const std::string& where);

/// Writes the channels one after the other, as floats in [-1,1].
void copy_to_planes(const Image& image, float* planes);

/// Float [C,H,W] in [-1,1].
at::Tensor to_tensor(const Image& image);

/// round(255 * clamp(x / 2 + 0.5, 0, 1)) of a float [C,H,W] tensor, C 1 or 3.
/// What is not a number becomes black.
Image to_image(const at::Tensor& pixels);

/// The images [N,C,H,W] in [-1,1] in rows of `columns`, `gap` white pixels
/// apart, each pixel drawn `zoom` times. What sample grids and reports show.
Image image_grid(const at::Tensor& images, int64_t columns, int64_t zoom = 1,
                 int64_t gap = 2);

}  // namespace calotype
