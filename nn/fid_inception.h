#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "nn/safetensors.h"

namespace calotype {

/// The Inception v3 of 2015 (arXiv:1512.00567) in which FID is measured, as
/// pytorch-fid computes it: padding counts in no average, and the last block
/// pools by the largest. The weights are the user's, under pytorch-fid's names.
/// It does not learn: batch normalisation is folded into the convolutions.
class FidInception {
 public:
  static constexpr int64_t kFeatures = 2048;
  static constexpr int64_t kLogits = 1008;
  static constexpr int64_t kEdge = 299;  // what images are resized to

  /// `fc.*` may be missing. Throws DataError, in the name of `where`, if a
  /// tensor is missing or of another shape.
  FidInception(const TensorFile& weights, const std::string& where);

  /// Images [N,C,H,W] in [-1,1], C 1 or 3 (grey counts three times), of any
  /// size: bilinearly resized to 299x299 inside, without antialiasing, as
  /// pytorch-fid does. Returns pool3, [N,2048]; records no gradient.
  at::Tensor features(const at::Tensor& images) const;

  /// What the inception score takes the softmax of: [N,1008] of features
  /// [N,2048], without fc's bias, as the score's authors and torch-fidelity
  /// (logits_unbiased) compute it. Throws ConfigError if the weights have no
  /// fc.
  at::Tensor logits(const at::Tensor& features) const;
  bool has_logits() const { return weights_.contains("fc.weight"); }

  void to(c10::Device device);

 private:
  std::map<std::string, at::Tensor> weights_;
};

/// Reads them from a file: safetensors, or pytorch-fid's own
/// (pt_inception-2015-12-05-6726825d.pth).
FidInception load_fid_inception(const std::filesystem::path& path);

}  // namespace calotype
