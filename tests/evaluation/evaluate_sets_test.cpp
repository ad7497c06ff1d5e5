#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include "core/error.h"
#include "core/files.h"
#include "core/progress.h"
#include "datasets/image_source.h"
#include "evaluation/compare_results.h"
#include "evaluation/evaluate.h"
#include "evaluation/nearest_images.h"
#include "images/image_io.h"
#include "metrics/builtin_classifier.h"
#include "metrics/frechet_distance.h"
#include "metrics/kernel_distance.h"
#include "nn/safetensors.h"
#include "tests/support/fixtures.h"
#include "tests/support/formula_weights.h"
#include "tests/support/message_of.h"
#include "tests/support/program.h"
#include "tests/support/temp_folder.h"
#include "tools/encode.h"

// `evaluate` of sets in the features of a network.
namespace calotype {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class EvaluateSets : public testing::Test {
 protected:
  void SetUp() override { set_quiet(true); }

  EvaluateJob sets(const std::string& data, const std::string& reference,
                   const std::string& model = "builtin") {
    EvaluateJob job;
    job.model = model;
    job.data = data;
    job.reference = reference;
    return job;
  }

  std::string refusal(const EvaluateJob& job) {
    return message_of<ConfigError>([&] { evaluate(job); });
  }

  TempFolder folder_;
};

// tests/fixtures/metrics: what pytorch-fid, torch-fidelity and the authors'
// programs say of these features.
TEST_F(EvaluateSets, OfTheFixturesFeaturesHaveTheReferencesNumbers) {
  const auto fixture = fixtures_folder() / "metrics";
  const auto expected = read_json_file(fixture / "metrics.json");
  const auto rows = read_safetensors(fixture / "features.safetensors").tensors;
  for (const char* name : {"x", "y"})
    write_safetensors(folder_ / (std::string(name) + ".safetensors"),
                      {{{name, rows.at(name)}}, {}});
  const auto result =
      evaluate(sets((folder_ / "y.safetensors").string(),
                    (folder_ / "x.safetensors").string(), kFeatures));
  for (const auto& [key, name] :
       {std::pair("frechet_distance", "frechet"),
        std::pair("kid", "kid_mmd2_unbiased_degree3"),
        std::pair("precision", "precision_k3"),
        std::pair("recall", "recall_k3"), std::pair("density", "density_k5"),
        std::pair("coverage", "coverage_k5")}) {
    const auto want = expected[name].get<double>();
    EXPECT_NEAR(result[key].get<double>(), want, 1e-3 * want) << key;
    EXPECT_LE(result["intervals"][key][0], result[key]) << key;
    EXPECT_GE(result["intervals"][key][1], result[key]) << key;
  }
  EXPECT_EQ(result["images"], 260);
  EXPECT_EQ(result["reference_images"], 300);
  EXPECT_EQ(result["frechet_by_count"].size(), 4u);
  EXPECT_LT(result["frechet_distance_extrapolated"],
            result["frechet_distance"]);
}

// More rows than are looked at together.
TEST_F(EvaluateSets, TakeAllRowsOfALongTable) {
  torch::manual_seed(5);
  const auto x = torch::rand({2500, 3}), y = torch::rand({1100, 3}) + 0.1;
  write_safetensors(folder_ / "x.safetensors", {{{"x", x}}, {}});
  write_safetensors(folder_ / "y.safetensors", {{{"y", y}}, {}});
  const auto result =
      evaluate(sets((folder_ / "y.safetensors").string(),
                    (folder_ / "x.safetensors").string(), kFeatures));
  EXPECT_EQ(result["images"], 1100);
  EXPECT_EQ(result["reference_images"], 2500);
  EXPECT_NEAR(result["kid"].get<double>(), kernel_distance(x, y), 1e-12);
  Moments real, made;
  real.add(x);
  made.add(y);
  EXPECT_NEAR(result["frechet_distance"].get<double>(),
              frechet_distance(made, real), 1e-12);
}

TEST_F(EvaluateSets, TakeAStoreOfFeatures) {
  for (const char* seed : {"1", "2"}) {
    EncodeJob job;
    job.codec = "pixels:1";
    job.data = fmt::format("synthetic:40:8:1:{}", seed);
    job.out = folder_ / seed;
    job.dtype = "fp32";
    encode(job);
  }
  const auto store = [&](const char* name) {
    return (folder_ / name).string();
  };
  const auto result = evaluate(sets(store("1"), store("2"), kFeatures));
  EXPECT_GT(result["frechet_distance"], 0);
  EXPECT_NE(result["subject"]["data"]["hash"],
            result["protocol"]["reference"]["hash"]);
  EXPECT_NEAR(
      evaluate(sets(store("1"), store("1"), kFeatures))["frechet_distance"]
          .get<double>(),
      0, 1e-6);
  write_safetensors(folder_ / "narrow.safetensors",
                    {{{"rows", torch::rand({9, 3})}}, {}});
  EXPECT_THAT(
      refusal(sets(store("1"), (folder_ / "narrow.safetensors").string(),
                   kFeatures)),
      HasSubstr("has rows of 64 numbers"));
  write_safetensors(
      folder_ / "two.safetensors",
      {{{"a", torch::rand({9, 3})}, {"b", torch::rand({1})}}, {}});
  EXPECT_THAT(message_of<DataError>([&] {
                evaluate(sets((folder_ / "two.safetensors").string(),
                              store("1"), kFeatures));
              }),
              HasSubstr("expected one tensor [N,F], got 2 tensors"));
  write_safetensors(folder_ / "nan.safetensors",
                    {{{"a", torch::full({9, 64}, std::nan(""))}}, {}});
  EXPECT_THAT(message_of<DataError>([&] {
                evaluate(sets((folder_ / "nan.safetensors").string(),
                              store("1"), kFeatures));
              }),
              HasSubstr("the features of image 0 are not finite"));
  EXPECT_THAT(refusal(sets("synthetic:4:8:1", store("1"), kFeatures)),
              HasSubstr("expected features: a latent store or"));
}

TEST_F(EvaluateSets, LookFeaturesUpInACache) {
  auto job = sets("synthetic:60:28:1:1", "synthetic:50:28:1:2");
  job.cache = folder_ / "cache";
  const auto count = [&] {
    return std::distance(fs::directory_iterator(job.cache), {});
  };
  const auto plain = evaluate(sets(job.data, job.reference));
  const auto first = evaluate(job);
  EXPECT_EQ(count(), 2);
  const auto second = evaluate(job);
  EXPECT_EQ(count(), 2);
  for (const auto* result : {&first, &second}) {
    for (const char* key : {"kid", "coverage", "inception_score"})
      EXPECT_NEAR((*result)[key].get<double>(), plain[key].get<double>(), 1e-9)
          << key;
    EXPECT_EQ((*result)["protocol"], plain["protocol"]);
    EXPECT_EQ((*result)["subject"], plain["subject"]);
  }
  // One that was broken off goes on from the rows that it has.
  for (const auto& store : fs::directory_iterator(job.cache)) {
    auto info = read_json_file(store.path() / "store.json");
    info["complete"] = false;
    write_file_atomic(store.path() / "store.json", info.dump());
  }
  EXPECT_NEAR(evaluate(job)["kid"].get<double>(), plain["kid"].get<double>(),
              1e-9);
  job.preprocessing.resize = "bicubic";  // another way there
  evaluate(job);
  EXPECT_EQ(count(), 4);
  job.reference = "synthetic:50:28:1:3";
  evaluate(job);
  EXPECT_EQ(count(), 5);
}

TEST_F(EvaluateSets, OfReconstructionsPairTheirGroups) {
  auto job = sets("synthetic:80:28:1:1", "");
  job.model = "pixels:1";
  job.dtype = "bf16";
  job.features = "builtin";
  job.cache = folder_ / "cache";
  const auto result = evaluate(job), again = evaluate(job);
  // Nearly the same images: nearly no distance, and a narrow interval.
  EXPECT_LT(result["frechet_distance"], 1e-3);
  EXPECT_LT(result["intervals"]["frechet_distance"][1], 1e-3);
  EXPECT_LT(std::abs(result["kid"].get<double>()), 1e-5);
  EXPECT_FALSE(result.contains("frechet_by_count"));
  EXPECT_TRUE(result["frechet_distance_extrapolated"].is_null());
  EXPECT_NEAR(result["frechet_distance"].get<double>(),
              again["frechet_distance"].get<double>(), 1e-12);
  EXPECT_EQ(result["protocol"]["features"]["sha256"], kBuiltinClassifierSha256);
}

TEST_F(EvaluateSets, CompareByGroups) {
  const auto report = [&](const char* name, const char* data) {
    auto job = sets(data, "synthetic:200:28:1:9");
    job.report = folder_ / name;
    evaluate(job);
    return job.report;
  };
  const auto a = report("a", "synthetic:100:28:1:1"),
             b = report("b", "synthetic:100:28:1:2"),
             far = report("c", "fashion-mnist:test[0:100]");
  const auto alike = compare_results(a, b)["differences"];
  EXPECT_EQ(alike["frechet_distance"]["by"], "intervals");
  EXPECT_FALSE(alike["frechet_distance"]["significant"]);
  EXPECT_TRUE(compare_results(
      a, far)["differences"]["frechet_distance"]["significant"]);
  EXPECT_EQ(compare_results(a, a)["differences"]["frechet_distance"]["by"],
            "paired groups");
  const auto fewer = report("d", "synthetic:90:28:1:1");
  EXPECT_THAT(message_of<ConfigError>([&] { compare_results(a, fewer); }),
              HasSubstr("images: 100 and 90"));
}

TEST_F(EvaluateSets, FindWhatWasLearntByHeart) {
  // Half of the images shown are of the reference.
  for (int i = 0; i < 20; ++i) {
    const auto name = fmt::format("{:02}.png", i);
    const auto source = open_source("synthetic:20:28:1:5");
    const auto other = open_source("synthetic:20:28:1:6");
    make_folder(folder_ / "shown");
    write_file_atomic(folder_ / "shown" / name,
                      encode_png((i < 10 ? source : other)->load(i).image));
  }
  auto job = sets((folder_ / "shown").string(), "synthetic:20:28:1:5");
  job.nearest = 20;
  job.report = folder_ / "report";
  const auto nearest = evaluate(job)["nearest"];
  EXPECT_EQ(nearest["images"], 20);
  EXPECT_GE(nearest["likely_copies"], 0.5);
  EXPECT_LT(nearest["likely_copies"], 0.7);
  const auto page = content((folder_ / "report" / "index.html").string());
  EXPECT_THAT(page, HasSubstr("Learnt by heart?"));
  EXPECT_THAT(page, HasSubstr("Nearest 4"));
}

TEST(NearestImages, AreThoseOfAPlainSearchInAnyBatches) {
  torch::manual_seed(3);
  const auto queries = torch::rand({5, 6}), rows = torch::rand({60, 6}) + 100;
  NearestImages nearest(queries + 100);
  for (int64_t begin = 0; begin < 60; begin += 7) {
    const auto count = std::min<int64_t>(7, 60 - begin);
    nearest.add(rows.narrow(0, begin, count),
                torch::arange(begin, begin + count));
  }
  const auto apart = (queries.unsqueeze(1) + 100 - rows.unsqueeze(0))
                         .to(torch::kDouble)
                         .norm(2, {2});
  const auto [distances, order] =
      apart.topk(NearestImages::kNeighbours, 1, false, true);
  EXPECT_TRUE(torch::equal(nearest.indices(), order));
  EXPECT_TRUE(torch::allclose(nearest.distances(), distances, 1e-5, 1e-5));
}

TEST(NearestImages, AreTheOnesLookedForWhereQueriesComeInSeveralBlocks) {
  torch::manual_seed(4);
  const auto rows = torch::rand({3000, 2});
  NearestImages nearest(rows);
  nearest.add(rows, torch::arange(3000));
  EXPECT_TRUE(
      torch::equal(nearest.indices().select(1, 0), torch::arange(3000)));
  EXPECT_EQ(nearest.distances().select(1, 0).max().item<double>(), 0);
}

TEST(BuiltinClassifier, IsTheOneThatNumbersNameAndKnowsItsClasses) {
  EvaluateJob job;
  job.model = "builtin";
  job.data = "fashion-mnist:test[0:2000]";
  const auto result = evaluate(job);
  EXPECT_NEAR(result["class_agreement"].get<double>(), 0.913, 0.015);
  EXPECT_LT(result["intervals"]["class_agreement"][0], 0.913);
  EXPECT_GT(result["intervals"]["class_agreement"][1], 0.913);
  job.expect_network = std::string(64, 'a');
  EXPECT_THAT(message_of<ConfigError>([&] { evaluate(job); }),
              HasSubstr(std::string(kBuiltinClassifierSha256) + ", expected"));
}

TEST_F(EvaluateSets, RefuseOptionsThatWouldChangeNothing) {
  const auto says = [this](const EvaluateJob& job, const char* text) {
    EXPECT_THAT(refusal(job), HasSubstr(text));
  };
  auto job = sets("synthetic:8:28:1", "synthetic:8:28:1:2");
  job.dtype = "bf16";
  says(job, "--dtype needs a codec");
  job = sets("synthetic:8:28:1", "");
  job.manifold_samples = 5;
  says(job, "--manifold-samples needs --reference");
  job = sets("rows", "rows", kFeatures);
  job.cache = folder_ / "cache";
  says(job, "--cache and --expect-network need a feature network");
  job = sets("rows", "rows", kFeatures);
  job.preprocessing.size = 28;
  says(
      job,
      "features: --size, --resize, --crop, --max-pixels and --icc need images");

  EvaluateJob codec;
  codec.model = "pixels:1";
  codec.data = "synthetic:8:28:1";
  job = codec;
  job.manifold_samples = 5;
  says(job, "--manifold-samples needs --features");
  job = codec;
  job.beside_images = 5;
  says(job, "--beside-images needs --beside");
  job = codec;
  job.binarize = true;
  says(job, "need a CalotypeAutoencoder");
  job = codec;
  job.features = "builtin";
  job.expect_network = std::string(64, 'a');
  says(job, "expected aaaa");
}

TEST_F(EvaluateSets, SayWhatANetworkCannotTake) {
  auto job = sets("synthetic:8:32:1", "synthetic:8:28:1");
  job.preprocessing.size = 32;
  EXPECT_THAT(refusal(job),
              HasSubstr("takes images of 28x28 alone, got --size 32"));
  EvaluateJob colours;
  colours.model = "pixels:3";
  colours.data = "synthetic:8:28:3";
  colours.features = "builtin";
  EXPECT_THAT(refusal(colours), HasSubstr("takes grey images alone"));
  colours.model = "pixels:1";
  colours.data = "synthetic:8:32:1";
  EXPECT_THAT(
      refusal(colours),
      HasSubstr("takes images of 28x28 alone, got 32x32; say --size 28"));
  EXPECT_THAT(refusal(sets("synthetic:8:28:1", "")),
              HasSubstr("does not know the class \"circle\""));
  EXPECT_THAT(refusal(sets("synthetic:8:28:1", "", kFeatures)),
              HasSubstr("--reference is needed"));
}

TEST_F(EvaluateSets, OfOneImageOrAllBlackHaveNoNumberThatIsNone) {
  const auto one = evaluate(sets("synthetic:1:28:1", "synthetic:30:28:1:2"));
  EXPECT_TRUE(one["frechet_distance"].is_null());
  make_folder(folder_ / "black");
  for (int i = 0; i < 80; ++i)
    write_file_atomic(folder_ / "black" / fmt::format("{}.png", i),
                      encode_png({28, 28, 1, std::vector<uint8_t>(784)}));
  auto job = sets((folder_ / "black").string(), "synthetic:30:28:1:2");
  job.nearest = 3;
  job.report = folder_ / "report";
  const auto black = evaluate(job);
  EXPECT_EQ(black["precision"], 0.0);
  const auto note = HasSubstr("all features of the images are the same");
  EXPECT_THAT(black["note"].get<std::string>(), note);
  EXPECT_THAT(read_text_file(job.report / "index.html"), note);
  EXPECT_THAT(one["note"].get<std::string>(),
              HasSubstr("a set of 1 cannot be compared"));
  job = sets("synthetic:30:28:1:2", "synthetic:30:28:1:2");
  EXPECT_THAT(evaluate(job)["note"].get<std::string>(),
              testing::AllOf(
                  HasSubstr("builtin does not know all classes of synthetic"),
                  HasSubstr("the images and the reference are the same")));
  EXPECT_NEAR(black["inception_score"].get<double>(), 1, 1e-6);
  for (const auto* result : {&one, &black})
    EXPECT_EQ(result->dump().find("nan"), std::string::npos);
}

// FID's Inception with the fixture's weights, from a file as a user brings it.
TEST_F(EvaluateSets, MeasureInFidsInception) {
  const auto weights = folder_ / "inception.safetensors";
  write_safetensors(weights, formula_weights("inception"));
  make_folder(folder_ / "grey");
  for (int i = 0; i < 3; ++i)
    write_file_atomic(
        folder_ / "grey" / fmt::format("{}.png", i),
        encode_png(open_source("synthetic:3:24:1")->load(i).image));
  auto job =
      sets((folder_ / "grey").string(), "synthetic:3:20:3:2", weights.string());
  const auto result = evaluate(job);
  EXPECT_GT(result["frechet_distance"], 0);
  EXPECT_EQ(result["protocol"]["features"]["features"], 2048);
  EXPECT_EQ(result["protocol"]["preprocessing"]["channels"], 3);
  EXPECT_EQ(result.dump().find("nan"), std::string::npos);
}

}  // namespace
}  // namespace calotype
