#include "vae/code_penalty.h"

#include <torch/autograd.h>
#include <torch/types.h>

#include "core/random.h"
#include "vae/dense_network.h"

namespace calotype {
namespace {

constexpr double kEps = 1e-6;  // keeps logarithms and divisions finite

/// d act(a) / d a, written in what the activation gives or takes.
at::Tensor derivative(Activation activation, const at::Tensor& a) {
  switch (activation) {
    case Activation::kNone:
      return torch::ones_like(a);
    case Activation::kRelu:
      return (a > 0).to(a.scalar_type());
    case Activation::kTanh:
      return 1 - a.tanh().square();
    case Activation::kSigmoid: {
      const auto s = a.sigmoid();
      return s * (1 - s);
    }
    default:
      return {};  // no closed form here
  }
}

/// sum_j act'(a_j)^2 |W_j|^2 of each image, or undefined where that is not the
/// whole encoder.
at::Tensor exact_norm(CalotypeAutoencoderImpl& model,
                      const at::Tensor& images) {
  const auto* dense = dynamic_cast<DenseNetwork*>(&model.network());
  if (!dense || dense->num_layers() != 1) return {};
  const auto code = model.network().encode(images).flatten(1);
  const auto D = model.config().latent_channels;  // the mean, if variational
  const auto slope =
      derivative(parse_activation(model.config().code_act_fn, "code_act_fn"),
                 code.narrow(1, 0, D));
  if (!slope.defined()) return {};
  const auto lengths = dense->first_weight().square().sum(1).narrow(0, 0, D);
  return slope.square().matmul(lengths);
}

}  // namespace

at::Tensor l1_penalty(const at::Tensor& code, const at::Tensor& directions) {
  const auto sums = code.abs().sum({2, 3}).mean(0);  // [D]
  if (!directions.defined()) return sums.sum();
  return sums.dot(directions.norm(2, 1));
}

at::Tensor kl_sparsity_penalty(const at::Tensor& code, double target) {
  const auto rate = code.mean(0).clamp(kEps, 1 - kEps);
  return (target * (target / rate).log() +
          (1 - target) * ((1 - target) / (1 - rate)).log())
      .sum();
}

at::Tensor jacobian_norm(CalotypeAutoencoderImpl& model,
                         const at::Tensor& images, const at::Tensor& samples,
                         uint64_t seed, int64_t step, int64_t num_probes) {
  if (const auto exact = exact_norm(model, images); exact.defined())
    return exact.mean();
  // Also where gradients are off around us: this is a derivative itself.
  const bool trains = at::GradMode::is_enabled();
  const at::AutoGradMode with_gradients(true);
  const auto x = images.detach().clone().requires_grad_(true);
  const auto code = model.encode(x).mean;
  at::Tensor sum;
  for (int64_t probe = 0; probe < num_probes; ++probe) {
    const auto v = normal_rows(code.sizes().slice(1), samples,
                               seed + uint64_t(probe) * 0x9E3779B97F4A7C15u,
                               Stream::kProbe, uint32_t(step))
                       .to(code.device());
    const auto product =
        torch::autograd::grad({code}, {x}, {v}, /*retain_graph=*/true,
                              /*create_graph=*/trains)[0];
    const auto norm = product.square().flatten(1).sum(1).mean();
    sum = sum.defined() ? sum + norm : norm;
  }
  return sum / double(num_probes);
}

at::Tensor active_share(const at::Tensor& code,
                        const std::string& code_act_fn) {
  constexpr double kOfLargest = 0.01;
  const auto active = code_act_fn == "relu" ? code > 0
                      : code_act_fn == "sigmoid"
                          ? code > 0.5
                          : code.abs() > kOfLargest * code.abs().max();
  return active.to(torch::kFloat).mean();
}

at::Tensor code_spread(const at::Tensor& code) {
  return code.flatten(1).var(0, /*unbiased=*/false).sum().clamp_min(kEps);
}

}  // namespace calotype
