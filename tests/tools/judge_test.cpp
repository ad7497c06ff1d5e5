#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/files.h"
#include "core/hash.h"
#include "core/progress.h"
#include "datasets/image_io.h"
#include "datasets/image_source.h"
#include "tests/support/temp_folder.h"
#include "tools/evaluate.h"
#include "tools/train.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

/// A classifier of drawn 16-pixel images, trained for a few steps.
class Judge : public testing::Test {
 protected:
  void SetUp() override {
    set_quiet(true);
    TrainJob job{.out = judge_};
    read_config(Json::parse(R"({
          "model": {"_class_name": "CalotypeClassifier", "sample_size": 16,
                    "num_classes": 8, "channels": [8, 16]},
          "data": {"train": "synthetic:64:16:1:1"},
          "training": {"steps": 30, "batch_size": 16, "ema_decay": 0.8,
                       "learning_rate": {"peak": 1e-2, "warmup_steps": 5}}
        })"),
                job.config, "test");
    train(job);
  }

  /// What evaluate() says when it refuses.
  std::string refusal(const EvaluateJob& job) {
    try {
      evaluate(job);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "";
  }

  TempFolder folder_;
  fs::path judge_ = folder_ / "judge";
  const std::string drawn_ = "synthetic:40:16:1:2";
  const std::string real_ = "synthetic:48:16:1:3";
};

TEST_F(Judge, ComparesSetsByAllNumbers) {
  const auto result =
      evaluate({.model = judge_, .data = drawn_, .reference = real_});
  EXPECT_EQ(result["classifier_sha256"],
            sha256_hex_of_file(judge_ / "diffusion_pytorch_model.safetensors"));
  EXPECT_EQ(result["images"], 40);
  EXPECT_EQ(result["reference_images"], 48);
  EXPECT_EQ(result["manifold_samples"]["images"], 40);
  EXPECT_EQ(result["manifold_samples"]["reference_images"], 48);
  for (const char* key : {"precision", "recall", "coverage"}) {
    EXPECT_GT(result[key].get<double>(), 0.3) << key;  // of one distribution
    EXPECT_LE(result[key].get<double>(), 1) << key;
  }
  EXPECT_GT(result["density"].get<double>(), 0.3);
  const auto same =
      evaluate({.model = judge_, .data = real_, .reference = real_});
  for (const char* key : {"precision", "recall", "coverage"})
    EXPECT_EQ(same[key], 1.0) << key;
  EXPECT_DOUBLE_EQ(same["density"].get<double>(), 6 / 5.);
  EXPECT_LT(same["kid"].get<double>(), result["kid"].get<double>());
}

TEST_F(Judge, DrawsWhatItComparesByTheSeed) {
  const auto compare = [&](uint64_t seed, int64_t batch_size) {
    return evaluate({.model = judge_,
                     .data = drawn_,
                     .reference = real_,
                     .manifold_samples = 20,
                     .seed = seed,
                     .batch_size = batch_size});
  };
  const auto one = compare(1, 128), again = compare(1, 7), two = compare(2, 7);
  EXPECT_EQ(one["manifold_samples"]["images"], 20);
  EXPECT_EQ(one["manifold_samples"]["reference_images"], 20);
  EXPECT_EQ(one["manifold_samples"]["seed"], 1);
  EXPECT_NEAR(one["kid"].get<double>(), again["kid"].get<double>(), 1e-5);
  EXPECT_NE(one["kid"], two["kid"]);
  // The Fréchet distance is of all images.
  EXPECT_NEAR(one["frechet_distance"].get<double>(),
              two["frechet_distance"].get<double>(), 1e-6);
}

TEST_F(Judge, OfTooFewImagesSaysWhatCanBeSaid) {
  const auto result =
      evaluate({.model = judge_, .data = drawn_ + "[0:5]", .reference = real_});
  for (const char* key : {"precision", "recall", "density", "coverage"})
    EXPECT_TRUE(result[key].is_null()) << key;
  EXPECT_TRUE(result["kid"].is_number());
  EXPECT_EQ(result["manifold_samples"]["images"], 5);
}

TEST_F(Judge, RefusesToStandInForAnother) {
  const EvaluateJob any{.model = judge_, .data = drawn_};
  const auto sha256 = evaluate(any)["classifier_sha256"].get<std::string>();
  auto job = any;
  job.expect_classifier = sha256;
  EXPECT_EQ(refusal(job), "");
  job.expect_classifier = std::string(64, 'a');
  EXPECT_THAT(refusal(job),
              HasSubstr(sha256 + ", expected " + std::string(64, 'a')));
}

}  // namespace
}  // namespace calotype
