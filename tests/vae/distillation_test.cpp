#include "vae/distillation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/nn/modules/linear.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "core/error.h"
#include "tests/support/message_of.h"
#include "vae/autoencoder_kl.h"
#include "vae/autoencoder_tiny.h"

namespace calotype {
namespace {

using testing::HasSubstr;

/// Latents are the images, times a number; remembers what it was asked to
/// decode.
class Multiplier : public torch::nn::Module, public LatentCodec {
 public:
  explicit Multiplier(double factor) {
    decoder = register_module("decoder", std::make_shared<Module>());
    decoder->register_parameter("factor", torch::tensor(1 / factor));
    encoder = register_module("encoder", std::make_shared<Module>());
    encoder->register_parameter("factor", torch::tensor(factor));
  }

  LatentGrid encode(const at::Tensor& images) override {
    return {.mean = images * encoder->parameters()[0]};
  }
  at::Tensor decode(const at::Tensor& latent) override {
    asked = latent.detach();
    return latent * decoder->parameters()[0];
  }
  int64_t image_channels() const override { return 1; }
  int64_t latent_channels() const override { return 1; }
  int64_t downsample() const override { return 1; }
  bool has_variance() const override { return false; }
  torch::nn::Module& module() override { return *this; }

  std::shared_ptr<torch::nn::Module> encoder, decoder;
  at::Tensor asked;
};

Batch batch_of(const at::Tensor& images) {
  return {.data = images, .samples = torch::arange(images.size(0))};
}

double loss_part(const Losses& losses, const std::string& name) {
  for (const auto& [key, value] : losses.parts)
    if (key == name) return value.item<double>();
  return -1;
}

// (z - 1) * 0.5 as (y - 0) * 2: y = (z - 1) / 4.
TEST(Distillation, TheStudentSeesLatentsInItsOwnScale) {
  const auto student = std::make_shared<Multiplier>(1.0);
  const auto teacher = std::make_shared<Multiplier>(3.0);
  Distillation training(student, {.scale = 2},
                        {.codec = teacher, .scale = {.scale = 0.5, .shift = 1}},
                        {}, {});
  const auto images = torch::full({2, 1, 2, 2}, 0.5);
  const auto losses = training.losses(batch_of(images));
  EXPECT_TRUE(torch::allclose(student->asked, torch::full_like(images, 0.125)));
  // The student's encoder gives 0.5 where 0.125 is wanted.
  EXPECT_NEAR(loss_part(losses, "latent"), 0.375 * 0.375, 1e-6);
  EXPECT_NEAR(loss_part(losses, "mse"), 0.375 * 0.375, 1e-6);
  losses.total.backward();
  EXPECT_FALSE(teacher->parameters()[0].grad().defined());
  EXPECT_TRUE(student->decoder->parameters()[0].grad().defined());
}

TEST(Distillation, IsHeldAgainstTheTeachersPicturesIfSo) {
  const auto student = std::make_shared<Multiplier>(2.0);
  // Its decoder halves what its encoder made: pictures are not the images.
  const auto teacher = std::make_shared<Multiplier>(2.0);
  teacher->decoder->parameters()[0].data().fill_(0.25);
  const auto images = torch::full({1, 1, 2, 2}, 0.8);
  const auto error = [&](const char* target, const char* name) {
    Distillation training(student, {}, {.codec = teacher}, {.target = target},
                          {});
    return loss_part(training.losses(batch_of(images)), name);
  };
  EXPECT_NEAR(error("images", "mse"), 0, 1e-6);
  EXPECT_NEAR(error("teacher", "mse"), 0.16, 1e-6);  // 0.8 against 0.4
  EXPECT_NEAR(error("both", "mse"), 0, 1e-6);
  EXPECT_NEAR(error("both", "teacher"), 0.16, 1e-6);
}

TEST(Distillation, AFrozenEncoderIsAskedForNothing) {
  const auto student = std::make_shared<Multiplier>(1.0);
  student->encoder->parameters()[0].set_requires_grad(false);
  Distillation training(student, {}, {.codec = std::make_shared<Multiplier>(3)},
                        {}, {});
  EXPECT_EQ(
      loss_part(training.losses(batch_of(torch::ones({1, 1, 2, 2}))), "latent"),
      -1);
}

TEST(Distillation, LatentsOfTheBatchTakeThePlaceOfATeacher) {
  const auto student = std::make_shared<Multiplier>(1.0);
  Distillation training(student, {}, {}, {}, {});
  auto batch = batch_of(torch::zeros({1, 1, 2, 2}));
  batch.latents = torch::full({1, 1, 2, 2}, 7.0);
  training.losses(batch);
  EXPECT_TRUE(torch::equal(student->asked, batch.latents));
  EXPECT_THAT(message_of<ConfigError>([&] {
                Distillation(student, {}, {}, {.target = "teacher"}, {});
              }),
              HasSubstr("target teacher needs the teacher itself"));
}

TEST(Distillation, LatentsThatTheStudentCannotTellApartAreTold) {
  const auto warning = [](double latent) {
    Distillation training(std::make_shared<Multiplier>(1.0), {}, {}, {}, {},
                          /*bound=*/3);
    auto batch = batch_of(torch::zeros({1, 1, 1, 2}));
    batch.latents = torch::tensor({latent, -latent}).view({1, 1, 1, 2});
    return training.losses(batch).warning;
  };
  EXPECT_EQ(warning(2.9), "");
  // Their deviation, of two numbers, is 10 times the root of 2.
  EXPECT_THAT(warning(10),
              HasSubstr("100 % of the teacher's latents are beyond 3"));
  EXPECT_THAT(warning(10), HasSubstr("model.scaling_factor 14.1 makes"));
}

}  // namespace
}  // namespace calotype
