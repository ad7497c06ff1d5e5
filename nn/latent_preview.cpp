#include "nn/latent_preview.h"

#include <torch/types.h>

#include "core/check.h"
#include "core/error.h"
#include "nn/batch_invariant.h"

namespace calotype {
namespace {

/// Beside channels of unit variance: far above the rounding of fp64 sums, far
/// below the noise of latents stored in fp16.
constexpr double kRidge = 1e-8;

/// A variance this small beside the mean square is rounding.
constexpr double kNoVariance = 1e-10;

std::vector<double> numbers(const at::Tensor& vector) {
  const auto whole = vector.contiguous();
  return {whole.data_ptr<double>(), whole.data_ptr<double>() + whole.numel()};
}

/// Cells of one image [D,h,w] as rows [h*w,D].
at::Tensor cells(const at::Tensor& image) {
  return image.to(torch::kCPU, torch::kDouble).flatten(1).t();
}

}  // namespace

at::Tensor latent_preview(const at::Tensor& latents,
                          const std::vector<std::vector<double>>& matrix,
                          const std::vector<double>& bias) {
  const auto D = matrix.empty() ? 0 : int64_t(matrix[0].size());
  check_shape("latent_preview", "latents", latents, {-1, D, -1, -1});
  std::vector<at::Tensor> rows;
  for (const auto& row : matrix) rows.push_back(torch::tensor(row));
  const auto weight = torch::stack(rows).to(latents.options());
  check_shape("latent_preview", "bias", torch::tensor(bias), {weight.size(0)});
  return invariant_conv2d(latents, weight.view({-1, D, 1, 1}),
                          torch::tensor(bias).to(latents.options()), {})
      .clamp(-1, 1);
}

void PreviewFit::add(const at::Tensor& latents, const at::Tensor& pixels) {
  const bool is_first = !inputs_.defined();
  check_shape("PreviewFit", "latents", latents,
              {-1, is_first ? -1 : inputs_.size(0) - 1, -1, -1});
  check_shape("PreviewFit", "pixels", pixels,
              {latents.size(0), is_first ? -1 : squares_.size(0),
               latents.size(2), latents.size(3)});
  if (latents.numel() == 0) return;
  if (is_first) {
    const auto D = latents.size(1), C = pixels.size(1);
    origin_ = cells(latents[0]).mean(0);
    inputs_ = torch::zeros({D + 1, D + 1}, torch::kDouble);
    cross_ = torch::zeros({D + 1, C}, torch::kDouble);
    squares_ = torch::zeros({C}, torch::kDouble);
  }
  for (int64_t i = 0; i < latents.size(0); ++i) {
    const auto z = cells(latents[i]) - origin_, x = cells(pixels[i]);
    const auto u = torch::cat({z, torch::ones({z.size(0), 1}, z.options())}, 1);
    inputs_ += u.t().mm(u);
    cross_ += u.t().mm(x);
    squares_ += x.square().sum(0);
  }
  num_images_ += latents.size(0);
}

PreviewMap PreviewFit::fit() const {
  if (num_images_ == 0) throw ShapeError("PreviewFit: no images");
  const auto D = inputs_.size(0) - 1;
  const auto count = inputs_[D][D];
  const auto z_mean = inputs_[D].narrow(0, 0, D) / count;  // [D]
  const auto x_mean = cross_[D] / count;                   // [C]
  // Sums of products about the means: [D,D], [D,C] and [C].
  const auto zz = inputs_.narrow(0, 0, D).narrow(1, 0, D) -
                  count * torch::outer(z_mean, z_mean);
  const auto zx = cross_.narrow(0, 0, D) - count * torch::outer(z_mean, x_mean);
  const auto xx = squares_ - count * x_mean.square();

  const auto spread = zz.diagonal(), center = origin_ + z_mean;
  const auto varies =
      spread.gt(kNoVariance * (spread + count * center.square()));
  // 1 / sqrt(spread), or 0 for what does not vary.
  const auto scale = torch::where(varies, spread.clamp_min(0).rsqrt(),
                                  torch::zeros_like(spread));
  // By eigenvectors, since rounding may leave no positive definite matrix.
  const auto [value, vector] =
      torch::linalg_eigh(zz * torch::outer(scale, scale));
  const auto right = vector.t().mm(zx * scale.unsqueeze(1));
  const auto weight =  // [D,C]
      vector.mm(right / (value.clamp_min(0) + kRidge).unsqueeze(1)) *
      scale.unsqueeze(1);

  const auto total = xx.sum().item<double>();
  const auto left = total - 2 * (weight * zx).sum().item<double>() +
                    (weight * zz.mm(weight)).sum().item<double>();
  const bool any = total > kNoVariance * squares_.sum().item<double>();
  PreviewMap map{.bias = numbers(x_mean - center.matmul(weight)),
                 .r2 = any ? 1 - left / total : 1,
                 .num_images = num_images_};
  for (int64_t c = 0; c < weight.size(1); ++c)
    map.matrix.push_back(numbers(weight.select(1, c)));
  return map;
}

}  // namespace calotype
