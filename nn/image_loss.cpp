#include "nn/image_loss.h"

#include <torch/autograd.h>
#include <torch/nn/module.h>
#include <torch/types.h>

#include "core/check.h"

namespace calotype {
namespace {

/// While it lives, gradients pass through `module` but not into it.
class Constant {
 public:
  explicit Constant(torch::nn::Module& module) : module_(module) { set(false); }
  ~Constant() { set(true); }
  Constant(const Constant&) = delete;
  Constant& operator=(const Constant&) = delete;

 private:
  void set(bool learns) {
    for (auto& parameter : module_.parameters())
      parameter.set_requires_grad(learns);
  }

  torch::nn::Module& module_;
};

/// What the codec pays for patches that look drawn.
at::Tensor fooling_loss(const std::string& loss, const at::Tensor& of_drawn) {
  return loss == "hinge" ? -of_drawn.mean() : torch::softplus(-of_drawn).mean();
}

at::Tensor judging_loss(const std::string& loss, const at::Tensor& of_real,
                        const at::Tensor& of_drawn) {
  return loss == "hinge" ? 0.5 * (torch::relu(1 - of_real).mean() +
                                  torch::relu(1 + of_drawn).mean())
                         : 0.5 * (torch::softplus(-of_real).mean() +
                                  torch::softplus(of_drawn).mean());
}

}  // namespace

void PerceptualConfig::validate() const {
  check_range("loss: perceptual", "weight", weight, 0, 1e6);
}

void AdversarialConfig::validate() const {
  check_range("loss: adversarial", "weight", weight, 0, 1e6);
  check_range("loss: adversarial", "start", double(start), 0, 1e12);
  check_one_of("loss: adversarial", "loss", loss, {"hinge", "non_saturating"});
}

void ImageLossConfig::validate() const {
  check_one_of("loss", "reconstruction", reconstruction, {"mse", "l1"});
  perceptual.validate();
  adversarial.validate();
}

ImageLoss::ImageLoss(const ImageLossConfig& config, int64_t image_channels)
    : config_(config) {
  config.validate();
  if (!config.perceptual.weights.empty())
    lpips_ = std::make_unique<Lpips>(load_lpips(config.perceptual.weights));
  if (config.adversarial.weight > 0)
    discriminator_ = std::make_shared<PatchDiscriminatorImpl>(
        PatchDiscriminatorConfig{.image_channels = image_channels,
                                 .channels = config.adversarial.channels,
                                 .num_layers = config.adversarial.num_layers});
}

at::Tensor ImageLoss::adaptive_weight(const at::Tensor& faithful,
                                      const at::Tensor& fooling,
                                      torch::nn::Module& codec) const {
  const auto last_weight = codec.named_parameters()["decoder.conv_out.weight"];
  const auto norm = [&](const at::Tensor& loss) {
    return torch::autograd::grad({loss}, {last_weight}, {},
                                 /*retain_graph=*/true)[0]
        .norm();
  };
  return (norm(faithful) / (norm(fooling) + 1e-4)).clamp(0, 1e4).detach();
}

bool ImageLoss::asks_gradients(int64_t step) const {
  return discriminator_ && config_.adversarial.adaptive &&
         step >= config_.adversarial.start;
}

ImageLoss::Result ImageLoss::operator()(const at::Tensor& decoded,
                                        const at::Tensor& images,
                                        torch::nn::Module& codec, int64_t step,
                                        bool has_gradients) {
  const auto difference = images - decoded;
  const auto error = config_.reconstruction == "l1"
                         ? difference.abs().mean()
                         : difference.square().mean();
  Result result{.codec = error,
                .discriminator = torch::zeros({}, error.options()),
                .parts = {{config_.reconstruction, error}}};
  if (lpips_) {
    lpips_->to(images.device());
    const auto distance = lpips_->distance(decoded, images).mean();
    result.codec = result.codec + config_.perceptual.weight * distance;
    result.parts.emplace_back("lpips", distance);
  }
  const auto& adversarial = config_.adversarial;
  if (!discriminator_ || step < adversarial.start) return result;

  at::Tensor fooling;
  {
    const Constant judge(*discriminator_);
    fooling = fooling_loss(adversarial.loss, discriminator_->forward(decoded));
  }
  const auto lambda = adversarial.adaptive && has_gradients
                          ? adaptive_weight(result.codec, fooling, codec)
                          : torch::ones({}, error.options());
  result.codec = result.codec + adversarial.weight * lambda * fooling;
  result.discriminator =
      judging_loss(adversarial.loss, discriminator_->forward(images),
                   discriminator_->forward(decoded.detach()));
  result.parts.emplace_back("fooling", fooling);
  result.parts.emplace_back("judging", result.discriminator);
  result.parts.emplace_back("adversarial_lambda", lambda);
  return result;
}

std::shared_ptr<torch::nn::Module> ImageLoss::with_discriminator(
    torch::nn::Module& codec) const {
  if (!discriminator_) return codec.shared_from_this();
  auto both = std::make_shared<torch::nn::Module>();
  both->register_module("codec", codec.shared_from_this());
  both->register_module("discriminator", discriminator_);
  return both;
}

}  // namespace calotype
