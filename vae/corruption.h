#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace calotype {

struct CorruptionConfig {
  // none, gaussian, pixels, patches, salt_and_pepper
  std::string kind = "none";
  double sigma = 0.3;      // gaussian: standard deviation on the [0,1] scale
  double share = 0.5;      // of pixels or patches that suffer, in [0,1]
  int64_t patch_size = 4;  // edge in pixels

  void validate() const;  // throws ConfigError
};

template <class Visitor>
void visit_fields(CorruptionConfig& c, Visitor&& visit) {
  visit("kind", c.kind);
  visit("sigma", c.sigma);
  visit("share", c.share);
  visit("patch_size", c.patch_size);
}

/// What a denoising autoencoder sees in place of `images` [N,C,H,W] in [-1,1]
/// (Vincent et al., "Stacked Denoising Autoencoders", JMLR 11, 2010, section
/// 3.3). gaussian adds noise and does not clamp; pixels and patches turn a
/// share black, all channels together; salt_and_pepper turns half of the share
/// white. Sample k depends on (seed, samples[k], step) alone.
at::Tensor corrupt(const CorruptionConfig& config, const at::Tensor& images,
                   const at::Tensor& samples, uint64_t seed, int64_t step);

}  // namespace calotype
