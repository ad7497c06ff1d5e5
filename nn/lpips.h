#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "nn/safetensors.h"

namespace calotype {

/// LPIPS (arXiv:1801.03924, section 3): how far apart two images are in the
/// features of VGG-16, AlexNet or SqueezeNet 1.1, weighted per channel. The
/// weights are the user's, under the names of the lpips package: net.slice*,
/// lins.*; scaling_layer.* may be missing. They do not learn.
class Lpips {
 public:
  static constexpr int64_t kSmallestSide = 32;  // five halvings

  /// Which network it is shows in the names. Throws DataError, in the name of
  /// `where`, if a tensor is missing or of another shape.
  Lpips(const TensorFile& weights, const std::string& where);

  /// Images [N,C,H,W] in [-1,1], C 1 or 3 (grey counts three times), at least
  /// 32 pixels to a side: [N]. Differentiable in both.
  at::Tensor distance(const at::Tensor& a, const at::Tensor& b) const;

  /// vgg, alex, squeeze.
  const std::string& network() const { return network_; }

  void to(c10::Device device);

 private:
  at::Tensor distance_of_rows(const at::Tensor& a, const at::Tensor& b) const;
  std::vector<at::Tensor> features(const at::Tensor& images) const;
  const at::Tensor& weight(const std::string& name) const;

  std::string network_;
  std::map<std::string, at::Tensor> weights_;
};

/// Reads them from a file: all of LPIPS, or its linear layers as they are
/// published (v0.1/vgg.pth) with torchvision's network beside it
/// (nn/lpips_weights.h).
Lpips load_lpips(const std::filesystem::path& path);

}  // namespace calotype
