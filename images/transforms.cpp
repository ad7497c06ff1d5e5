#include "images/transforms.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "core/check.h"
#include "core/error.h"
#include "images/resample.h"

namespace calotype {
namespace {

/// A line of 1x1000000 pixels, enlarged to a useful height, would fill the
/// memory.
constexpr int64_t kMaxAspectRatio = 100;

/// Means over the area that each new pixel covers; both sides must shrink.
Image shrink_by_area(const Image& image, int64_t height, int64_t width) {
  const int type = CV_MAKETYPE(CV_8U, int(image.channels));
  Image out{height, width, image.channels, {}};
  out.pixels.resize(size_t(height * width * image.channels));
  const cv::Mat from(int(image.height), int(image.width), type,
                     const_cast<uint8_t*>(image.pixels.data()));
  cv::Mat to(int(height), int(width), type, out.pixels.data());
  cv::resize(from, to, to.size(), 0, 0, cv::INTER_AREA);
  return out;
}

Kernel kernel_of(const std::string& how) {
  if (how == "bicubic") return Kernel::kCubic;
  if (how == "aliased") return Kernel::kAliasedTriangle;
  return Kernel::kTriangle;
}

Image resize(Image image, int64_t height, int64_t width,
             const std::string& how) {
  if (height == image.height && width == image.width) return image;
  const bool shrinks = height <= image.height && width <= image.width;
  if (how == "area" && shrinks) return shrink_by_area(image, height, width);
  // An enlarged pixel has no area to average: there "area" is bilinear.
  return resample(image, height, width, kernel_of(how));
}

/// The whole image for "squash", else its shorter side at `size`.
Image resize_for_crop(Image image, const Preprocessing& how) {
  if (how.crop == "squash")
    return resize(std::move(image), how.size, how.size, how.resize);
  const int64_t shorter = std::min(image.height, image.width);
  const int64_t longer = std::max(image.height, image.width);
  if (longer / shorter > kMaxAspectRatio)
    throw DataError(fmt::format(
        "an image of {}x{} pixels is too narrow for a square crop (limit 1:{})",
        image.width, image.height, kMaxAspectRatio));
  const auto scaled = [&](int64_t side) {
    const double exact = double(side) * double(how.size) / double(shorter);
    return std::max(how.size, int64_t(std::llround(exact)));
  };
  const int64_t height = scaled(image.height), width = scaled(image.width);
  return resize(std::move(image), height, width, how.resize);
}

Image crop(const Image& image, int64_t size, int64_t top, int64_t left) {
  Image out{size, size, image.channels, {}};
  out.pixels.reserve(size_t(size * size * image.channels));
  for (int64_t y = 0; y < size; ++y) {
    const auto* row =
        image.pixels.data() + ((top + y) * image.width + left) * image.channels;
    out.pixels.insert(out.pixels.end(), row, row + size * image.channels);
  }
  return out;
}

Image crop_to_square(Image image, const Preprocessing& how,
                     const Augmentation& draw) {
  const int64_t spare_y = image.height - how.size,
                spare_x = image.width - how.size;
  if (spare_y < 0 || spare_x < 0)
    throw DataError(fmt::format(
        "an image of {}x{} pixels is smaller than size {}, and resize is none",
        image.width, image.height, how.size));
  if (spare_y == 0 && spare_x == 0) return image;
  if (how.crop == "center")
    return crop(image, how.size, spare_y / 2, spare_x / 2);
  const auto place = [](double position, int64_t spare) {
    return std::clamp<int64_t>(int64_t(position * double(spare + 1)), 0, spare);
  };
  return crop(image, how.size, place(draw.crop_y, spare_y),
              place(draw.crop_x, spare_x));
}

/// ITU-R BT.601's luma, in whole numbers.
Image to_grey(const Image& rgb) {
  Image grey{rgb.height, rgb.width, 1, {}};
  grey.pixels.reserve(size_t(rgb.height * rgb.width));
  for (size_t i = 0; i < rgb.pixels.size(); i += 3)
    grey.pixels.push_back(
        uint8_t((299 * rgb.pixels[i] + 587 * rgb.pixels[i + 1] +
                 114 * rgb.pixels[i + 2] + 500) /
                1000));
  return grey;
}

Image to_rgb(const Image& grey) {
  Image rgb{grey.height, grey.width, 3, {}};
  rgb.pixels.reserve(grey.pixels.size() * 3);
  for (const uint8_t value : grey.pixels)
    rgb.pixels.insert(rgb.pixels.end(), 3, value);
  return rgb;
}

void mirror(Image& image) {
  for (int64_t y = 0; y < image.height; ++y) {
    auto* row = image.pixels.data() + y * image.width * image.channels;
    for (int64_t left = 0, right = image.width - 1; left < right;
         ++left, --right)
      std::swap_ranges(row + left * image.channels,
                       row + (left + 1) * image.channels,
                       row + right * image.channels);
  }
}

}  // namespace

void Preprocessing::validate() const {
  check_range("preprocessing", "size", double(size), 0, 16384);
  check_one_of("preprocessing", "resize", resize,
               {"area", "bilinear", "bicubic", "aliased", "none"});
  check_one_of("preprocessing", "crop", crop, {"center", "random", "squash"});
  check_range("preprocessing", "max_pixels", double(max_pixels), 1, 4e9);
  check_one_of("preprocessing", "icc", icc, {"keep", "convert"});
  if (channels != 0 && channels != 1 && channels != 3)
    throw ConfigError(fmt::format(
        "preprocessing: channels must be 0, 1 or 3, got {}", channels));
  if (size > 0 && resize == "none" && crop == "squash")
    throw ConfigError(
        "preprocessing: crop squash needs a resize, got resize none");
}

Json preprocessing_record(const Preprocessing& how) {
  const Preprocessing standard;
  auto record = write_config(how);
  if (how.max_pixels == standard.max_pixels) record.erase("max_pixels");
  if (how.icc == standard.icc) record.erase("icc");
  return record;
}

ImageLimits limits_of(const Preprocessing& how) {
  const bool blurs = how.resize != "none" && how.resize != "aliased";
  return {.max_pixels = how.max_pixels,
          .least_side = blurs ? how.size : 0,
          .convert_to_srgb = how.icc == "convert"};
}

Image preprocess(Image image, const Preprocessing& how,
                 const Augmentation& draw) {
  // Grey first and colours last: fewer channels to resize.
  if (how.channels == 1 && image.channels == 3) image = to_grey(image);
  if (how.size > 0) {
    if (how.resize != "none") image = resize_for_crop(std::move(image), how);
    image = crop_to_square(std::move(image), how, draw);
  }
  if (how.channels == 3 && image.channels == 1) image = to_rgb(image);
  if (how.flip && draw.flip < 0.5) mirror(image);
  return image;
}

void resize_on_calling_thread() {
  cv::setNumThreads(1);
}

}  // namespace calotype
