#include "tools/average.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include "core/error.h"
#include "nn/model_folder.h"
#include "tests/support/fixtures.h"
#include "tests/tools/small_diffusion.h"
#include "tools/generate.h"
#include "tools/inspect.h"
#include "training/ema_snapshots.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Average : public SmallDiffusion {
 protected:
  std::string refusal(const AverageJob& job) {
    try {
      average(job);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "nothing thrown";
  }

  fs::path out_ = folder_ / "model";
  const Json lengths_{{"ema_lengths", {0.05, 0.1}}, {"ema_snapshot_every", 2}};
};

TEST_F(Average, OfAKeptLengthIsTheModelThatTheRunSaved) {
  train_run(lengths_);
  const auto result = average({.run = run_, .length = 0.05, .out = out_});
  EXPECT_EQ(result["snapshots"], 16);
  EXPECT_EQ(result["step"], 16);
  EXPECT_LT(result["fit_error"].get<double>(), 1e-5);
  const auto saved = read_safetensors(open_model_folder(run_).weights.path);
  const auto made = read_safetensors(open_model_folder(out_).weights.path);
  ASSERT_EQ(saved.tensors.size(), made.tensors.size());
  for (const auto& [name, tensor] : saved.tensors)
    EXPECT_TRUE(torch::allclose(tensor, made.tensors.at(name), 1e-5, 1e-6))
        << name;
}

TEST_F(Average, OfAnEarlierStepIsTheSnapshotOfThatStep) {
  train_run(lengths_);
  average({.run = run_, .length = 0.1, .out = out_, .step = 10});
  const auto made = read_safetensors(open_model_folder(out_).weights.path);
  for (const auto& snapshot : list_ema_snapshots(run_ / "ema")) {
    if (snapshot.profile.step != 10 || snapshot.profile.length != 0.1) continue;
    for (const auto& [name, tensor] : read_ema_snapshot(snapshot))
      EXPECT_TRUE(torch::allclose(tensor, made.tensors.at(name), 1e-5, 1e-6))
          << name;
  }
}

TEST_F(Average, IsAModelThatGenerateTakes) {
  train_run(lengths_);
  average({.run = run_, .length = 0.08, .out = out_});
  generate({.model = out_,
            .out = folder_ / "drawn",
            .count = 2,
            .classes = inspect(out_)["latent_space"]["class_names"][0],
            .steps = 2});
  EXPECT_TRUE(fs::exists(folder_ / "drawn.png"));
  EXPECT_EQ(inspect(out_)["kind"], "model folder");
  EXPECT_EQ(inspect(out_)["average"]["length"], 0.08);
}

TEST_F(Average, LeavesOtherModelsAlone) {
  train_run(lengths_);
  average({.run = run_, .length = 0.05, .out = out_});
  EXPECT_EQ(refusal({.run = run_, .length = 0.06, .out = out_}),
            "nothing thrown");  // its own may be written anew
  const auto codec = folder_ / "codec";
  fs::copy(fixtures_folder() / "autoencoder_kl_grey", codec);
  EXPECT_THAT(refusal({.run = run_, .length = 0.05, .out = codec}),
              HasSubstr("holds a model that is no average"));
}

TEST_F(Average, SaysWhatSnapshotsCannotGive) {
  train_run({{"ema_lengths", {0.05, 0.1}}});  // at the end alone
  EXPECT_THAT(
      refusal({.run = run_, .length = 0.2, .out = out_}),
      HasSubstr("2 snapshots of length 0.050 and 0.100 give length 0.2 "
                "only within 60.0 %, expected 5 %; the nearest that fits "
                "is 0.11"));
  EXPECT_THAT(refusal({.run = run_, .length = 0.5, .out = out_}),
              HasSubstr("--length must be in [0.005, 0.28], got 0.5"));
  EXPECT_THAT(refusal({.run = run_, .length = 0.1, .out = out_, .step = 3}),
              HasSubstr("the first snapshot is of step 16, --step is 3"));
  EXPECT_THAT(refusal({.run = run_, .length = 0.1, .out = out_, .step = 17}),
              HasSubstr("the last snapshot is of step 16, --step is 17"));
  EXPECT_FALSE(fs::exists(out_));
}

TEST_F(Average, RefusesFoldersThatAreSomethingElse) {
  train_run({});
  EXPECT_THAT(refusal({.run = run_, .length = 0.1, .out = out_}),
              HasSubstr("train with training.ema_lengths"));
  EXPECT_THAT(refusal({.run = out_, .length = 0.1, .out = out_}),
              HasSubstr("not a run folder"));
  EXPECT_THAT(refusal({.run = run_, .length = 0.1, .out = run_}),
              HasSubstr("holds a training run; choose another --out"));
}

}  // namespace
}  // namespace calotype
