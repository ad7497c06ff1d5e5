#include <gmock/gmock.h>

#include <filesystem>
#include <map>
#include <string>

#include "core/error.h"
#include "core/files.h"
#include "evaluation/compare_results.h"
#include "evaluation/evaluate.h"
#include "tests/support/message_of.h"
#include "tests/tools/stores.h"
#include "tests/tools/training_runs.h"

// Results that several calls make, each a part.
namespace calotype {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class EvaluateParts : public TrainingRuns {
 protected:
  EvaluateJob sets() const {
    EvaluateJob job;
    job.model = kBuiltinName;
    job.data = "synthetic:700:28:1";
    job.reference = "synthetic:520:28:1:1";
    job.manifold_samples = 100;
    job.nearest = 20;
    job.out = at("result.json");
    return job;
  }

  EvaluateJob pairs() {
    save_codec(at("codec"), 1);
    EvaluateJob job;
    job.model = at("codec");
    job.data = "synthetic:600:28:1";
    job.features = kBuiltinName;
    job.manifold_samples = 100;
    job.out = at("result.json");
    return job;
  }

  static Json part(EvaluateJob job, int64_t index, int64_t count) {
    job.part = Part{.index = index, .count = count};
    return evaluate(job);
  }

  static Json finish(EvaluateJob job) {
    job.finishes = true;
    return evaluate(job);
  }

  /// A result but for what the clock and the machine say.
  static Json timeless(const fs::path& file) {
    auto result = read_json_file(file);
    for (const char* key :
         {"images_per_s", "round_trip_images_per_s", "peak_memory_mib"})
      result.erase(key);
    return result;
  }

  /// What a report shows, but for the result itself.
  std::map<std::string, std::string> shown(const std::string& report) const {
    std::map<std::string, std::string> files;
    for (const auto& [name, text] : files_of(at(report)))
      if (name != "result.json" && !name.starts_with('.')) files[name] = text;
    return files;
  }

  /// Expects of any number of parts, done last to first, what one process
  /// finds.
  void expect_result_of_one(EvaluateJob job) {
    job.out = at("one.json");
    job.report = at("one");
    evaluate(job);
    for (const int64_t count : {1, 2, 3, 7}) {
      auto parts = job;
      parts.out = at(fmt::format("{}.json", count));
      parts.report = at(fmt::format("report_{}", count));
      for (int64_t index = count - 1; index >= 0; --index)
        part(parts, index, count);
      EXPECT_EQ(timeless(parts.out), timeless(job.out)) << count;
      EXPECT_EQ(shown(parts.report.filename()) == shown("one"), true) << count;
      EXPECT_FALSE(fs::exists(parts.out.string() + ".parts"));
      EXPECT_TRUE(finish(parts)["already_complete"]);
      EXPECT_TRUE(part(parts, 0, count)["already_complete"]);
    }
  }

  static constexpr const char* kBuiltinName = "builtin";
};

TEST_F(EvaluateParts, OfSetsHaveTheResultOfOneProcess) {
  expect_result_of_one(sets());
  EXPECT_GT(timeless(at("one.json"))["frechet_distance"], 0);
}

TEST_F(EvaluateParts, OfACodecHaveTheResultOfOneProcess) {
  expect_result_of_one(pairs());
  EXPECT_GT(timeless(at("one.json"))["frechet_distance"], 0);
}

TEST_F(EvaluateParts, OfAClassifierAloneHaveTheResultOfOneProcess) {
  save_images("d/Bag", 300, {{28, 28}});
  save_images("d/Coat", 300, {{28, 28}}, 300);
  auto job = sets();
  job.data = at("d").string();
  job.reference.clear();
  job.nearest = 0;
  job.manifold_samples = EvaluateJob{}.manifold_samples;
  expect_result_of_one(job);
}

/// Images of several shapes, of which some cannot be read.
TEST_F(EvaluateParts, OfManyShapesHaveTheResultOfOneProcess) {
  save_images("d", 600, {{16, 16}, {16, 24}, {24, 16}, {16, 16}});
  write_file_atomic(at("d") / "003.png", "no picture");
  write_file_atomic(at("d") / "300.png", "no picture");
  auto job = pairs();
  job.data = at("d").string();
  job.features.clear();
  job.manifold_samples = EvaluateJob{}.manifold_samples;
  expect_result_of_one(job);
  EXPECT_EQ(timeless(at("one.json"))["num_skipped"], 2);

  auto seen = sets();
  seen.data = at("d").string();
  seen.preprocessing.size = 28;
  seen.out = at("sets.json");
  evaluate(seen);
  const auto one = timeless(seen.out);
  EXPECT_EQ(one["num_skipped"], 2);
  seen.out = at("parts.json");
  for (const int64_t index : {0, 1}) part(seen, index, 2);
  EXPECT_EQ(timeless(seen.out), one);
}

/// Sums are of blocks of the index, whatever batches were.
TEST_F(EvaluateParts, DoNotDependOnTheBatch) {
  auto job = sets();
  evaluate(job);
  const auto want = timeless(job.out);
  job.batch_size = 7;
  job.out = at("other.json");
  evaluate(job);
  EXPECT_EQ(timeless(job.out), want);
  job.cache = at("cache");
  for (int i = 0; i < 2; ++i) {  // written, and looked up
    evaluate(job);
    EXPECT_EQ(timeless(job.out), want);
  }
}

TEST_F(EvaluateParts, FinishNamesWhatIsMissing) {
  EXPECT_EQ(part(sets(), 1, 5)["missing"], "0,2-4");
  part(sets(), 4, 5);
  EXPECT_THAT(message_of<ConfigError>([&] { finish(sets()); }),
              HasSubstr("result.json: 3 of 5 parts are missing; start them "
                        "again: --array=0,2-3"));
  EXPECT_FALSE(fs::exists(at("result.json")));
  for (const int64_t index : {0, 2, 3}) part(sets(), index, 5);
  EXPECT_TRUE(fs::exists(at("result.json")));
}

TEST_F(EvaluateParts, WhatAKillLeftIsNotMeasuredAgain) {
  EXPECT_EQ(part(sets(), 0, 2)["measured"], 3);
  const auto parts = at("result.json.parts");
  fs::remove(parts / "part-00000.done");
  write_file_atomic(parts / "0123456789abcdef.safetensors", "torn");
  for (const auto& file : fs::directory_iterator(parts))
    if (file.path().filename().string().starts_with("block-0000001"))
      fs::remove(file.path());
  EXPECT_EQ(part(sets(), 0, 2)["measured"], 1);
  EXPECT_EQ(part(sets(), 0, 2)["measured"], 0);
  part(sets(), 1, 2);
  auto one = sets();
  one.out = at("one.json");
  evaluate(one);
  EXPECT_EQ(timeless(at("result.json")), timeless(one.out));
}

TEST_F(EvaluateParts, ADamagedBlockIsMeasuredAgain) {
  part(sets(), 0, 2);
  for (const auto& file : fs::directory_iterator(at("result.json.parts")))
    if (file.path().filename().string().starts_with("block-0000002")) {
      auto bytes = content(file.path().string());
      bytes[bytes.size() - 1] ^= 1;
      write_file_atomic(file.path(), bytes);
    }
  EXPECT_THAT(message_of<DataError>([&] { part(sets(), 1, 2); }),
              HasSubstr("what was measured of block 2 is damaged or gone; part "
                        "0 is to be measured again"));
  EXPECT_EQ(part(sets(), 0, 2)["images"], 700);
}

TEST_F(EvaluateParts, RefuseOtherCallsAndNumbers) {
  part(sets(), 0, 2);
  EXPECT_THAT(message_of<ConfigError>([&] { part(sets(), 0, 3); }),
              HasSubstr("was begun in other parts (parts: 2 before, 3 now)"));
  auto other = sets();
  other.seed = 1;
  EXPECT_THAT(message_of<ConfigError>([&] { part(other, 1, 2); }),
              HasSubstr("was begun by another call (settings.seed: 0 before, 1 "
                        "now)"));
  EXPECT_THAT(
      message_of<ConfigError>([&] { evaluate(sets()); }),
      HasSubstr("is measured in 2 parts: --part I/2 does what is missing"));
  part(sets(), 1, 2);
  EXPECT_THAT(message_of<ConfigError>([&] { evaluate(other); }),
              HasSubstr("is the result of another call (seed: 0 before, 1 "
                        "now)"));
  other.fresh = true;
  evaluate(other);
  EXPECT_EQ(read_json_file(other.out)["protocol"]["seed"], 1);
  other.out = at("none.json");
  EXPECT_THAT(message_of<ConfigError>([&] { finish(other); }),
              HasSubstr("is not measured in parts"));
  other.out = at("letter.txt");
  write_file_atomic(other.out, "a letter");
  EXPECT_THAT(message_of<ConfigError>([&] { evaluate(other); }),
              HasSubstr("is no result that evaluate --out wrote"));
}

TEST_F(EvaluateParts, RefuseWhatIsNoWorkOfBlocks) {
  const auto refusal = [&](auto change) {
    auto job = sets();
    change(job);
    return message_of<ConfigError>([&] { part(job, 0, 2); });
  };
  EXPECT_THAT(refusal([](auto& job) { job.out.clear(); }),
              HasSubstr("--part and --finish need an --out"));
  EXPECT_THAT(refusal([&](auto& job) { job.cache = at("cache"); }),
              HasSubstr("--cache is of one process"));
  EXPECT_THAT(refusal([](auto& job) { job.cas = "synthetic:8:28:1"; }),
              HasSubstr("--cas trains a classifier, in one process"));
  EXPECT_THAT(refusal([&](auto& job) {
                job = pairs();
                job.beside = {"jpeg"};
              }),
              HasSubstr("--beside is measured by one process"));
}

TEST_F(EvaluateParts, CompareImageByImage) {
  auto job = pairs();
  job.features.clear();
  job.manifold_samples = EvaluateJob{}.manifold_samples;
  for (const int64_t index : {0, 1}) part(job, index, 2);
  auto other = job;
  other.dtype = "bf16";
  other.out = at("other.json");
  evaluate(other);
  const auto compared = compare_results(job.out, other.out);
  EXPECT_THAT(compared["differences"]["mse"]["by"].get<std::string>(),
              HasSubstr("image"));
}

}  // namespace
}  // namespace calotype
