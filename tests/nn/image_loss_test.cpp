#include "nn/image_loss.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/nn/module.h>
#include <torch/utils.h>

#include "core/error.h"
#include "nn/resnet_block.h"

namespace calotype {
namespace {

/// A codec of one layer, with the name that the loss looks for.
struct TinyCodec : torch::nn::Module {
  TinyCodec() {
    auto decoder = std::make_shared<torch::nn::Module>();
    layer = decoder->register_module("conv_out", conv3x3(1, 1));
    register_module("decoder", decoder);
  }
  Conv2d layer{nullptr};
};

ImageLossConfig with(const AdversarialConfig& adversarial) {
  ImageLossConfig config;
  config.adversarial = adversarial;
  return config;
}

struct Setting {
  explicit Setting(const AdversarialConfig& adversarial)
      : loss(with(adversarial), 1) {
    torch::manual_seed(1);
  }
  std::shared_ptr<TinyCodec> codec = std::make_shared<TinyCodec>();
  ImageLoss loss;
  at::Tensor images = torch::rand({2, 1, 16, 16}) * 2 - 1;

  ImageLoss::Result run(int64_t step = 0) {
    return loss(codec->layer(images), images, *codec, step, true);
  }
};

bool has_gradient(torch::nn::Module& module) {
  for (const auto& parameter : module.parameters())
    if (parameter.grad().defined() &&
        parameter.grad().abs().max().item<double>() > 0)
      return true;
  return false;
}

TEST(ImageLoss, IsTheMeanErrorWithoutMore) {
  const auto decoded = torch::full({2, 1, 4, 4}, 0.5f);
  const auto images = torch::zeros({2, 1, 4, 4});
  TinyCodec codec;
  for (const auto& [kind, want] :
       {std::pair{"mse", 0.25}, std::pair{"l1", 0.5}}) {
    ImageLoss loss({.reconstruction = kind}, 1);
    const auto result = loss(decoded, images, codec, 0, true);
    EXPECT_NEAR(result.codec.item<double>(), want, 1e-6);
    EXPECT_EQ(result.discriminator.item<double>(), 0);
  }
}

TEST(ImageLoss, EachSideSeesTheOtherAsConstant) {
  for (const char* kind : {"hinge", "non_saturating"}) {
    SCOPED_TRACE(kind);
    Setting s({.weight = 1, .loss = kind, .channels = 8});
    s.run().codec.backward();
    EXPECT_TRUE(has_gradient(*s.codec));
    EXPECT_FALSE(has_gradient(*s.loss.discriminator()));
    s.codec->zero_grad();
    s.run().discriminator.backward();
    EXPECT_FALSE(has_gradient(*s.codec));
    EXPECT_TRUE(has_gradient(*s.loss.discriminator()));
  }
}

TEST(ImageLoss, AdaptiveWeightBalancesTheGradientsAtTheLastLayer) {
  Setting s({.weight = 0.5, .channels = 8});
  const auto result = s.run();
  at::Tensor fooling, error, lambda;
  for (const auto& [name, part] : result.parts) {
    if (name == "fooling") fooling = part;
    if (name == "mse") error = part;
    if (name == "adversarial_lambda") lambda = part;
  }
  const auto norm = [&](const at::Tensor& loss) {
    return torch::autograd::grad({loss}, {s.codec->layer->weight}, {}, true)[0]
        .norm()
        .item<double>();
  };
  EXPECT_NEAR(lambda.item<double>() * norm(fooling), norm(error),
              0.01 * norm(error));
  EXPECT_NEAR(result.codec.item<double>(),
              (error + 0.5 * lambda * fooling).item<double>(), 1e-5);
}

TEST(ImageLoss, DiscriminatorWaitsForItsStart) {
  Setting s({.weight = 1, .start = 10, .channels = 8});
  EXPECT_EQ(s.run(9).parts.size(), 1u);
  EXPECT_GT(s.run(10).parts.size(), 1u);
}

TEST(ImageLoss, TrainsTheDiscriminatorBesideTheCodec) {
  Setting s({.weight = 1, .channels = 8});
  const auto both = s.loss.with_discriminator(*s.codec);
  EXPECT_TRUE(both->named_parameters().contains("codec.decoder.conv_out.bias"));
  EXPECT_GT(both->parameters().size(), s.codec->parameters().size());
  const ImageLoss alone({}, 1);
  EXPECT_EQ(alone.with_discriminator(*s.codec), s.codec);
}

TEST(ImageLoss, RefusesWhatItCannotMean) {
  EXPECT_THROW(ImageLoss({.reconstruction = "l3"}, 1), ConfigError);
  EXPECT_THROW(ImageLoss({.adversarial = {.weight = 1, .loss = "wgan"}}, 1),
               ConfigError);
  EXPECT_THROW(ImageLoss({.perceptual = {.weights = "/no/such/file"}}, 1),
               std::runtime_error);
}

TEST(PatchDiscriminator, GivesALogitPerPatch) {
  PatchDiscriminator judge(
      PatchDiscriminatorConfig{.image_channels = 1, .channels = 8});
  EXPECT_EQ(judge->forward(torch::zeros({3, 1, 28, 28})).sizes(),
            (std::vector<int64_t>{3, 1, 5, 5}));
}

}  // namespace
}  // namespace calotype
