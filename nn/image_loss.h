#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "nn/lpips.h"
#include "nn/patch_discriminator.h"

// What codecs are asked to keep of an image, in training.
namespace calotype {

struct PerceptualConfig {
  std::string weights;  // safetensors of LPIPS; empty: none
  double weight = 1;    // of the mean distance

  void validate() const;  // throws ConfigError
};

template <class Visitor>
void visit_fields(PerceptualConfig& c, Visitor&& visit) {
  visit("weights", c.weights);
  visit("weight", c.weight);
}

struct AdversarialConfig {
  double weight = 0;           // 0: no discriminator
  int64_t start = 0;           // step before which it does not count
  std::string loss = "hinge";  // hinge, non_saturating
  bool adaptive = true;        // see ImageLoss
  int64_t channels = 32;       // of the discriminator
  int64_t num_layers = 2;

  void validate() const;  // throws ConfigError
};

template <class Visitor>
void visit_fields(AdversarialConfig& c, Visitor&& visit) {
  visit("weight", c.weight);
  visit("start", c.start);
  visit("loss", c.loss);
  visit("adaptive", c.adaptive);
  visit("channels", c.channels);
  visit("num_layers", c.num_layers);
}

struct ImageLossConfig {
  std::string reconstruction = "mse";  // mse, l1: mean over all values
  PerceptualConfig perceptual;
  AdversarialConfig adversarial;

  void validate() const;  // throws ConfigError
};

template <class Visitor>
void visit_fields(ImageLossConfig& c, Visitor&& visit) {
  visit("reconstruction", c.reconstruction);
  visit("perceptual", c.perceptual);
  visit("adversarial", c.adversarial);
}

/// reconstruction + weight * LPIPS + weight * lambda * (fooling a PatchGAN).
/// hinge: arXiv:1705.02894, section 3.1; non_saturating: arXiv:1406.2661,
/// section 3. Adaptive: lambda is the ratio of the gradients' norms of the two
/// sides at the decoder's last layer, at most 10^4 (arXiv:2012.09841, equation
/// 7), else 1.
///
/// The discriminator learns in the same backward pass and by the same
/// optimizer: the codec's side sees its weights as constants, its own side sees
/// the images as constants.
class ImageLoss {
 public:
  /// Throws ConfigError, and DataError for perceptual weights that are not.
  ImageLoss(const ImageLossConfig& config, int64_t image_channels);

  struct Result {
    at::Tensor codec;          // what the codec is to minimise
    at::Tensor discriminator;  // what the discriminator is; 0 without one
    std::vector<std::pair<std::string, at::Tensor>> parts;
  };

  /// `decoded`, `images`: [N,C,H,W]. `codec`: whose decoder.conv_out is the
  /// last layer. `step`: of training, at which a discriminator may not have
  /// started. `has_gradients`: whether `decoded` knows how it was made; without
  /// that, lambda is 1.
  Result operator()(const at::Tensor& decoded, const at::Tensor& images,
                    torch::nn::Module& codec, int64_t step, bool has_gradients);

  /// Whether lambda is a ratio of gradients at this step, which validation by
  /// the same objective needs too.
  bool asks_gradients(int64_t step) const;

  /// Null without one.
  std::shared_ptr<PatchDiscriminatorImpl> discriminator() const {
    return discriminator_;
  }

  /// What is trained together: sub-modules codec and discriminator, or the
  /// codec alone.
  std::shared_ptr<torch::nn::Module> with_discriminator(
      torch::nn::Module& codec) const;

 private:
  at::Tensor adaptive_weight(const at::Tensor& faithful,
                             const at::Tensor& fooling,
                             torch::nn::Module& codec) const;

  ImageLossConfig config_;
  std::unique_ptr<Lpips> lpips_;
  std::shared_ptr<PatchDiscriminatorImpl> discriminator_;
};

}  // namespace calotype
