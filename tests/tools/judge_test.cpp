#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/files.h"
#include "core/hash.h"
#include "core/progress.h"
#include "core/random.h"
#include "evaluation/evaluate.h"
#include "images/image_io.h"
#include "tests/support/temp_folder.h"
#include "tools/accuracy_score.h"
#include "tools/train.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr int64_t kNumBars = 4;

/// `count` noisy grey images of 16 pixels, each with a bright bar in one of
/// four places, in a sub-folder for each place. `turn`: they are put so many
/// sub-folders further, where they do not belong.
void write_bars(const fs::path& folder, int64_t count, uint64_t seed,
                int64_t turn = 0) {
  for (int64_t bar = 0; bar < kNumBars; ++bar)
    make_folder(folder / fmt::format("bar-{}", bar));
  for (int64_t i = 0; i < count; ++i) {
    const auto bar = i % kNumBars;
    Image image{16, 16, 1, std::vector<uint8_t>(256)};
    for (size_t p = 0; p < 256; ++p) {
      const auto noise = uniform_index({.seed = seed,
                                        .stream = Stream::kSynthetic,
                                        .sample = uint64_t(i),
                                        .step = uint32_t(p)},
                                       100);
      const bool bright = int64_t(p) / 64 == bar;
      image.pixels[p] = uint8_t(noise + (bright ? 120 : 0));
    }
    write_file_atomic(folder / fmt::format("bar-{}", (bar + turn) % kNumBars) /
                          fmt::format("{:05}.png", i),
                      encode_png(image));
  }
}

/// A classifier of images with bars, trained for a few steps, and two sets.
class Judge : public testing::Test {
 protected:
  void SetUp() override {
    set_quiet(true);
    write_bars(folder_ / "train", 64, 1);
    write_bars(drawn_, 40, 2);
    write_bars(real_, 48, 3);
    TrainJob job{.out = judge_};
    read_config(Json::parse(R"({
          "model": {"_class_name": "CalotypeClassifier", "sample_size": 16,
                    "num_classes": 4, "channels": [8, 16]},
          "training": {"steps": 30, "batch_size": 16, "ema_decay": 0.8,
                       "learning_rate": {"peak": 1e-2, "warmup_steps": 5}}
        })"),
                job.config, "test");
    job.config.data.train = (folder_ / "train").string();
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
  const std::string drawn_ = (folder_ / "drawn").string();
  const std::string real_ = (folder_ / "real").string();
};

TEST_F(Judge, ComparesSetsByAllNumbers) {
  const auto result =
      evaluate({.model = judge_, .data = drawn_, .reference = real_});
  EXPECT_EQ(result["protocol"]["features"]["sha256"],
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
}

TEST_F(Judge, TellsGoodImagesFromASetThatLacksSome) {
  const auto part = evaluate({.model = judge_,
                              .data = drawn_ + "[class=bar-0,bar-1]",
                              .reference = real_});
  const auto all =
      evaluate({.model = judge_, .data = drawn_, .reference = real_});
  EXPECT_GT(part["precision"].get<double>(), 0.3);
  for (const char* key : {"recall", "coverage"})
    EXPECT_LT(part[key].get<double>(), all[key].get<double>() - 0.1) << key;
  EXPECT_GT(part["kid"].get<double>(), all["kid"].get<double>());
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
  EXPECT_EQ(one["protocol"]["seed"], 1);
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

TEST_F(Judge, OfOneImageSaysItsClass) {
  const auto result =
      evaluate({.model = judge_, .data = drawn_ + "[0:1]", .reference = real_});
  EXPECT_TRUE(result["frechet_distance"].is_null());
  EXPECT_TRUE(result["class_agreement"].is_number());
}

TEST_F(Judge, SaysAheadOfTheWorkWhatCannotBeScored) {
  EvaluateJob job{.model = judge_,
                  .data = drawn_ + "[0:8]",
                  .cas = real_,
                  .scorer = &accuracy_scorer()};
  EXPECT_THAT(refusal(job), HasSubstr("--cas"));
  job.data = drawn_;
  job.cas = (folder_ / "nowhere").string();
  EXPECT_THAT(refusal(job), HasSubstr("nowhere"));
  EXPECT_THAT(refusal({.model = judge_, .data = drawn_, .cas = real_}),
              HasSubstr("cas needs a scorer"));
}

TEST_F(Judge, RefusesToStandInForAnother) {
  const EvaluateJob any{.model = judge_, .data = drawn_};
  const auto sha256 =
      evaluate(any)["protocol"]["features"]["sha256"].get<std::string>();
  auto job = any;
  job.expect_network = sha256;
  EXPECT_EQ(refusal(job), "");
  job.expect_network = std::string(64, 'a');
  EXPECT_THAT(refusal(job),
              HasSubstr(sha256 + ", expected " + std::string(64, 'a')));
}

TEST_F(Judge, ScoresASetByWhatCanBeLearntFromIt) {
  write_bars(folder_ / "permuted", 40, 4, 1);
  EvaluateJob job{.model = judge_,
                  .data = drawn_,
                  .cas = real_,
                  .scorer = &accuracy_scorer(),
                  .seed = 7};
  const auto good = evaluate(job);
  job.data = (folder_ / "permuted").string();
  const auto permuted = evaluate(job);
  EXPECT_GT(good["cas"].get<double>(), 0.9);
  EXPECT_LT(permuted["cas"].get<double>(), 0.1);
  EXPECT_EQ(good["real_accuracy"],
            evaluate({.model = judge_, .data = job.cas})["class_agreement"]);
  EXPECT_EQ(good["real_accuracy"], permuted["real_accuracy"]);
  EXPECT_EQ(good["cas_test_images"], 48);
  EXPECT_EQ(good["cas_per_class"].size(), 4);
  const auto& training = good["cas_training"];
  EXPECT_EQ(training["images"], 40);
  EXPECT_EQ(training["steps"], 30);  // as the judge
  EXPECT_EQ(training["batch_size"], 16);
  EXPECT_EQ(training["seed"], 7);
  EXPECT_FALSE(training.contains("run"));
}

TEST_F(Judge, KeepsTheRunOfAScoreForTheImagesThatItSaw) {
  EvaluateJob job{.model = judge_,
                  .data = drawn_,
                  .cas = real_,
                  .cas_run = folder_ / "cas",
                  .scorer = &accuracy_scorer()};
  const auto first = evaluate(job), again = evaluate(job);
  EXPECT_EQ(first["cas_training"]["run"], (folder_ / "cas").string());
  EXPECT_EQ(first["cas_training"], again["cas_training"]);
  EXPECT_EQ(first["cas"], again["cas"]);
  EXPECT_EQ(
      evaluate({.model = folder_ / "cas", .data = job.cas})["class_agreement"],
      first["cas"]);

  job.seed = 1;
  EXPECT_THAT(refusal(job), HasSubstr("holds another run (seed: 0 before, 1 "
                                      "now)"));
  job.seed = 0;
  fs::remove(folder_ / "drawn" / "bar-0" / "00000.png");
  EXPECT_THAT(refusal(job), HasSubstr("holds another run ("));
  job.cas_run = judge_;
  EXPECT_THAT(refusal(job), HasSubstr("holds another run;"));
  EXPECT_FALSE(fs::exists(judge_ / "cas_data.json"));
}

TEST_F(Judge, AsksForClassesByNamesOfAnyLetters) {
  const auto before = evaluate({.model = judge_, .data = real_});
  const std::vector<std::pair<std::string, std::string>> names = {
      {"猫", "猫"},
      {"狗", "狗"},
      {"T-shirt/top", "T-shirt%2Ftop"},
      {"C++", "C++"}};
  Json known = Json::array();
  for (int64_t bar = 0; bar < kNumBars; ++bar) {
    known.push_back(names[size_t(bar)].first);
    fs::rename(folder_ / "real" / fmt::format("bar-{}", bar),
               folder_ / "real" / names[size_t(bar)].second);
  }
  write_file_atomic(judge_ / "class_names.json", known.dump());
  const auto after = evaluate({.model = judge_, .data = real_});
  EXPECT_EQ(after["class_agreement"], before["class_agreement"]);
  EXPECT_EQ(after["per_class"]["猫"], before["per_class"]["bar-0"]);
  EXPECT_EQ(after["per_class"]["T-shirt/top"], before["per_class"]["bar-2"]);
  // As a folder of that class used to be called.
  fs::rename(folder_ / "real" / "T-shirt%2Ftop",
             folder_ / "real" / "T-shirt-top");
  EXPECT_EQ(evaluate({.model = judge_, .data = real_})["class_agreement"],
            before["class_agreement"]);
}

TEST_F(Judge, LeavesOutWhatHasNoClassThatItKnows) {
  const auto before = evaluate({.model = judge_, .data = real_});
  fs::copy_file(folder_ / "real" / "bar-0" / "00000.png",
                folder_ / "real" / "stray.png");
  const auto stray = evaluate({.model = judge_, .data = real_});
  EXPECT_EQ(stray["class_agreement"], before["class_agreement"]);
  EXPECT_EQ(stray["images"], 49);
  EXPECT_THAT(stray["note"].get<std::string>(),
              HasSubstr("1 of the images have no class that"));
  fs::rename(folder_ / "real" / "bar-3", folder_ / "real" / "teapot");
  const auto unknown = evaluate({.model = judge_, .data = real_});
  EXPECT_THAT(unknown["note"].get<std::string>(),
              HasSubstr("does not know all classes of " + real_ +
                        " (teapot), so that class agreement is left out for "
                        "these"));
  EXPECT_EQ(unknown["per_class"].size(), 3);
  EXPECT_EQ(unknown["per_class"]["bar-0"], before["per_class"]["bar-0"]);
  EXPECT_THAT(refusal({.model = judge_, .data = real_ + "[class=teapot]"}),
              HasSubstr("not one image has a class that"));
}

TEST_F(Judge, ScoresOnlyWhatHasEveryClassAndARecipe) {
  EvaluateJob job{.model = judge_,
                  .data = drawn_,
                  .cas = real_,
                  .scorer = &accuracy_scorer()};
  fs::remove_all(folder_ / "drawn" / "bar-2");
  EXPECT_THAT(refusal(job), HasSubstr("got none of \"bar-2\""));
  job.data = real_;
  fs::remove(judge_ / "run.json");
  EXPECT_THAT(refusal(job), HasSubstr("has no run.json"));
}

}  // namespace
}  // namespace calotype
