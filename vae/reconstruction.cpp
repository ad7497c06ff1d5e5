#include "vae/reconstruction.h"

#include <fmt/format.h>
#include <torch/types.h>

#include <cmath>
#include <numbers>

#include "core/check.h"
#include "core/error.h"
#include "nn/activation.h"

namespace calotype {
namespace {

// Charbonnier's tip on [-1,1]: arXiv:1710.01992, section 3.3, uses 1e-3.
constexpr double kCharbonnierEps = 1e-3;

}  // namespace

Reconstruction parse_reconstruction(const std::string& where,
                                    const std::string& name) {
  check_one_of(where, "reconstruction", name,
               {"mse", "l1", "bce", "charbonnier", "gaussian"});
  if (name == "l1") return Reconstruction::kL1;
  if (name == "bce") return Reconstruction::kBce;
  if (name == "charbonnier") return Reconstruction::kCharbonnier;
  if (name == "gaussian") return Reconstruction::kGaussian;
  return Reconstruction::kMse;
}

const char* noise_model(Reconstruction kind) {
  switch (kind) {
    case Reconstruction::kMse:
      return "Gaussian of fixed variance";
    case Reconstruction::kL1:
      return "Laplacian of fixed scale";
    case Reconstruction::kBce:
      return "Bernoulli on [0,1]";
    case Reconstruction::kCharbonnier:
      return "Laplacian of fixed scale, smooth at its tip";
    case Reconstruction::kGaussian:
      break;
  }
  return "Gaussian of learned variance";
}

bool has_likelihood(Reconstruction kind) {
  return kind == Reconstruction::kBce || kind == Reconstruction::kGaussian;
}

at::Tensor reconstruction_errors(Reconstruction kind, const at::Tensor& images,
                                 const at::Tensor& output,
                                 const at::Tensor& log_variance) {
  if (images.sizes() != output.sizes())
    throw ShapeError(fmt::format("reconstruction: output must be {}, got {}",
                                 shape_text(images.sizes()),
                                 shape_text(output.sizes())));
  switch (kind) {
    case Reconstruction::kMse:
      return (images - output).square();
    case Reconstruction::kL1:
      return (images - output).abs();
    case Reconstruction::kBce:
      return torch::binary_cross_entropy_with_logits(
          output, images / 2 + 0.5, {}, {}, at::Reduction::None);
    case Reconstruction::kCharbonnier:
      return ((images - output).square() + kCharbonnierEps * kCharbonnierEps)
          .sqrt();
    case Reconstruction::kGaussian:
      break;
  }
  if (!log_variance.defined())
    throw ShapeError("reconstruction: gaussian needs a log_variance, got none");
  return 0.5 * ((images - output).square() * (-log_variance).exp() +
                log_variance + std::log(2 * std::numbers::pi));
}

at::Tensor expected_image(Reconstruction kind, const at::Tensor& output) {
  return kind == Reconstruction::kBce
             ? 2 * activate(Activation::kSigmoid, output) - 1
             : output;
}

}  // namespace calotype
