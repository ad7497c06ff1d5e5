#include "images/image_io.h"

#include <fmt/format.h>

#include "core/error.h"
#include "images/codecs.h"
#include "images/image_format.h"

namespace calotype {
namespace {

/// Of a format whose library was not there when the program was built.
[[noreturn, maybe_unused]] void fail_without(const std::string& where,
                                             const char* format,
                                             const char* package) {
  throw DataError(fmt::format(
      "{}: {} is not supported by this build; convert it, or install {} and "
      "build again",
      where, format, package));
}

}  // namespace

Picture decode_picture(std::span<const uint8_t> bytes, const std::string& where,
                       const ImageLimits& limits) {
  switch (sniff_format(bytes)) {
    case ImageFormat::kPng:
      return decode_png(bytes, where, limits);
    case ImageFormat::kJpeg:
      return decode_jpeg(bytes, where, limits);
    case ImageFormat::kBmp:
      return {.image = decode_bmp(bytes, where, limits)};
    case ImageFormat::kWebp:
      return decode_webp(bytes, where, limits);
    case ImageFormat::kPnm:
      return {.image = decode_pnm(bytes, where, limits)};
    case ImageFormat::kAvif:
#ifdef CALOTYPE_HAS_AVIF
      return decode_avif(bytes, where, limits);
#else
      fail_without(where, "AVIF", "libavif-dev");
#endif
    case ImageFormat::kHeif:
#ifdef CALOTYPE_HAS_HEIF
      return decode_heif(bytes, where, limits);
#else
      fail_without(where, "HEIF", "libheif-dev");
#endif
    case ImageFormat::kJxl:
#ifdef CALOTYPE_HAS_JXL
      return decode_jxl(bytes, where, limits);
#else
      fail_without(where, "JPEG XL", "libjxl-dev");
#endif
    case ImageFormat::kTiff:
#ifdef CALOTYPE_HAS_TIFF
      return decode_tiff(bytes, where, limits);
#else
      fail_without(where, "TIFF", "libtiff-dev");
#endif
    case ImageFormat::kGif:
#ifdef CALOTYPE_HAS_GIF
      return decode_gif(bytes, where, limits);
#else
      fail_without(where, "GIF", "libgif-dev");
#endif
    case ImageFormat::kNone:
      break;
  }
  constexpr char expected[] = "expected PNG, JPEG, BMP, WebP or PNM";
  if (bytes.empty())
    throw DataError(fmt::format("{}: empty file; {}", where, expected));
  const auto foreign = foreign_format(bytes);
  throw DataError(foreign.empty()
                      ? fmt::format("{}: not an image; {}", where, expected)
                      : fmt::format("{}: {} is not supported; {} (convert it)",
                                    where, foreign, expected));
}

Image decode_image(std::span<const uint8_t> bytes, const std::string& where,
                   const ImageLimits& limits) {
  return decode_picture(bytes, where, limits).image;
}

void check_whole(const char* where, const Image& image) {
  const bool has_size = image.height > 0 && image.width > 0 &&
                        (image.channels == 1 || image.channels == 3);
  if (!has_size || image.pixels.size() !=
                       size_t(image.height * image.width * image.channels))
    throw ShapeError(fmt::format(
        "{}: expected height*width*(1 or 3) bytes, got {}x{}x{} with {} bytes",
        where, image.height, image.width, image.channels, image.pixels.size()));
}

void fail_truncated(const std::string& where, const char* format,
                    const std::string& what) {
  throw DataError(fmt::format("{}: truncated {} ({})", where, format, what));
}

void fail_damaged(const std::string& where, const char* format,
                  const std::string& what) {
  throw DataError(fmt::format("{}: damaged {} ({})", where, format, what));
}

void check_image_size(const std::string& where, const char* format,
                      int64_t width, int64_t height,
                      const ImageLimits& limits) {
  if (width < 1 || height < 1)
    fail_damaged(where, format, fmt::format("{}x{} pixels", width, height));
  if (width > limits.max_pixels / height)
    throw DataError(
        fmt::format("{}: {} of {}x{} pixels is above the limit of {} pixels "
                    "(--max-pixels)",
                    where, format, width, height, limits.max_pixels));
}

}  // namespace calotype
