#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "core/latent_grid.h"

// The diagonal Gaussian that an encoder gives for each image (Kingma and
// Welling, "Auto-Encoding Variational Bayes", arXiv:1312.6114, section 3 and
// appendix B).
namespace calotype {

/// Splits the encoder's output [N,2D,h,w] into mean and log-variance, the
/// latter clamped to [-30, 20] as diffusers does.
LatentGrid split_moments(const at::Tensor& moments);

/// mean + exp(logvar / 2) * noise. `noise`: standard normal of the mean's
/// shape. A grid without log-variance is its own sample.
at::Tensor sample(const LatentGrid& grid, const at::Tensor& noise);

/// KL(q || N(0,1)) of every element, in nats: [N,D,h,w].
at::Tensor kl_elements(const LatentGrid& grid);

/// The same summed over each sample's grid: [N].
at::Tensor kl_per_sample(const LatentGrid& grid);

/// The weight of the divergence at `step`: it grows linearly from 0 to `weight`
/// over `anneal_steps` (arXiv:1511.06349, section 3.1).
double annealed_weight(double weight, int64_t anneal_steps, int64_t step);

}  // namespace calotype
