#include "training/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <csignal>

#include "core/error.h"
#include "core/progress.h"
#include "tests/support/temp_folder.h"
#include "tests/training/toy.h"
#include "training/checkpoint.h"
#include "training/ema_snapshots.h"

namespace calotype {
namespace {

using testing::HasSubstr;

TrainerConfig short_config() {
  TrainerConfig config;
  config.steps = 12;
  config.batch_size = 8;
  config.learning_rate.peak = 0.05;
  config.learning_rate.warmup_steps = 2;
  config.log_every = 1;
  config.validate_every = 4;
  config.validation_batches = 2;
  config.sample_every = 6;
  config.checkpoint_every = 5;
  return config;
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
  EXPECT_EQ(first.position, second.position);
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

TrainerConfig config_with_lengths() {
  auto config = short_config();
  config.ema_lengths = {0.05, 0.1};
  config.ema_snapshot_every = 3;
  return config;
}

/// What each snapshot of a run holds, by name.
std::map<std::string, std::string> snapshots_of(
    const std::filesystem::path& out) {
  std::map<std::string, std::string> files;
  for (const auto& file : std::filesystem::directory_iterator(out / "ema"))
    files[file.path().filename().string()] = read_text_file(file.path());
  return files;
}

// The calls end between snapshots, and ahead of the checkpoint after one.
TEST(Trainer, AveragesOfLengthsGoOnBitForBit) {
  TempFolder whole, parts;
  Toy().train(whole.path(), config_with_lengths());
  for (const int64_t steps : {5, 1, 2})
    Toy().train(parts.path(), config_with_lengths(), steps);
  Toy().train(parts.path(), config_with_lengths());
  expect_equal_state(whole.path(), parts.path());
  EXPECT_EQ(log_of(whole.path()), log_of(parts.path()));
  const auto snapshots = snapshots_of(whole.path());
  EXPECT_EQ(snapshots.size(), 2u * 4);
  EXPECT_TRUE(snapshots.contains("0.100-0000012.safetensors"));
  EXPECT_EQ(snapshots, snapshots_of(parts.path()));
}

TEST(Trainer, ARunThatGoesBackForgetsTheSnapshotsAhead) {
  TempFolder folder;
  Toy().train(folder.path(), config_with_lengths());
  std::filesystem::remove(folder / "state" / "state.safetensors");
  Toy().train(folder.path(), config_with_lengths(), 4);
  EXPECT_EQ(snapshots_of(folder.path()).size(), 2u);  // of step 3
}

TEST(Trainer, TheFirstLengthIsWhatIsValidatedAndSaved) {
  TempFolder folder;
  Toy().train(folder.path(), config_with_lengths());
  const auto state = read_checkpoint(folder / "state" / "state.safetensors");
  const auto snapshots = list_ema_snapshots(folder / "ema");
  for (const auto& snapshot : snapshots) {
    if (snapshot.profile.step < 12) continue;
    const auto prefix = "ema_" + length_text(snapshot.profile.length) + ".";
    for (const auto& [name, tensor] : read_ema_snapshot(snapshot))
      EXPECT_TRUE(torch::equal(tensor, state.tensors.at(prefix + name)));
  }
  auto only_first = config_with_lengths();
  only_first.ema_lengths = {0.05};
  TempFolder other;
  const auto last = Toy().train(other.path(), only_first).last;
  EXPECT_EQ(read_metrics(folder / "metrics.jsonl").back()["val_loss"],
            last["val_loss"]);
}

TEST(Trainer, WithoutLengthsThereAreNoSnapshots) {
  TempFolder folder;
  Toy().train(folder.path(), short_config());
  EXPECT_FALSE(std::filesystem::exists(folder / "ema"));
  const auto state = read_checkpoint(folder / "state" / "state.safetensors");
  EXPECT_TRUE(state.tensors.contains("ema.weight"));
}

Toy toy_with_levels() {
  Toy toy;
  toy.trainable->has_levels = true;
  return toy;
}

// The calls end in the middle of what a line sums up.
TEST(Trainer, LossesByLevelGoOnBitForBit) {
  auto config = short_config();
  config.log_every = 4;
  TempFolder whole, parts;
  toy_with_levels().train(whole.path(), config);
  for (const int64_t steps : {3, 3, 5})
    toy_with_levels().train(parts.path(), config, steps);
  toy_with_levels().train(parts.path(), config);
  expect_equal_state(whole.path(), parts.path());
  const auto lines = log_of(whole.path());
  EXPECT_EQ(lines, log_of(parts.path()));
  EXPECT_THAT(lines.back(), HasSubstr("\"noise_level\":\"u\""));
}

// The bins of a line hold every sample since the line before, and no other.
TEST(Trainer, LossesByLevelAreOfTheStepsSinceTheLastLine) {
  auto config = short_config();
  config.log_every = 4;
  config.accumulate = 2;
  TempFolder folder;
  toy_with_levels().train(folder.path(), config);
  config.log_every = 1;
  TempFolder each;
  toy_with_levels().train(each.path(), config);
  const auto together = read_metrics(folder / "metrics.jsonl");
  const auto single = read_metrics(each / "metrics.jsonl");
  ASSERT_EQ(together.size(), 3u);
  ASSERT_EQ(single.size(), 12u);
  // The levels of all samples of steps 4 to 7, drawn again.
  std::array<int, 10> expected{};
  ToyBatches batches;
  for (int64_t pass = 0; pass < 16; ++pass) {
    const auto batch = batches.next();
    if (pass < 8) continue;
    const auto levels = uniform_rows({}, batch.samples, 3, Stream::kTimestep,
                                     uint32_t(pass / 2));
    for (int64_t i = 0; i < levels.size(0); ++i)
      ++expected[size_t(levels[i].item<float>() * 10)];
  }
  for (size_t bin = 0; bin < 10; ++bin) {
    double low = 1e9, high = 0;
    for (size_t line = 4; line < 8; ++line) {
      const auto& mean = single[line]["loss_by_noise"][bin];
      if (mean.is_null()) continue;
      low = std::min(low, mean.get<double>());
      high = std::max(high, mean.get<double>());
    }
    const auto& mean = together[1]["loss_by_noise"][bin];
    EXPECT_EQ(mean.is_null(), expected[bin] == 0) << bin;
    if (mean.is_null()) continue;
    EXPECT_GE(mean.get<double>(), low) << bin;
    EXPECT_LE(mean.get<double>(), high) << bin;
  }
}

TEST(Trainer, ValidationByLevelIsOfItsOwnSamples) {
  TempFolder folder;
  auto config = short_config();
  config.validation_batches = 3;
  toy_with_levels().train(folder.path(), config);
  const auto lines = read_metrics(folder / "metrics.jsonl");
  EXPECT_FALSE(lines.front().contains("val_loss_by_noise"));
  // The mean over the samples, put together of the bins and their counts.
  std::array<double, 10> counts{};
  ToyBatches batches;
  for (int64_t i = 0; i < 3; ++i) {
    const auto levels =
        uniform_rows({}, batches.next().samples, 3, Stream::kTimestep, 0);
    for (int64_t k = 0; k < levels.size(0); ++k)
      ++counts[size_t(levels[k].item<float>() * 10)];
  }
  double sum = 0;
  for (size_t bin = 0; bin < 10; ++bin)
    if (counts[bin] > 0)
      sum += counts[bin] * lines.back()["val_loss_by_noise"][bin].get<double>();
  EXPECT_NEAR(sum / 24, lines.back()["val_mse"].get<double>(), 1e-7);
  EXPECT_TRUE(std::filesystem::exists(folder / "loss_by_noise.svg"));
}

TEST(Trainer, ACheckpointFromBeforeLevelsIsTaken) {
  TempFolder folder;
  auto config = short_config();
  Toy().train(folder.path(), config, 5);
  toy_with_levels().train(folder.path(), config);
  EXPECT_TRUE(
      read_metrics(folder / "metrics.jsonl").back().contains("loss_by_noise"));
}

/// Its preview takes many steps; a signal comes in the third.
class SlowlyDrawn : public ToyTrainable {
 public:
  at::Tensor preview(const Batch& batch) override {
    for (int64_t i = 1; i <= 1000; ++i) {
      ++num_steps;
      if (i == stop_at) throw Interrupted(SIGTERM);
    }
    return batch.data;
  }

  int64_t stop_at = 3, num_steps = 0;
};

// Previews are drawn at steps 6 and 12, checkpoints written at 5, 10 and 12.
TEST(Trainer, ASignalInAPreviewIsObeyedWithTheStateSaved) {
  TempFolder folder, whole;
  Toy stopped;
  const auto slow = std::make_shared<SlowlyDrawn>();
  stopped.trainable = slow;
  EXPECT_THROW(stopped.train(folder.path(), short_config()), Interrupted);
  EXPECT_EQ(slow->num_steps, 3);
  EXPECT_EQ(read_checkpoint(folder / "state" / "state.safetensors").step, 6);
  EXPECT_FALSE(
      std::filesystem::exists(folder / "samples" / "step-00000006.png"));

  Toy().train(folder.path(), short_config());
  Toy().train(whole.path(), short_config());
  expect_equal_state(whole.path(), folder.path());
  EXPECT_EQ(log_of(whole.path()), log_of(folder.path()));
  for (const char* name : {"step-00000006.png", "step-00000012.png"})
    EXPECT_EQ(read_text_file(whole / "samples" / name),
              read_text_file(folder / "samples" / name));
}

TEST(Trainer, ASignalInTheLastPreviewLosesNothing) {
  TempFolder folder;
  auto config = short_config();
  config.sample_every = 100;
  Toy stopped;
  stopped.trainable = std::make_shared<SlowlyDrawn>();
  EXPECT_THROW(stopped.train(folder.path(), config), Interrupted);
  EXPECT_EQ(Toy().train(folder.path(), config).step, 12);
  EXPECT_TRUE(
      std::filesystem::exists(folder / "samples" / "step-00000012.png"));
}

TEST(Trainer, AccumulatingIsALargerBatch) {
  TempFolder folder;
  auto config = short_config();
  config.accumulate = 3;
  const auto result = Toy().train(folder.path(), config);
  const auto state = read_checkpoint(folder / "state" / "state.safetensors");
  // 12 steps of 3 batches of 8 samples, 20 samples in an epoch.
  EXPECT_EQ(state.position.epoch * 20 + state.position.in_epoch.next,
            12 * 3 * 8);
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
  const auto refuses = [](auto&& change) {
    TrainerConfig config;
    change(config);
    EXPECT_THROW(config.validate(), ConfigError);
  };
  refuses([](auto& config) { config.batch_size = 0; });
  refuses([](auto& config) { config.ema_decay = 1.5; });
  refuses([](auto& config) { config.ema_lengths = {0.5}; });
  refuses([](auto& config) { config.ema_snapshot_every = -1; });
  refuses([](auto& config) { config.learning_rate.decay = "stairs"; });
}

}  // namespace
}  // namespace calotype
