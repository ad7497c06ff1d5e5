#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "core/latent_grid.h"
#include "vae/autoencoder.h"

// How probable images are under a variational autoencoder with a standard
// normal prior: bounds from below on log p(x), in nats.
namespace calotype {

/// log p(x|z) of each image [N], where `code` [N,D,h,w] is its z. `images`:
/// [N,C,H,W] in [-1,1], the 256 values of bytes. bce: Bernoulli variables, a
/// probability if the images are black and white and a cross-entropy otherwise.
/// gaussian: the probability of the byte, that is of the interval of width
/// 2/255 around the value, open at both ends of the scale (arXiv:2006.11239,
/// equation 13), so that the bound holds for the images as stored. Throws
/// ConfigError for other reconstructions, which leave the scale open.
at::Tensor log_likelihood(CalotypeAutoencoderImpl& model,
                          const at::Tensor& images, const at::Tensor& code);

/// The evidence lower bound of each image [N] (arXiv:1312.6114, equation 3):
/// the mean of log p(x|z) over `num_draws` draws from `posterior`, less its KL.
at::Tensor evidence_lower_bound(CalotypeAutoencoderImpl& model,
                                const at::Tensor& images,
                                const LatentGrid& posterior,
                                const at::Tensor& samples, uint64_t seed,
                                int64_t num_draws = 1);

/// log of the mean of p(x,z_k) / q(z_k|x) over `num_draws` draws
/// (arXiv:1509.00519, equation 8): [N], tighter with more draws. The draws
/// depend on (seed, samples[n], k) alone.
at::Tensor importance_weighted_bound(CalotypeAutoencoderImpl& model,
                                     const at::Tensor& images,
                                     const LatentGrid& posterior,
                                     const at::Tensor& samples, uint64_t seed,
                                     int64_t num_draws);

/// Nats per image as bits per value: -nats / (ln 2 values).
double bits_per_dim(double nats, int64_t values_per_image);

/// Black or white from each grey value, with the value as the probability of
/// white; sample k depends on (seed, samples[k], step) alone. [-1,1] to {-1,1}.
at::Tensor binarize(const at::Tensor& images, const at::Tensor& samples,
                    uint64_t seed, int64_t step);

}  // namespace calotype
