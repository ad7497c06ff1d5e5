#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include "nn/activation.h"
#include "nn/batch_invariant.h"

namespace calotype {

/// Sines and cosines of a time, [N] -> [N,dim] (arXiv:1706.03762, section 3.5,
/// with diffusers' two freedoms). `freq_shift` is subtracted from dim/2 in the
/// frequencies' denominator; `cosine_first` puts the cosines in the first half.
torch::Tensor sinusoidal_embedding(const torch::Tensor& times, int64_t dim,
                                   bool cosine_first, double freq_shift);

/// Random Fourier features of log(time), [N] -> [N,2*half_dim]
/// (arXiv:2011.13456, section C.1); the frequencies are drawn once and kept as
/// `weight`.
class FourierEmbeddingImpl : public torch::nn::Module {
 public:
  explicit FourierEmbeddingImpl(int64_t half_dim);

  torch::Tensor forward(const torch::Tensor& times);

 private:
  torch::Tensor weight_;  // [half_dim]
};
TORCH_MODULE(FourierEmbedding);

/// Linear, activation, linear: diffusers' TimestepEmbedding, named linear_1,
/// linear_2.
class TimeMlpImpl : public torch::nn::Module {
 public:
  TimeMlpImpl(int64_t in_dim, int64_t out_dim, Activation activation);

  /// [N,in_dim] -> [N,out_dim].
  torch::Tensor forward(const torch::Tensor& x);

 private:
  Activation activation_;
  Linear linear_1_{nullptr}, linear_2_{nullptr};
};
TORCH_MODULE(TimeMlp);

}  // namespace calotype
