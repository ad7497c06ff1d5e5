#include "training/frozen_part.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>

#include "core/error.h"
#include "core/progress.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"
#include "tests/training/toy.h"
#include "training/checkpoint.h"
#include "training/trainer.h"

namespace calotype {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// encoder.{norm,linear}, decoder.linear, dropout.
struct TwoHalves : torch::nn::Module {
  TwoHalves() {
    encoder = register_module("encoder", std::make_shared<Module>());
    norm = encoder->register_module("norm", torch::nn::BatchNorm1d(2));
    encoder->register_module("linear", torch::nn::Linear(2, 2));
    dropout = encoder->register_module("dropout", torch::nn::Dropout(0.5));
    decoder = register_module("decoder", std::make_shared<Module>());
    decoder->register_module("linear", torch::nn::Linear(2, 2));
  }

  std::shared_ptr<torch::nn::Module> encoder, decoder;
  torch::nn::BatchNorm1d norm{nullptr};
  torch::nn::Dropout dropout{nullptr};
};

std::string message_of_patterns(const FrozenPatterns& patterns) {
  return message_of<ConfigError>([&] { frozen_names(TwoHalves(), patterns); });
}

TEST(FrozenPart, NamesAreThoseThatNoPatternTrains) {
  const TwoHalves module;
  EXPECT_TRUE(frozen_names(module, {}).empty());
  EXPECT_THAT(frozen_names(module, {.train = {"decoder.*", "*.norm.*"}}),
              ElementsAre("encoder.linear.weight", "encoder.linear.bias"));
  EXPECT_THAT(frozen_names(module, {.freeze = {"*.linear.w?ight"}}),
              ElementsAre("encoder.linear.weight", "decoder.linear.weight"));
  EXPECT_THAT(frozen_names(module, {.train = {"{decoder,missing}.*"},
                                    .freeze = {"decoder.linear.bias"}}),
              ElementsAre("encoder.norm.weight", "encoder.norm.bias",
                          "encoder.linear.weight", "encoder.linear.bias",
                          "decoder.linear.bias", "encoder.norm.running_mean",
                          "encoder.norm.running_var",
                          "encoder.norm.num_batches_tracked"));
}

TEST(FrozenPart, APatternThatMatchesNothingIsRefusedWithWhatIsNear) {
  EXPECT_EQ(message_of_patterns({.train = {"decodr.*"}}),
            "config: training.train: no parameter of the model matches "
            "\"decodr.*\"; did you mean \"decoder.*\"?");
  EXPECT_EQ(message_of_patterns({.freeze = {"encoder.norm.weigt"}}),
            "config: training.freeze: no parameter of the model matches "
            "\"encoder.norm.weigt\"; did you mean \"encoder.norm.weight\"?");
  EXPECT_EQ(message_of_patterns({.freeze = {"unet"}}),
            "config: training.freeze: no parameter of the model matches "
            "\"unet\"; there are decoder.*, encoder.*");
}

TEST(FrozenPart, SomethingMustBeLeftToTrain) {
  EXPECT_EQ(message_of_patterns({.freeze = {"*"}}),
            "config: training.train and training.freeze leave no parameter to "
            "be trained");
  EXPECT_THAT(message_of_patterns({.train = {"*.running_mean"}}),
              HasSubstr("leave no parameter"));
}

TEST(FrozenPart, ModulesOfWhichNothingIsTrainedStayInEvaluation) {
  TwoHalves module;
  FrozenPart frozen(module, {.train = {"decoder.*"}});
  module.train();
  frozen.stay_as_they_are();
  EXPECT_FALSE(module.encoder->is_training());
  EXPECT_FALSE(module.norm->is_training());
  EXPECT_FALSE(module.dropout->is_training());
  EXPECT_TRUE(module.decoder->is_training());
  EXPECT_TRUE(module.is_training());
  EXPECT_FALSE(module.norm->weight.requires_grad());
  EXPECT_EQ(frozen.parameters().size(), 4u);
}

TrainingResult train_toy(const std::filesystem::path& out, ToyTrainable& toy,
                         int64_t stop_after = 0) {
  set_quiet(true);
  TrainerConfig config;
  config.steps = 12;
  config.batch_size = 8;
  config.learning_rate.peak = 0.05;
  config.learning_rate.warmup_steps = 2;
  config.optimizer.weight_decay = 1;
  config.checkpoint_every = 5;
  config.freeze = {"bias"};
  RunFolder run(out, write_config(config));
  TrainerSetup setup{
      // Not owned.
      .trainable = std::shared_ptr<Trainable>(&toy, [](Trainable*) {}),
      .data = std::make_unique<ToyBatches>(),
      .seed = 3,
      .stop_after = stop_after};
  return Trainer(config, std::move(setup), run).run();
}

// Weight decay of 1 would be seen in the bias.
TEST(FrozenPart, NeitherGradientNorDecayNorAverageMovesIt) {
  const TempFolder folder;
  ToyTrainable toy;
  const auto before = toy.module().named_parameters()["bias"].clone();
  const auto weight = toy.module().named_parameters()["weight"].clone();
  train_toy(folder.path(), toy);
  EXPECT_TRUE(torch::equal(toy.module().named_parameters()["bias"], before));
  EXPECT_FALSE(torch::equal(toy.module().named_parameters()["weight"], weight));
  const auto state = read_checkpoint(folder / "state" / "state.safetensors");
  for (const char* kind : {"ema.", "first_moment.", "second_moment."})
    EXPECT_FALSE(state.tensors.contains(std::string(kind) + "bias")) << kind;
}

// A run that goes on has its frozen part from the checkpoint, not from where it
// first came from.
TEST(FrozenPart, StoppingAndGoingOnIsNotStoppingBitForBit) {
  const TempFolder whole, parts;
  ToyTrainable first, second, third;
  train_toy(whole.path(), first);
  train_toy(parts.path(), second, 5);
  third.module().named_parameters()["bias"].data().fill_(7);
  train_toy(parts.path(), third);
  for (const char* name : {"weight", "bias"})
    EXPECT_TRUE(torch::equal(first.module().named_parameters()[name],
                             third.module().named_parameters()[name]))
        << name;
}

}  // namespace
}  // namespace calotype
