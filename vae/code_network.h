#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>

namespace calotype {

/// The two halves of an autoencoder without what is done with the code. Its
/// sub-modules are `encoder` and `decoder`.
class CodeNetwork : public torch::nn::Module {
 public:
  /// Images [N,C,H,W] in [-1,1] -> [N,K,h,w], K as configured; a vector code is
  /// a grid of 1x1.
  virtual at::Tensor encode(const at::Tensor& images) = 0;

  /// Codes [N,D,h,w] -> [N,C,H,W].
  virtual at::Tensor decode(const at::Tensor& code) = 0;

  /// H / h. A network of vector codes takes images of this size alone.
  virtual int64_t downsample() const = 0;

  /// What each code number is multiplied by on its way out: the weights
  /// [D,...] of the decoder's first layer, by which a penalty on the code is
  /// made indifferent to scaling the code down and the decoder up. Undefined if
  /// the first layer is not linear in the code.
  virtual at::Tensor code_directions() { return {}; }
};

}  // namespace calotype
