#include "metrics/distortion.h"

#include <ATen/Functions.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/check.h"
#include "core/error.h"
#include "metrics/ssim.h"

namespace calotype {
namespace {

// Of pixels in [0,1], whose peak is 1.
double psnr_db_of(double mse) {
  if (mse == 0) return std::numeric_limits<double>::infinity();
  return -10 * std::log10(mse);
}

void refuse_non_finite(const char* what, const at::Tensor& images,
                       const at::Tensor& samples) {
  const auto finite = images.isfinite().flatten(1).all(1);
  if (finite.all().item<bool>()) return;
  const auto row = finite.to(at::kByte).argmin().item<int64_t>();
  throw DataError(
      fmt::format("distortion: {} of image {} must be finite, got NaN or "
                  "infinity",
                  what, samples[row].item<int64_t>()));
}

// Orders a copy of the first `count` images by `before`.
template <class Before>
std::vector<ImageDistortion> first_by(std::vector<ImageDistortion> images,
                                      int64_t count, Before before) {
  const auto kept = std::clamp<int64_t>(count, 0, std::ssize(images));
  const auto middle = images.begin() + kept;
  std::partial_sort(images.begin(), middle, images.end(), before);
  images.erase(middle, images.end());
  return images;
}

}  // namespace

at::Tensor viewed_bytes(const at::Tensor& images) {
  return (images.to(at::kFloat) * 0.5 + 0.5).clamp(0, 1).mul(255).round();
}

double ImageDistortion::psnr_db() const {
  return psnr_db_of(mse);
}

void Distortion::add(const at::Tensor& reference,
                     const at::Tensor& reconstruction, const at::Tensor& labels,
                     const at::Tensor& samples) {
  check_shape("distortion", "reference", reference, {-1, -1, -1, -1});
  const auto N = reference.size(0);
  check_shape("distortion", "reconstruction", reconstruction,
              {N, reference.size(1), reference.size(2), reference.size(3)});
  if (reference.numel() == 0)
    throw ShapeError(fmt::format("distortion: images must not be empty, got {}",
                                 shape_text(reference.sizes())));
  if (labels.defined()) check_shape("distortion", "labels", labels, {N});
  if (samples.defined()) check_shape("distortion", "samples", samples, {N});

  const auto label = labels.defined() ? labels.to(at::kCPU, at::kLong)
                                      : at::full({N}, -1, at::kLong);
  const auto sample = samples.defined()
                          ? samples.to(at::kCPU, at::kLong)
                          : at::arange(N, at::kLong) + std::ssize(images_);
  refuse_non_finite("reference", reference, sample);
  refuse_non_finite("reconstruction", reconstruction, sample);

  // Bytes stay whole numbers, so that their differences are exact.
  const double data_range = options_.as_viewed ? 255 : 1;
  const auto comparable = [&](const at::Tensor& images) {
    const auto values =
        options_.as_viewed ? viewed_bytes(images) : images * 0.5 + 0.5;
    return values.to(at::kCPU, at::kDouble);
  };
  const auto a = comparable(reference), b = comparable(reconstruction);
  const auto error = ((b - a) / data_range).flatten(1);  // of pixels in [0,1]
  const auto mse = error.square().mean(1);
  const auto mae = error.abs().mean(1);
  const auto similarity = ssim(a, b, data_range);

  const auto samples_of = sample.accessor<int64_t, 1>();
  const auto labels_of = label.accessor<int64_t, 1>();
  const auto mse_of = mse.accessor<double, 1>();
  const auto mae_of = mae.accessor<double, 1>();
  const auto ssim_of = similarity.accessor<double, 1>();
  for (int64_t i = 0; i < N; ++i)
    images_.push_back({.sample = samples_of[i],
                       .label = labels_of[i],
                       .mse = mse_of[i],
                       .mae = mae_of[i],
                       .ssim = ssim_of[i]});
}

std::vector<ImageDistortion> Distortion::worst(int64_t count) const {
  return first_by(images_, count, [](const auto& a, const auto& b) {
    return a.mse != b.mse ? a.mse > b.mse : a.sample < b.sample;
  });
}

std::vector<ImageDistortion> Distortion::best(int64_t count) const {
  return first_by(images_, count, [](const auto& a, const auto& b) {
    return a.mse != b.mse ? a.mse < b.mse : a.sample < b.sample;
  });
}

DistortionSummary Distortion::summary() const {
  if (images_.empty())
    throw ConfigError(
        "distortion: there must be an image to measure, got none");
  DistortionSummary summary;
  summary.num_images = std::ssize(images_);
  double psnr_db_sum = 0;
  for (const auto& image : images_) {
    summary.mse += image.mse;
    summary.mae += image.mae;
    summary.ssim += image.ssim;
    if (image.mse == 0)
      ++summary.num_identical;
    else
      psnr_db_sum += image.psnr_db();
  }
  const auto count = static_cast<double>(summary.num_images);
  summary.mse /= count;
  summary.mae /= count;
  summary.ssim /= count;
  const auto num_differing = summary.num_images - summary.num_identical;
  summary.mean_psnr_db = num_differing == 0
                             ? std::numeric_limits<double>::infinity()
                             : psnr_db_sum / static_cast<double>(num_differing);
  summary.psnr_db_of_mean_mse = psnr_db_of(summary.mse);
  return summary;
}

}  // namespace calotype
