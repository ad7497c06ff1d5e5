#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/config.h"

namespace calotype {

/// Ordinary image formats (images/lossy_format.h) on the same images as a
/// codec. Rates are those of whole files, headers included, since a file is
/// what has to be kept; of a small image the header is most of it. Distortion
/// is that of the bytes that a viewer sees.
class RateDistortion {
 public:
  /// `num_images` of a set of `size` are drawn by the seed (all, if there are
  /// no more). Throws ConfigError for a format that this build does not have,
  /// or numbers below 1.
  RateDistortion(std::vector<std::string> formats, int64_t size,
                 int64_t num_images, uint64_t seed);

  /// `images`, `reconstruction`: [N,C,H,W] in [-1,1], C 1 or 3; sizes may
  /// differ from batch to batch. `stored_bytes`: what the codec needs of each
  /// image, double [N]; tokens may take fractions of a byte. `indices`: int64
  /// [N], places in the set. Measures those that were drawn, at once and over
  /// all threads, and keeps sums alone. Throws ShapeError for shapes that
  /// differ or a place outside the set, ConfigError for bytes that are no
  /// number, Interrupted.
  ///
  /// Of each image and format it writes files at a ladder of qualities, and one
  /// at matched bytes: of the highest quality whose file is not larger than
  /// what the codec stores. The search halves the range above the best rung
  /// that fits and ends at a quality that fits while the next does not. Sizes
  /// are not strictly monotone (on 28x28 images one step of quality in ten
  /// makes a WebP or JPEG XL smaller), so a still higher quality may fit:
  /// trying all 100 gained 0.1 dB at most (fashion-mnist:test, 196 and 392
  /// bytes). Where not even quality 1 fits, that file is taken.
  void add(const at::Tensor& images, const at::Tensor& reconstruction,
           const at::Tensor& stored_bytes, const at::Tensor& indices);

  /// {"images", "drawn_by_seed", "codec": POINT, "formats": {NAME: {"settings",
  /// "ladder": [{"quality", POINT}...], "at_matched_bytes": {POINT,
  /// "quality_mean", "images_that_fit"}}}}, where POINT is "rate_bpp" (all
  /// bytes over all pixels), "mse" (of pixels in [0,1]; images count the same),
  /// "psnr_db_of_mean_mse" (null where nothing was lost) and "ssim". It depends
  /// neither on the number of threads nor on how images come in batches. Throws
  /// ConfigError if no drawn image was added.
  Json summary() const;

 private:
  struct Point {  // of one image, or a sum over images
    double bytes = 0;
    double mse = 0;
    double ssim = 0;
    Point& operator+=(const Point& other);
  };
  // A quality of every kind of file, from the smallest to what is nearly
  // without loss.
  static constexpr std::array kLadder{1, 5, 10, 20, 40, 60, 80, 95};
  struct FormatPoints {  // likewise
    std::array<Point, kLadder.size()> ladder{};
    Point matched;
    int64_t matched_quality = 0;
    int64_t fits = 0;
    FormatPoints& operator+=(const FormatPoints& other);
  };

  static Point distortion(const at::Tensor& reference, const at::Tensor& got);
  static FormatPoints measure(const std::string& format,
                              const at::Tensor& reference, double budget_bytes);
  Json to_json(const Point& sum) const;

  std::vector<std::string> formats_;
  uint64_t seed_;
  std::vector<bool> drawn_;  // by place in the set
  int64_t num_images_ = 0;
  int64_t num_pixels_ = 0;
  int64_t num_values_ = 0;
  Point codec_;
  std::vector<FormatPoints> sums_;  // one for each format
};

/// PSNR over bits per pixel of a RateDistortion's summary: a line for each
/// format and a dot for the codec. What has no PSNR is left out.
std::string rate_distortion_svg(const Json& summary);

}  // namespace calotype
