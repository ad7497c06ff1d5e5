#include "training/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <csignal>

#include "core/error.h"
#include "core/progress.h"
#include "tests/support/temp_folder.h"
#include "tests/training/toy.h"
#include "training/checkpoint.h"

namespace calotype {
namespace {

using testing::HasSubstr;

TrainerConfig short_config() {
  return {.steps = 12,
          .batch_size = 8,
          .learning_rate = {.peak = 0.05, .warmup_steps = 2},
          .log_every = 1,
          .validate_every = 4,
          .validation_batches = 2,
          .sample_every = 6,
          .checkpoint_every = 5};
}

struct Toy {
  std::shared_ptr<ToyTrainable> trainable = std::make_shared<ToyTrainable>();

  TrainingResult train(const std::filesystem::path& out,
                       const TrainerConfig& config, int64_t stop_after = 0) {
    set_quiet(true);
    RunFolder run(out, write_config(config));
    TrainerSetup setup{.trainable = trainable,
                       .data = std::make_unique<ToyBatches>(),
                       .validation = std::make_unique<ToyBatches>(),
                       .seed = 3,
                       .stop_after = stop_after};
    return Trainer(config, std::move(setup), run).run();
  }
};

/// The lines of a run's log without the clock.
std::vector<std::string> log_of(const std::filesystem::path& out) {
  std::vector<std::string> lines;
  for (auto line : read_metrics(out / "metrics.jsonl")) {
    line.erase("elapsed_s");
    line.erase("samples_per_s");
    lines.push_back(line.dump());
  }
  return lines;
}

void expect_equal_state(const std::filesystem::path& a,
                        const std::filesystem::path& b) {
  const auto first = read_checkpoint(a / "state" / "state.safetensors");
  const auto second = read_checkpoint(b / "state" / "state.safetensors");
  EXPECT_EQ(first.step, second.step);
  EXPECT_EQ(first.position.epoch, second.position.epoch);
  EXPECT_EQ(first.position.position, second.position.position);
  ASSERT_EQ(first.tensors.size(), second.tensors.size());
  for (const auto& [name, tensor] : first.tensors)
    EXPECT_TRUE(torch::equal(tensor, second.tensors.at(name))) << name;
}

TEST(Trainer, LearnsAndLeavesWhatARunShouldHold) {
  TempFolder folder;
  auto config = short_config();
  config.steps = 200;
  const auto result = Toy().train(folder.path(), config);
  const auto lines = read_metrics(folder / "metrics.jsonl");
  EXPECT_EQ(result.step, 200);
  EXPECT_LT(lines.back()["val_loss"].get<double>(),
            0.1 * lines.front()["loss"].get<double>());
  for (const char* name :
       {"run.json", "curves.svg", "samples/step-00000006.png",
        "state/state.safetensors"})
    EXPECT_TRUE(std::filesystem::exists(folder / name)) << name;
}

TEST(Trainer, StoppingAndGoingOnIsNotStoppingBitForBit) {
  TempFolder whole, parts;
  Toy().train(whole.path(), short_config());
  Toy().train(parts.path(), short_config(), 5);
  Toy().train(parts.path(), short_config(), 3);
  Toy().train(parts.path(), short_config());
  expect_equal_state(whole.path(), parts.path());
  EXPECT_EQ(log_of(whole.path()), log_of(parts.path()));
}

TEST(Trainer, AccumulatingIsALargerBatch) {
  TempFolder folder;
  auto config = short_config();
  config.accumulate = 3;
  const auto result = Toy().train(folder.path(), config);
  const auto state = read_checkpoint(folder / "state" / "state.safetensors");
  // 12 steps of 3 batches of 8 samples, 20 samples in an epoch.
  EXPECT_EQ(state.position.epoch * 20 + state.position.position, 12 * 3 * 8);
  EXPECT_EQ(result.step, 12);
}

TEST(Trainer, NamesWhatIsNotANumberAndKeepsTheCheckpoint) {
  TempFolder folder;
  Toy toy;
  toy.trainable->poison_step = 7;
  try {
    toy.train(folder.path(), short_config());
    FAIL() << "trained through a NaN";
  } catch (const NumericError& error) {
    EXPECT_THAT(error.what(), HasSubstr("step 8: mse is nan"));
    EXPECT_THAT(error.what(),
                HasSubstr("the gradient of weight and 1 others is not finite"));
    EXPECT_THAT(error.what(), HasSubstr("samples"));
  }
  EXPECT_EQ(read_checkpoint(folder / "state" / "state.safetensors").step, 5);
}

TEST(Trainer, RefusesARunOfAnotherConfig) {
  TempFolder folder;
  Toy().train(folder.path(), short_config(), 2);
  auto other = short_config();
  other.learning_rate.peak = 0.1;
  try {
    Toy().train(folder.path(), other);
    FAIL() << "went on with another config";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("learning_rate.peak: 0.05 before, 0.1 now"));
  }
}

TEST(TrainerConfig, RefusesNonsense) {
  EXPECT_THROW((TrainerConfig{.batch_size = 0}.validate()), ConfigError);
  EXPECT_THROW((TrainerConfig{.ema_decay = 1.5}.validate()), ConfigError);
  EXPECT_THROW((TrainerConfig{.learning_rate = {.decay = "stairs"}}.validate()),
               ConfigError);
}

}  // namespace
}  // namespace calotype
