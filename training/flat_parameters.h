#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace calotype {

/// The Euclidean norm of a flat tensor [size]. LibTorch adds up all squares in
/// a few floats, which of 16 million numbers leaves an error of a hundredth;
/// here they are added in double, piece by piece.
double euclidean_norm(const at::Tensor& flat);

/// All trained parameters of a module laid out in one tensor, their gradients
/// in another. An optimizer step, a gradient norm or an average is then a few
/// passes over one array instead of thousands of small calls, and a checkpoint
/// is a few tensors.
///
/// The module's parameters become views, so it must not be moved to another
/// device or type while this object lives.
class FlatParameters {
 public:
  explicit FlatParameters(torch::nn::Module& module);

  at::Tensor& values() { return values_; }        // [size]
  at::Tensor& gradients() { return gradients_; }  // [size]

  /// The part of a tensor laid out like values() that belongs to each
  /// parameter.
  std::map<std::string, at::Tensor> by_name(const at::Tensor& flat) const;

  /// True in the places of the parameters called `names`: bool, as values().
  /// Throws ShapeError for a name that is none of them.
  at::Tensor mask_of(const std::vector<std::string>& names) const;

  /// Names of the parameters whose gradient holds a NaN or an infinity.
  std::vector<std::string> names_with_bad_gradient() const;

 private:
  struct Slice {
    std::string name;
    int64_t offset;
    std::vector<int64_t> shape;
  };

  std::vector<Slice> slices_;
  at::Tensor values_, gradients_;
};

}  // namespace calotype
