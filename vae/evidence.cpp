#include "vae/evidence.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

#include "core/error.h"
#include "core/random.h"
#include "vae/gaussian.h"

namespace calotype {
namespace {

constexpr int64_t kDrawsPerBlock = 50;  // decoded together, for each image
constexpr double kHalfBin = 1.0 / 255;  // of a byte on [-1,1]

at::Tensor normal_cdf(const at::Tensor& x) {
  return 0.5 * torch::erfc(-x / std::numbers::sqrt2);
}

/// log of the probability that a Gaussian gives each byte.
at::Tensor log_byte_probability(const at::Tensor& images,
                                const at::Tensor& means,
                                const at::Tensor& log_variance) {
  const auto inverse_sigma = (-0.5 * log_variance).exp();
  const auto error = images - means;
  const auto upper = (error + kHalfBin) * inverse_sigma;
  const auto lower = (error - kHalfBin) * inverse_sigma;
  // Far from the mean both cumulative values round to the same number; there
  // the density times the width is exact enough.
  constexpr double kSmallest = 1e-6;
  const auto inside = normal_cdf(upper) - normal_cdf(lower);
  const auto density = -0.5 * ((error * inverse_sigma).square() + log_variance +
                               std::log(2 * std::numbers::pi)) +
                       std::log(2 * kHalfBin);
  auto log_p = torch::where(inside > kSmallest,
                            inside.clamp_min(kSmallest).log(), density);
  // The ends of the scale hold all that lies beyond them. log_ndtr is exact in
  // the tail.
  log_p = torch::where(images < -1 + kHalfBin, torch::special_log_ndtr(upper),
                       log_p);
  return torch::where(images > 1 - kHalfBin, torch::special_log_ndtr(-lower),
                      log_p);
}

/// Runs `visit(draws [N,B,D,h,w], log p(x|z) [N,B])` over all draws in blocks.
void for_each_block(
    CalotypeAutoencoderImpl& model, const at::Tensor& images,
    const LatentGrid& posterior, const at::Tensor& samples, uint64_t seed,
    int64_t num_draws,
    const std::function<void(const at::Tensor&, const at::Tensor&)>& visit) {
  if (!posterior.logvar.defined())
    throw ConfigError(
        "evidence: needs a variational autoencoder, got one without a "
        "variance");
  const auto N = images.size(0);
  auto shape = posterior.mean.sizes().slice(1).vec();
  shape.insert(shape.begin(), kDrawsPerBlock);
  const auto image_shape = images.sizes().slice(1).vec();
  for (int64_t done = 0; done < num_draws; done += kDrawsPerBlock) {
    const auto count = std::min(kDrawsPerBlock, num_draws - done);
    const auto noise = normal_rows(shape, samples, seed, Stream::kPosterior,
                                   uint32_t(done / kDrawsPerBlock))
                           .narrow(1, 0, count)
                           .to(images.device());
    const auto code = posterior.mean.unsqueeze(1) +
                      (0.5 * posterior.logvar).exp().unsqueeze(1) * noise;
    std::vector<int64_t> repeated{N, count};
    repeated.insert(repeated.end(), image_shape.begin(), image_shape.end());
    const auto log_p =
        log_likelihood(model,
                       images.unsqueeze(1).expand(repeated).flatten(0, 1),
                       code.flatten(0, 1))
            .view({N, count});
    visit(noise, log_p);
  }
}

}  // namespace

at::Tensor log_likelihood(CalotypeAutoencoderImpl& model,
                          const at::Tensor& images, const at::Tensor& code) {
  const auto kind = model.reconstruction();
  if (!has_likelihood(kind))
    throw ConfigError(
        fmt::format("evidence: needs reconstruction bce or gaussian, which are "
                    "likelihoods; {} leaves the scale open",
                    model.config().reconstruction));
  const auto output = model.decode_raw(code);
  const auto values =
      kind == Reconstruction::kBce
          ? -reconstruction_errors(kind, images, output)
          : log_byte_probability(images, output, model.log_variance());
  return values.flatten(1).sum(1);
}

at::Tensor evidence_lower_bound(CalotypeAutoencoderImpl& model,
                                const at::Tensor& images,
                                const LatentGrid& posterior,
                                const at::Tensor& samples, uint64_t seed,
                                int64_t num_draws) {
  auto sum = torch::zeros({images.size(0)}, images.options());
  for_each_block(model, images, posterior, samples, seed, num_draws,
                 [&](const at::Tensor&, const at::Tensor& log_p) {
                   sum = sum + log_p.sum(1);
                 });
  return sum / double(num_draws) - kl_per_sample(posterior);
}

at::Tensor importance_weighted_bound(CalotypeAutoencoderImpl& model,
                                     const at::Tensor& images,
                                     const LatentGrid& posterior,
                                     const at::Tensor& samples, uint64_t seed,
                                     int64_t num_draws) {
  at::Tensor log_sum;
  for_each_block(
      model, images, posterior, samples, seed, num_draws,
      [&](const at::Tensor& noise, const at::Tensor& log_p) {
        const auto mean = posterior.mean.unsqueeze(1);
        const auto logvar = posterior.logvar.unsqueeze(1);
        const auto z = mean + (0.5 * logvar).exp() * noise;
        // log p(z) - log q(z|x); the constants of both are the same.
        const auto log_ratio =
            0.5 * (noise.square() - z.square() + logvar).flatten(2).sum(2);
        const auto block = (log_p + log_ratio).logsumexp({1});
        log_sum = log_sum.defined() ? torch::logaddexp(log_sum, block) : block;
      });
  return log_sum - std::log(double(num_draws));
}

double bits_per_dim(double nats, int64_t values_per_image) {
  return -nats / (std::numbers::ln2 * double(values_per_image));
}

at::Tensor binarize(const at::Tensor& images, const at::Tensor& samples,
                    uint64_t seed, int64_t step) {
  const auto drawn = uniform_rows(images.sizes().slice(1), samples, seed,
                                  Stream::kBinarize, uint32_t(step))
                         .to(images.device());
  return (drawn < images / 2 + 0.5).to(images.scalar_type()) * 2 - 1;
}

}  // namespace calotype
