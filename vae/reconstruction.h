#pragma once

#include <ATen/core/Tensor.h>

#include <string>

// How a reconstruction is compared with its image. Each comparison is the
// negative log-likelihood, up to constants, of a distribution of the image
// around what the decoder puts out: choose it by what the data are.
namespace calotype {

enum class Reconstruction {
  kMse,          // squares: a Gaussian of fixed variance
  kL1,           // absolute values: a Laplacian of fixed scale
  kBce,          // binary cross-entropy on [0,1]: a Bernoulli variable
  kCharbonnier,  // sqrt(error^2 + eps^2): a Laplacian with a rounded tip
  kGaussian,     // a Gaussian whose variance is learned
};

/// mse, l1, bce, charbonnier, gaussian. Throws ConfigError; `where` leads the
/// message.
Reconstruction parse_reconstruction(const std::string& where,
                                    const std::string& name);

/// The distribution that it assumes, in words.
const char* noise_model(Reconstruction kind);

/// Whether the values are negative log-likelihoods in nats, constants included,
/// so that a sum with a divergence is an evidence lower bound.
bool has_likelihood(Reconstruction kind);

/// The error of every value, [N,C,H,W]. `images` in [-1,1]; `output` is what
/// the decoder puts out: the image, or for kBce the logits of its values on
/// [0,1]. `log_variance`: scalar, of the images' scale; for kGaussian alone
/// (sigma-VAE, arXiv:2006.13202, section 3).
at::Tensor reconstruction_errors(Reconstruction kind, const at::Tensor& images,
                                 const at::Tensor& output,
                                 const at::Tensor& log_variance = {});

/// The mean of that distribution: the image to show, in [-1,1] for kBce.
at::Tensor expected_image(Reconstruction kind, const at::Tensor& output);

}  // namespace calotype
