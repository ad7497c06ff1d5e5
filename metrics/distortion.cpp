#include "metrics/distortion.h"

#include <ATen/Functions.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "core/check.h"
#include "core/error.h"
#include "metrics/ssim.h"

namespace calotype {
namespace {

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

// Whole numbers in [0,255], or the values as they are on that scale.
at::Tensor on_byte_scale(const at::Tensor& images, Rounding rounding) {
  if (rounding == Rounding::kRound) return viewed_bytes(images);
  const auto values = images.to(at::kFloat).mul(0.5).add_(0.5).mul_(255);
  if (rounding == Rounding::kNone) return values;
  // On [-1,1] every fourth byte comes out a little below itself.
  constexpr double kRoundingError = 1e-3;
  return values.add_(kRoundingError).clamp_(0, 255).floor_();
}

/// Mean squared and mean absolute difference of each image, double [N], of
/// values in [0,data_range] as of those in [0,1]. In pieces: the doubles of a
/// large image would be most of what it takes.
std::pair<at::Tensor, at::Tensor> mean_errors(const at::Tensor& a,
                                              const at::Tensor& b,
                                              double data_range) {
  constexpr int64_t kPiece = 1 << 20;
  const auto N = a.size(0), count = a.numel() / N;
  const auto flat_a = a.flatten(1), flat_b = b.flatten(1);
  auto squares = at::zeros({N}, at::kDouble),
       absolutes = at::zeros_like(squares);
  for (int64_t begin = 0; begin < count; begin += kPiece) {
    const auto length = std::min(kPiece, count - begin);
    const auto error = (flat_b.narrow(1, begin, length).to(at::kDouble) -
                        flat_a.narrow(1, begin, length))
                           .div_(data_range);
    squares += error.square().sum(1);
    absolutes += error.abs().sum(1);
  }
  return {squares.div_(double(count)), absolutes.div_(double(count))};
}

bool is_multi_scale(const at::Tensor& images) {
  return std::min(images.size(2), images.size(3)) >= kSmallestMultiScaleSide;
}

}  // namespace

at::Tensor viewed_bytes(const at::Tensor& images) {
  // In place: an image may be large.
  return images.to(at::kFloat)
      .mul(0.5)
      .add_(0.5)
      .clamp_(0, 1)
      .mul_(255)
      .round_();
}

at::Tensor rounded(const at::Tensor& reconstruction, Rounding rounding) {
  const auto images = reconstruction.to(at::kCPU, at::kFloat);
  if (rounding == Rounding::kNone) return images;
  return on_byte_scale(images, rounding).div_(127.5).sub_(1);
}

Distortion::Distortion(DistortionOptions options)
    : options_(std::move(options)) {
  check_range("distortion", "networks for LPIPS", double(options_.lpips.size()),
              0, double(kMaxLpips));
}

double psnr_db(double mse) {
  if (mse == 0) return std::numeric_limits<double>::infinity();
  return 0 - 10 * std::log10(mse);  // the peak is 1; of an error of 1 no -0
}

double ImageDistortion::psnr_db() const {
  return calotype::psnr_db(mse);
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

  const auto shorter = std::min(reference.size(2), reference.size(3));
  if (!options_.lpips.empty() && shorter < Lpips::kSmallestSide)
    throw ConfigError(fmt::format(
        "distortion: LPIPS needs images of {} pixels to a side, got {}x{}; "
        "--size makes them larger",
        Lpips::kSmallestSide, reference.size(3), reference.size(2)));
  const auto label = labels.defined() ? labels.to(at::kCPU, at::kLong)
                                      : at::full({N}, -1, at::kLong);
  const auto sample = samples.defined()
                          ? samples.to(at::kCPU, at::kLong)
                          : at::arange(N, at::kLong) + std::ssize(images_);
  refuse_non_finite("reference", reference, sample);
  refuse_non_finite("reconstruction", reconstruction, sample);

  // Bytes stay whole numbers, so that their differences are exact. References
  // are bytes of files, and no cast has spoiled them.
  constexpr double kDataRange = 255;
  const bool as_is = options_.rounding == Rounding::kNone;
  const auto a = on_byte_scale(reference.to(at::kCPU),
                               as_is ? Rounding::kNone : Rounding::kRound);
  const auto b = on_byte_scale(reconstruction.to(at::kCPU), options_.rounding);
  const auto [mse, mae] = mean_errors(a, b, kDataRange);
  const auto similarity = ssim(a, b, kDataRange);
  const auto multi_scale =
      is_multi_scale(a) ? multi_scale_ssim(a, b, kDataRange)
                        : at::full({N}, ImageDistortion::kUnknown, at::kDouble);
  std::vector<at::Tensor> perceptual;
  for (const auto& network : options_.lpips)
    perceptual.push_back(network
                             ->distance((a / 127.5 - 1).to(options_.device),
                                        (b / 127.5 - 1).to(options_.device))
                             .to(at::kCPU, at::kDouble));

  const auto samples_of = sample.accessor<int64_t, 1>();
  const auto labels_of = label.accessor<int64_t, 1>();
  const auto mse_of = mse.accessor<double, 1>();
  const auto mae_of = mae.accessor<double, 1>();
  const auto ssim_of = similarity.accessor<double, 1>();
  const auto ms_ssim_of = multi_scale.accessor<double, 1>();
  for (int64_t i = 0; i < N; ++i) {
    images_.push_back({.sample = samples_of[i],
                       .label = labels_of[i],
                       .height = int32_t(reference.size(2)),
                       .width = int32_t(reference.size(3)),
                       .mse = mse_of[i],
                       .mae = mae_of[i],
                       .ssim = ssim_of[i],
                       .ms_ssim = ms_ssim_of[i]});
    for (size_t network = 0; network < perceptual.size(); ++network)
      images_.back().lpips[network] = perceptual[network][i].item<double>();
  }
}

void Distortion::add(const std::vector<ImageDistortion>& images) {
  images_.insert(images_.end(), images.begin(), images.end());
}

std::vector<ImageDistortion> Distortion::images() const {
  auto images = images_;
  std::ranges::stable_sort(images, {}, &ImageDistortion::sample);
  return images;
}

std::vector<ImageDistortion> Distortion::ranked() const {
  auto images = images_;
  std::sort(images.begin(), images.end(), [](const auto& a, const auto& b) {
    return a.mse != b.mse ? a.mse > b.mse : a.sample < b.sample;
  });
  return images;
}

DistortionSummary Distortion::summary() const {
  if (images_.empty())
    throw ConfigError(
        "distortion: there must be an image to measure, got none");
  DistortionSummary summary;
  summary.num_images = std::ssize(images_);
  summary.ms_ssim = 0;
  double psnr_db_sum = 0;
  for (const auto& image : images()) {
    summary.mse += image.mse;
    summary.mae += image.mae;
    summary.ssim += image.ssim;
    summary.ms_ssim += image.ms_ssim;  // NaN if one of them is
    for (size_t i = 0; i < kMaxLpips; ++i) summary.lpips[i] += image.lpips[i];
    if (image.mse == 0)
      ++summary.num_identical;
    else
      psnr_db_sum += image.psnr_db();
  }
  const auto count = static_cast<double>(summary.num_images);
  summary.mse /= count;
  summary.mae /= count;
  summary.ssim /= count;
  summary.ms_ssim /= count;
  for (auto& distance : summary.lpips) distance /= count;
  const auto num_differing = summary.num_images - summary.num_identical;
  summary.mean_psnr_db = num_differing == 0
                             ? std::numeric_limits<double>::infinity()
                             : psnr_db_sum / static_cast<double>(num_differing);
  summary.psnr_db_of_mean_mse = psnr_db(summary.mse);
  return summary;
}

}  // namespace calotype
