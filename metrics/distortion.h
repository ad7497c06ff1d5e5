#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

// How far reconstructions are from their references, image by image and over a
// set.
namespace calotype {

/// The bytes that a viewer of an image file sees, as whole numbers in [0,255]
/// of float type: round(255 * clamp(x / 2 + 0.5, 0, 1)). `images`: any shape,
/// [-1,1].
at::Tensor viewed_bytes(const at::Tensor& images);

/// What is kept of each image.
struct ImageDistortion {
  int64_t sample = 0;      // names the image: its position in the set
  int64_t label = -1;      // class, -1 where unknown
  double mse = 0;          // mean squared error of pixels in [0,1]
  double mae = 0;          // mean absolute error of pixels in [0,1]
  double ssim = 0;         // structural similarity, 1 for equal images
  double psnr_db() const;  // infinite for equal images
};

/// Means over a set; every image counts the same, whatever its size.
struct DistortionSummary {
  int64_t num_images = 0;
  int64_t num_identical = 0;  // reconstructed without any error
  double mse = 0;             // [0,1]
  double mae = 0;             // [0,1]
  double ssim = 0;

  /// The mean of the images' own PSNR. An image without error has an infinite
  /// one and is left out; infinite if all are.
  double mean_psnr_db = 0;

  /// The PSNR of the mean squared error, always the smaller of the two unless
  /// all images are alike (Jensen's inequality). Infinite if all are identical.
  double psnr_db_of_mean_mse = 0;
};

struct DistortionOptions {
  /// Compare the bytes that a viewer sees; otherwise the values as they are,
  /// neither rounded nor clamped.
  bool as_viewed = true;
};

/// Compares batches as they come and keeps 40 bytes of each image.
class Distortion {
 public:
  explicit Distortion(const DistortionOptions& options = {})
      : options_(options) {}

  /// `reference`, `reconstruction`: [N,C,H,W] float in [-1,1]; sizes may differ
  /// from batch to batch. `labels`, `samples`: int64 [N], or undefined: then
  /// labels are unknown and images are numbered in the order in which they
  /// come. Throws ShapeError for shapes that differ or are empty, DataError for
  /// an image with a value that is not finite; then nothing of the batch is
  /// kept.
  void add(const at::Tensor& reference, const at::Tensor& reconstruction,
           const at::Tensor& labels = {}, const at::Tensor& samples = {});

  /// In the order in which they came.
  const std::vector<ImageDistortion>& images() const { return images_; }

  /// The `count` images with the largest (smallest) error, largest (smallest)
  /// first; fewer if there are not as many. Ties are broken by sample.
  std::vector<ImageDistortion> worst(int64_t count) const;
  std::vector<ImageDistortion> best(int64_t count) const;

  /// Throws ConfigError if no image was added.
  DistortionSummary summary() const;

 private:
  DistortionOptions options_;
  std::vector<ImageDistortion> images_;
};

}  // namespace calotype
