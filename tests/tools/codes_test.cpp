#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>

#include "core/error.h"
#include "core/files.h"
#include "core/progress.h"
#include "evaluation/evaluate.h"
#include "images/image_io.h"
#include "report/csv.h"
#include "report/heat_map.h"
#include "store/latent_store.h"
#include "tests/support/temp_folder.h"
#include "tools/anomaly.h"
#include "tools/decode.h"
#include "tools/denoise.h"
#include "tools/embed.h"
#include "tools/encode.h"
#include "tools/generate.h"
#include "tools/project.h"
#include "tools/train.h"
#include "tools/walk.h"
#include "training/checkpoint.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::StartsWith;

Image read_png(const fs::path& path) {
  return decode_image(read_file(path), path.string());
}

int64_t num_lines(const std::string& text) {
  return std::count(text.begin(), text.end(), '\n');
}

/// An autoencoder of drawn 16-pixel images, trained for a few steps.
class Codes : public testing::Test {
 protected:
  void SetUp() override {
    set_quiet(true);
    TrainJob job{.out = codec_};
    read_config(Json::parse(R"({
          "model": {"_class_name": "CalotypeAutoencoder", "sample_size": 16,
                    "hidden": [24], "latent_channels": 4, "variational": true,
                    "reconstruction": "bce"},
          "data": {"train": "synthetic:64:16:1:1"},
          "training": {"steps": 20, "batch_size": 16}
        })"),
                job.config, "test");
    train(job);
  }

  TempFolder folder_;
  fs::path codec_ = folder_ / "codec", out_ = folder_ / "out";
  const std::string data_ = "synthetic:24:16:1:2";
};

TEST_F(Codes, VectorsGoThroughTheStoreAsGridsOfOne) {
  const auto store = folder_ / "store";
  encode({.codec = codec_, .data = data_, .out = store});
  const auto result = decode({.codec = codec_, .store = store, .out = out_});
  EXPECT_EQ(result["images"], 24);
  const auto fidelity = evaluate({.model = codec_, .data = data_});
  EXPECT_NEAR(fidelity["rate_bpp"].get<double>(), 4 * 16 / 256.0, 1e-9);
  EXPECT_EQ(fidelity["kl_per_number"].size(), 4);
  EXPECT_LT(fidelity["elbo_nats"].get<double>(), 0);
}

TEST_F(Codes, TighterBoundIsTighter) {
  const auto result = evaluate({.model = codec_,
                                .data = data_,
                                .importance_samples = 100,
                                .binarize = true});
  EXPECT_GT(result["importance_weighted_bound_nats"].get<double>(),
            result["elbo_nats"].get<double>());
}

TEST_F(Codes, PriorDrawsDoNotDependOnTheBatch) {
  generate({.model = codec_, .out = out_, .count = 5, .batch_size = 2});
  const auto other = folder_ / "other";
  generate({.model = codec_, .out = other, .count = 1, .first = 3});
  EXPECT_EQ(read_png(out_ / "any" / "00003.png").pixels,
            read_png(other / "any" / "00003.png").pixels);
}

TEST_F(Codes, PriorRefusesSettingsOfDiffusion) {
  try {
    generate({.model = codec_, .out = out_, .steps = 10});
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("draws from its prior in one go"));
  }
}

TEST_F(Codes, DrawnImagesAreComparedWithAReference) {
  TrainJob judge{.out = folder_ / "judge"};
  read_config(Json::parse(R"({
        "model": {"_class_name": "CalotypeClassifier", "sample_size": 16,
                  "num_classes": 6, "channels": [8, 16]},
        "data": {"train": "synthetic:64:16:1:1"},
        "training": {"steps": 10, "batch_size": 16}
      })"),
              judge.config, "test");
  train(judge);
  generate({.model = codec_, .out = out_, .count = 20});
  const auto drawn =
      evaluate({.model = judge.out, .data = out_, .reference = data_});
  EXPECT_EQ(drawn["images"], 20);
  EXPECT_EQ(drawn["reference_images"], 24);
  EXPECT_FALSE(drawn.contains("class_agreement"));  // "any" is no class
  EXPECT_GT(drawn["frechet_distance"].get<double>(), 0);
  const auto same =
      evaluate({.model = judge.out, .data = data_, .reference = data_});
  EXPECT_NEAR(same["frechet_distance"].get<double>(), 0, 1e-6);
  EXPECT_TRUE(same.contains("class_agreement"));
  EXPECT_THROW(evaluate({.model = codec_, .data = data_, .reference = data_}),
               ConfigError);
}

TEST_F(Codes, EvaluateMeasuresHowCodesAnswerToTheImage) {
  const auto result =
      evaluate({.model = codec_, .data = data_, .jacobian_probes = 4});
  EXPECT_NEAR(
      result["relative_jacobian_norm"].get<double>(),
      result["jacobian_norm"].get<double>() / result["code_std"].get<double>(),
      1e-9);
  EXPECT_GT(result["jacobian_norm"].get<double>(), 0);
}

TEST_F(Codes, EmbedInAStoreIsWhatEncodeWrites) {
  const auto store = folder_ / "store";
  embed({.codec = codec_, .data = data_, .out = store, .limit = 10});
  const StoreReader reader(store);
  EXPECT_EQ(reader.size(), 10);
  EXPECT_EQ(reader.info().dtype, "fp32");
}

TEST_F(Codes, EmbedWritesARowPerImage) {
  const auto table = folder_ / "codes.csv";
  embed({.codec = codec_, .data = data_, .out = table});
  const auto text = read_text_file(table);
  EXPECT_THAT(text, StartsWith("index,name,class,z0,z1,z2,z3\n0,"));
  EXPECT_EQ(num_lines(text), 25);
}

TEST_F(Codes, AnomalySortsAndScores) {
  const auto result = anomaly(
      {.codec = codec_, .data = data_, .out = out_, .anomalous = "ring"});
  const auto auc = result["roc_auc"].get<double>();
  EXPECT_GE(auc, 0);
  EXPECT_LE(auc, 1);
  const auto text = read_text_file(out_ / "scores.csv");
  EXPECT_EQ(num_lines(text), 25);
  double last = std::numeric_limits<double>::infinity();
  for (size_t at = text.find('\n'); at + 1 < text.size();) {
    const auto end = text.find('\n', at + 1);
    const double score = std::stod(text.substr(text.rfind(',', end) + 1));
    EXPECT_LE(score, last);
    last = score;
    at = end;
  }
  EXPECT_EQ(read_png(out_ / "highest.png").channels, 3);
}

TEST_F(Codes, AnomalyRefusesAClassThatIsNotThere) {
  try {
    anomaly(
        {.codec = codec_, .data = data_, .out = out_, .anomalous = "teapot"});
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("--anomalous names \"teapot\""));
  }
}

TEST_F(Codes, DenoiseTellsTheErrorsBeforeAndAfter) {
  const auto result =
      denoise({.codec = codec_,
               .data = data_,
               .out = out_,
               .corruption = {.kind = "gaussian", .sigma = 0.2}});
  EXPECT_NEAR(result["mse_corrupted"].get<double>(), 0.04, 0.004);
  EXPECT_TRUE(fs::exists(folder_ / "out.png"));
}

TEST_F(Codes, InterpolationEndsAtItsImages) {
  const auto strip = folder_ / "strip.png";
  interpolate({.codec = codec_,
               .from = data_,
               .to = data_ + "[3:4]",
               .out = strip,
               .count = 3});
  const auto picture = read_png(strip);
  EXPECT_EQ(picture.width / picture.height, 5);  // and both originals
}

TEST_F(Codes, TraverseAndProjectDraw) {
  const auto walk = traverse({.codec = codec_,
                              .data = data_,
                              .out = folder_ / "walk.png",
                              .num_directions = 9,
                              .count = 5});
  EXPECT_EQ(walk["directions"].size(), 4);
  EXPECT_GE(walk["directions"][0]["std"], walk["directions"][3]["std"]);
  const auto plane =
      project({.codec = codec_, .data = data_, .out = folder_ / "plane.svg"});
  EXPECT_LE(plane["explained_variance"][1], plane["explained_variance"][0]);
  EXPECT_THAT(read_text_file(folder_ / "plane.svg"), StartsWith("<svg"));
}

TEST_F(Codes, AnotherSizeIsRefused) {
  try {
    encode({.codec = codec_,
            .data = data_,
            .out = out_,
            .preprocessing = {.size = 20}});
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("takes images of 16x16 alone"));
  }
}

/// A stacked autoencoder of drawn images, five steps for each of its layers.
TrainJob stacked_job(const fs::path& out, int64_t stop_after = 0) {
  set_quiet(true);
  TrainJob job{.out = out, .stop_after = stop_after};
  read_config(Json::parse(R"({
        "model": {"_class_name": "CalotypeAutoencoder", "sample_size": 16,
                  "hidden": [24], "latent_channels": 4},
        "loss": {"pretrain_steps": 5},
        "data": {"train": "synthetic:64:16:1:1"},
        "training": {"steps": 14, "batch_size": 16, "checkpoint_every": 3}
      })"),
              job.config, "test");
  return job;
}

std::map<std::string, at::Tensor> state_of(const TrainJob& job) {
  return read_checkpoint(job.out / "state" / "state.safetensors").tensors;
}

TEST(StackedTraining, FreezesWhatIsNotYetOrNoLongerLearnt) {
  const TempFolder folder;
  const auto begin = stacked_job(folder / "begin", 1);
  const auto first = stacked_job(folder / "first", 5);
  const auto second = stacked_job(folder / "second", 10);
  for (const auto& job : {begin, first, second}) train(job);
  const auto start = state_of(begin), middle = state_of(first),
             end = state_of(second);
  const auto moved = [](const auto& a, const auto& b, const std::string& name) {
    return !torch::equal(a.at("weights." + name), b.at("weights." + name));
  };
  EXPECT_TRUE(moved(start, middle, "encoder.0.weight"));
  EXPECT_FALSE(moved(start, middle, "encoder.1.weight"));
  EXPECT_FALSE(moved(middle, end, "encoder.0.weight"));
  EXPECT_TRUE(moved(middle, end, "encoder.1.weight"));
}

TEST(StackedTraining, GoesOnAcrossItsStagesBitForBit) {
  const TempFolder folder;
  const auto whole = stacked_job(folder / "whole");
  train(whole);
  // Stopped in the first layer, at the border and in the second.
  for (const int64_t steps : {3, 2, 4})
    train(stacked_job(folder / "parts", steps));
  const auto parts = stacked_job(folder / "parts");
  train(parts);
  const auto other = state_of(parts);
  for (const auto& [name, tensor] : state_of(whole))
    EXPECT_TRUE(torch::equal(tensor, other.at(name))) << name;
}

TEST(Between, KeepsToTheLineOrToTheCircle) {
  const auto a = torch::tensor({2., 0.}), b = torch::tensor({0., 2.});
  EXPECT_TRUE(
      torch::allclose(between(a, b, 0.5, false), torch::tensor({1., 1.})));
  EXPECT_TRUE(torch::allclose(between(a, b, 0.5, true),
                              torch::tensor({std::sqrt(2.), std::sqrt(2.)})));
  EXPECT_TRUE(torch::allclose(between(a, b, 1, true), b));
  EXPECT_TRUE(torch::allclose(between(a, -a, 0.5, true), torch::zeros({2})));
}

TEST(HeatMap, GrowsFromBlackToWhite) {
  const auto colours =
      heat_map(torch::tensor({{{0.f, 1.f / 3, 2.f / 3, 1.f}}}));
  const auto want = torch::tensor({{{-1.f, 1.f, 1.f, 1.f}},
                                   {{-1.f, -1.f, 1.f, 1.f}},
                                   {{-1.f, -1.f, -1.f, 1.f}}});
  EXPECT_TRUE(torch::allclose(colours, want, 0, 1e-5));
}

TEST(CsvField, QuotesWhatWouldBreakTheRow) {
  EXPECT_EQ(csv_field("plain"), "plain");
  EXPECT_EQ(csv_field("a,\"b\""), "\"a,\"\"b\"\"\"");
}

}  // namespace
}  // namespace calotype
