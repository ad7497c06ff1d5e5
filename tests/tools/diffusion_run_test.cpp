#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/files.h"
#include "models/registry.h"
#include "tests/support/message_of.h"
#include "tests/tools/small_diffusion.h"
#include "tools/inspect.h"
#include "tools/stored_config.h"
#include "training/run_folder.h"

namespace calotype {
namespace {

using testing::HasSubstr;

using DiffusionRun = SmallDiffusion;

TEST_F(DiffusionRun, TellsTheLossOfEachNoiseLevel) {
  train_run({{"log_every", 4}, {"validate_every", 8}});
  const auto validation = inspect(run_)["validation"];
  EXPECT_EQ(validation["step"], 16);
  EXPECT_EQ(validation["noise_level"], "arctan(noise / signal) / 90 degrees");
  const auto& table = validation["loss_by_noise"];
  ASSERT_EQ(table.size(), 10u);
  EXPECT_TRUE(table.contains("0.0-0.1"));
  EXPECT_TRUE(table.contains("0.9-1.0"));
  double sum = 0;
  for (const auto& item : table.items())
    if (item.value().is_number()) sum += item.value().get<double>();
  EXPECT_GT(sum, 0);
  const auto lines = read_metrics(run_ / "metrics.jsonl");
  EXPECT_EQ(lines.front()["loss_by_noise"].size(), 10u);
  EXPECT_THAT(read_text_file(run_ / "loss_by_noise.svg"),
              HasSubstr("Validation loss by noise level"));
}

/// run.json without a key, as a version wrote it that did not know it.
void forget_key(const std::filesystem::path& run,
                const Json::json_pointer& key) {
  auto json = read_json_file(run / "run.json");
  ASSERT_TRUE(json.contains(key)) << key.to_string();
  json[key.parent_pointer()].erase(key.back());
  write_file_atomic(run / "run.json", std::string_view(json.dump(2)));
}

TEST_F(DiffusionRun, OfAVersionThatKnewFewerKeysGoesOn) {
  train_run({}, 4);
  for (const char* key :
       {"/config/training/ema_lengths", "/config/training/optimizer/beta2",
        "/config/model/norm_eps", "/config/diffusion/objective/weighting",
        "/config/data/flips"})
    forget_key(run_, Json::json_pointer(key));
  EXPECT_NO_THROW(train_run({}, 4));
  try {
    train_run({{"ema_lengths", {0.05}}});
    FAIL() << "took a run without lengths for one with";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("training.ema_lengths: [] before, [0.05] now"));
  }
}

TEST_F(DiffusionRun, OfAVersionWithoutSlicesGoesOnWithOne) {
  const Json training{{"batch_size", 16}};  // two slices, if it were new
  auto whole = training;
  whole["slices"] = 1;
  train_run(whole, 4);
  forget_key(run_, Json::json_pointer("/config/training/slices"));
  EXPECT_NO_THROW(train_run(training, 4));
  whole["slices"] = 2;
  EXPECT_THAT(message_of<ConfigError>([&] { train_run(whole); }),
              HasSubstr("training.slices: 1 before, 2 now"));
}

TEST(StoredConfig, IsCompletedForEveryModel) {
  for (const auto& known : model_classes()) {
    const auto& name = known.name;
    Json stored{{"model", {{"_class_name", name}, {"_note", 1}}}};
    const bool has_loss = known.complete_loss != nullptr;
    if (has_loss) stored["loss"] = Json::object();
    const auto whole = completed_config(stored);
    EXPECT_GT(whole["model"].size(), 4u) << name;
    EXPECT_EQ(whole["model"]["_note"], 1);
    if (has_loss) {
      EXPECT_GT(whole["loss"].size(), 0u) << name;
    }
    EXPECT_EQ(completed_config(whole), whole) << name;
    stored["model"]["no_such_key"] = 1;
    EXPECT_THROW(completed_config(stored), ConfigError) << name;
  }
}

}  // namespace
}  // namespace calotype
