#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "nn/lpips.h"

// How far reconstructions are from their references, image by image and over a
// set.
namespace calotype {

/// The bytes that a viewer of an image file sees, as whole numbers in [0,255]
/// of float type: round(255 * clamp(x / 2 + 0.5, 0, 1)). `images`: any shape,
/// [-1,1].
at::Tensor viewed_bytes(const at::Tensor& images);

/// Of a mean squared error of pixels in [0,1], dB; infinite for 0.
double psnr_db(double mse);

/// Networks that one pass can ask for their LPIPS.
constexpr size_t kMaxLpips = 3;

/// What is kept of each image. NaN: not measured.
struct ImageDistortion {
  static constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

  int64_t sample = 0;  // names the image: its position in the set
  int64_t label = -1;  // class, -1 where unknown
  int32_t height = 0, width = 0;
  double mse = 0;             // mean squared error of pixels in [0,1]
  double mae = 0;             // mean absolute error of pixels in [0,1]
  double ssim = 0;            // structural similarity, 1 for equal images
  double ms_ssim = kUnknown;  // multi-scale; only of kSmallestMultiScaleSide up
  std::array<double, kMaxLpips> lpips = {kUnknown, kUnknown, kUnknown};
  double psnr_db() const;  // infinite for equal images
};

/// Means over a set; every image counts the same, whatever its size.
struct DistortionSummary {
  int64_t num_images = 0;
  int64_t num_identical = 0;  // reconstructed without any error
  double mse = 0;             // [0,1]
  double mae = 0;             // [0,1]
  double ssim = 0;
  double ms_ssim = ImageDistortion::kUnknown;  // NaN if an image is too small
  std::array<double, kMaxLpips> lpips{};       // by network

  /// The mean of the images' own PSNR. An image without error has an infinite
  /// one and is left out; infinite if all are.
  double mean_psnr_db = 0;

  /// The PSNR of the mean squared error, the smaller of the two unless some
  /// images are without error or all are alike (Jensen's inequality). Infinite
  /// if all are identical.
  double psnr_db_of_mean_mse = 0;
};

/// What becomes of a reconstruction before it is compared.
enum class Rounding {
  kRound,     // the bytes that a viewer of an image file sees
  kTruncate,  // clamped, and cut off to the byte below, as a cast does it; what
              // is a byte but for a thousandth of one stays it
  kNone,      // the values as they are, neither rounded nor clamped
};

struct DistortionOptions {
  Rounding rounding = Rounding::kRound;
  std::vector<std::shared_ptr<const Lpips>> lpips = {};  // at most kMaxLpips
  c10::Device device{c10::kCPU};                         // where those are
};

/// `reconstruction` in [-1,1] as `rounding` leaves it, on the CPU: what
/// networks are shown.
at::Tensor rounded(const at::Tensor& reconstruction, Rounding rounding);

/// Compares batches as they come and keeps 80 bytes of each image.
class Distortion {
 public:
  explicit Distortion(DistortionOptions options = {});

  /// `reference`, `reconstruction`: [N,C,H,W] float in [-1,1]; sizes may differ
  /// from batch to batch. `labels`, `samples`: int64 [N], or undefined: then
  /// labels are unknown and images are numbered in the order in which they
  /// come. Throws ShapeError for shapes that differ or are empty, DataError for
  /// an image with a value that is not finite, ConfigError for images that are
  /// too small for LPIPS; then nothing of the batch is kept.
  void add(const at::Tensor& reference, const at::Tensor& reconstruction,
           const at::Tensor& labels = {}, const at::Tensor& samples = {});

  /// Images that were compared before.
  void add(const std::vector<ImageDistortion>& images);

  /// By sample, so that nothing depends on the order in which they came.
  std::vector<ImageDistortion> images() const;

  /// All of them, the largest mean squared error first; ties by sample.
  std::vector<ImageDistortion> ranked() const;

  /// Throws ConfigError if no image was added.
  DistortionSummary summary() const;

 private:
  DistortionOptions options_;
  std::vector<ImageDistortion> images_;
};

}  // namespace calotype
