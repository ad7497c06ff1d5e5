#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/linear.h>
#include <torch/utils.h>

#include <csignal>

#include "core/error.h"
#include "core/progress.h"
#include "tests/support/temp_folder.h"
#include "tests/training/toy.h"
#include "training/checkpoint.h"
#include "training/trainer.h"

// Rows of batches that are not alike, and calls that end where something is
// still to be done.
namespace calotype {
namespace {

namespace fs = std::filesystem;

/// The loss of row x is w x, so that its gradient is x.
class Product : public Trainable {
 public:
  Product() : net_(torch::nn::LinearOptions(1, 1).bias(false)) {
    const torch::NoGradGuard no_grad;
    net_->weight.fill_(1);
  }

  Losses losses(const Batch& batch) override {
    const auto loss = net_(batch.data.flatten(1)).mean();
    steps_seen.push_back(batch.steps_done);
    return {.total = loss, .parts = {{"product", loss}}};
  }
  torch::nn::Module& module() override { return *net_; }
  at::Tensor preview(const Batch&) override { return {}; }

  std::vector<int64_t> steps_seen;

 private:
  torch::nn::Linear net_{nullptr};
};

/// The numbers 0, 1, 2 ... in batches of the sizes given, over and over.
class Counting : public BatchSource {
 public:
  explicit Counting(std::vector<int64_t> sizes) : sizes_(std::move(sizes)) {}

  std::optional<Batch> next_of_epoch() override {
    if (at_.in_epoch.next == int64_t(sizes_.size())) {
      at_ = {.epoch = at_.epoch + 1};
      return {};
    }
    if (on_next) on_next();
    int64_t first = 0;
    for (int64_t i = 0; i < at_.in_epoch.next; ++i) first += sizes_[size_t(i)];
    const auto samples = torch::arange(
        first, first + sizes_[size_t(at_.in_epoch.next++)], torch::kLong);
    return Batch{.data = samples.to(torch::kFloat).view({-1, 1, 1, 1}),
                 .samples = samples};
  }
  DataPosition position() const override { return at_; }
  void seek(const DataPosition& position) override { at_ = position; }
  int64_t size() const override {
    int64_t sum = 0;
    for (const auto size : sizes_) sum += size;
    return sum;
  }
  std::string name() const override { return "numbers"; }

  std::function<void()> on_next;

 private:
  std::vector<int64_t> sizes_;
  DataPosition at_;
};

TrainerConfig one_line_a_step(int64_t steps) {
  TrainerConfig config;
  config.steps = steps;
  config.batch_size = 4;
  config.learning_rate = {.peak = 1e-6, .warmup_steps = 0, .decay = "constant"};
  config.gradient_clip = 0;
  config.ema_decay = 0;
  config.log_every = config.validate_every = 1;
  config.sample_every = config.checkpoint_every = 100;
  return config;
}

struct ToyRun {
  TrainerConfig config = one_line_a_step(2);
  std::vector<int64_t> train{4, 2, 4}, validation;
  std::function<void()> on_validation, on_save;
  std::shared_ptr<Product> product = std::make_shared<Product>();

  TrainingResult operator()(const fs::path& out) {
    set_quiet(true);
    RunFolder folder(out, write_config(config));
    TrainerSetup setup{.trainable = product,
                       .data = std::make_unique<Counting>(train)};
    if (!validation.empty()) {
      auto source = std::make_unique<Counting>(validation);
      source->on_next = on_validation;
      setup.validation = std::move(source);
    }
    setup.save_model = [this](const TensorFile&) {
      if (on_save) on_save();
    };
    return Trainer(config, std::move(setup), folder).run();
  }
};

double number(const Json& line, const char* key) {
  return line.at(key).get<double>();
}

TEST(TrainerRows, CountAlikeInBatchesOfAnySize) {
  TempFolder folder;
  ToyRun run;
  run(folder.path());
  const auto lines = read_metrics(folder / "metrics.jsonl");
  ASSERT_EQ(lines.size(), 2u);
  // Of 0 1 2 3, a whole batch, and of 4 5, which is half of one.
  EXPECT_NEAR(number(lines[0], "gradient_norm"), 6.0 / 4, 1e-5);
  EXPECT_NEAR(number(lines[1], "gradient_norm"), 9.0 / 4, 1e-5);
  EXPECT_NEAR(number(lines[0], "loss"), 6.0 / 4, 1e-4);
  EXPECT_NEAR(number(lines[1], "loss"), 9.0 / 2, 1e-4);  // but a mean
}

TEST(TrainerRows, CountAlikeInTheBatchesOfOneStep) {
  TempFolder folder;
  ToyRun run;
  run.config = one_line_a_step(1);
  run.config.accumulate = 3;
  run(folder.path());
  const auto lines = read_metrics(folder / "metrics.jsonl");
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_NEAR(number(lines[0], "gradient_norm"), 45.0 / 12, 1e-5);
  EXPECT_NEAR(number(lines[0], "loss"), 4.5, 1e-4);
  EXPECT_NEAR(number(lines[0], "product"), 4.5, 1e-4);
}

TEST(TrainerRows, OfASetSmallerThanABatchAreAWholeBatch) {
  TempFolder folder;
  ToyRun run;
  run.train = {3};
  run(folder.path());
  for (const auto& line : read_metrics(folder / "metrics.jsonl"))
    EXPECT_NEAR(number(line, "gradient_norm"), 1, 1e-5);
}

TEST(TrainerRows, OfValidationAreAllSeenOnceAndCountAlike) {
  TempFolder folder;
  ToyRun run;
  run.validation = {4, 4, 2};
  run.config.validation_batches = 100;
  run(folder.path());
  for (const auto& line : read_metrics(folder / "metrics.jsonl"))
    EXPECT_NEAR(number(line, "val_loss"), 4.5, 1e-4);  // the mean of 0 to 9
  // The schedules of the loss are those of the step.
  EXPECT_EQ(run.product->steps_seen,
            (std::vector<int64_t>{0, 1, 1, 1, 1, 2, 2, 2}));
}

TEST(TrainerRows, OfTheFirstBatchesAloneWhereThatIsAskedFor) {
  TempFolder folder;
  ToyRun run;
  run.validation = {4, 4, 2};
  run.config.validation_batches = 2;
  run(folder.path());
  for (const auto& line : read_metrics(folder / "metrics.jsonl"))
    EXPECT_NEAR(number(line, "val_loss"), 3.5, 1e-4);
}

std::vector<Json> without_clock(std::vector<Json> lines) {
  for (auto& line : lines)
    for (const char* key : {"elapsed_s", "samples_per_s"}) line.erase(key);
  return lines;
}

// A signal in the second of three batches of the validation at step 2.
TEST(TrainerStopped, InAValidationLosesNoLine) {
  TempFolder whole, parts;
  ToyRun run;
  run.config = one_line_a_step(4);
  run.validation = {4, 4, 2};
  run(whole.path());

  int num_asked = 0;
  run.product = std::make_shared<Product>();
  run.on_validation = [&] {
    if (++num_asked == 3 + 2) throw Interrupted(SIGINT);
  };
  EXPECT_THROW(run(parts.path()), Interrupted);
  EXPECT_EQ(read_checkpoint(parts / "state" / "state.safetensors").step, 2);
  EXPECT_EQ(read_metrics(parts / "metrics.jsonl").size(), 1u);

  run.product = std::make_shared<Product>();
  run(parts.path());
  EXPECT_EQ(without_clock(read_metrics(parts / "metrics.jsonl")),
            without_clock(read_metrics(whole / "metrics.jsonl")));
}

// What a kill between the last checkpoint and the model leaves.
TEST(TrainerStopped, BehindTheLastCheckpointWritesTheModelInTheNextCall) {
  TempFolder folder;
  ToyRun run;
  run.on_save = [] { throw std::runtime_error("killed"); };
  EXPECT_THROW(run(folder.path()), std::runtime_error);
  EXPECT_EQ(read_checkpoint(folder / "state" / "state.safetensors").step, 2);
  EXPECT_FALSE(fs::exists(folder / "curves.svg"));

  int num_saved = 0;
  run.on_save = [&] { ++num_saved; };
  const auto result = run(folder.path());
  EXPECT_EQ(num_saved, 1);
  EXPECT_EQ(result.step, 2);
  EXPECT_EQ(result.last["step"], 2);
  EXPECT_TRUE(fs::exists(folder / "curves.svg"));
}

}  // namespace
}  // namespace calotype
