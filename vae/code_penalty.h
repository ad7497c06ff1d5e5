#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "vae/autoencoder.h"

// What regularised autoencoders add to the error of their reconstruction. All
// are scalars that are finite, differentiable and not negative.
namespace calotype {

/// Mean over the batch of sum_j |z_j| |d_j|: the L1 norm of the code with each
/// number measured by the length of what it adds, its direction in the
/// decoder's first layer. Without that factor the code would shrink and the
/// decoder grow, for nothing (Olshausen and Field, Nature 381, 1996, hold the
/// lengths fixed for the same reason). `code`: [N,D,h,w]; `directions`: [D,*],
/// or undefined for lengths of 1.
at::Tensor l1_penalty(const at::Tensor& code, const at::Tensor& directions);

/// sum_j KL(target || mean over the batch of z_j), z_j in (0,1) taken as the
/// probability of being active (Ng, "Sparse autoencoder", CS294A lecture notes,
/// 2011, section 3). In nats.
at::Tensor kl_sparsity_penalty(const at::Tensor& code, double target);

/// |dz/dx|_F^2 averaged over the batch, where x are the pixels on [-1,1] (Rifai
/// et al., "Contractive Auto-Encoders", ICML 2011, equation 2). Exact and
/// without a backward pass for a dense encoder of one layer; otherwise
/// Hutchinson's estimate, the mean of |v^T dz/dx|^2 over `num_probes` random
/// directions v of standard normal numbers, which is unbiased (Hutchinson,
/// Communications in Statistics 19, 1990). Differentiable in the weights.
at::Tensor jacobian_norm(CalotypeAutoencoderImpl& model,
                         const at::Tensor& images, const at::Tensor& samples,
                         uint64_t seed, int64_t step, int64_t num_probes);

/// The share of code numbers that are active: above 0 after relu, above 1/2
/// after sigmoid, else further from 0 than 1 % of the largest of the batch.
at::Tensor active_share(const at::Tensor& code, const std::string& code_act_fn);

/// sum_j Var(z_j) over the batch: the spread that a Jacobian's norm has to be
/// seen against. Scalar.
at::Tensor code_spread(const at::Tensor& code);

}  // namespace calotype
