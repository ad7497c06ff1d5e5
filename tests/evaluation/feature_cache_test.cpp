#include "evaluation/feature_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "core/files.h"
#include "core/note.h"
#include "core/progress.h"
#include "evaluation/evaluate.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

/// `evaluate builtin` of a small set and a reference, with a cache.
class FeatureCaches : public testing::Test {
 protected:
  void SetUp() override {
    set_quiet(true);
    job_.model = "builtin";
    job_.data = "synthetic:30:28:1:1";
    job_.reference = "synthetic:25:28:1:2";
    job_.cache = folder_ / "cache";
    want_ = evaluate(job_)["kid"];
  }

  std::vector<fs::path> entries() const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(job_.cache))
      found.push_back(entry.path());
    return found;
  }

  /// Evaluates again; returns what was said.
  std::string evaluate_again() {
    take_notes();
    testing::internal::CaptureStderr();
    const auto result = evaluate(job_);
    const auto said = testing::internal::GetCapturedStderr();
    EXPECT_NEAR(result["kid"].get<double>(), want_, 1e-9);
    return said;
  }

  TempFolder folder_;
  EvaluateJob job_;
  double want_ = 0;
};

void change_file(const fs::path& path,
                 const std::function<void(std::vector<uint8_t>&)>& change) {
  auto bytes = read_file(path);
  change(bytes);
  write_file_atomic(path, bytes);
}

TEST_F(FeatureCaches, AreComputedAnewIfAnyByteIsAnother) {
  const auto place = entries()[0];
  const auto shard = place / "shard-00000.h5";
  const auto size = fs::file_size(shard);
  // Among them the places of rows in their set, which others count by.
  for (size_t at = 0; at < size; at += size / 23) {
    change_file(shard, [&](auto& bytes) { bytes[at] ^= 0x40; });
    EXPECT_THAT(evaluate_again(), HasSubstr("damaged (")) << at;
    EXPECT_EQ(evaluate_again(), "") << at;  // it is whole again
  }
}

TEST_F(FeatureCaches, AreComputedAnewIfAFileIsCutOrTells) {
  const auto place = entries()[0];
  const auto expect_mended = [&](const char* what) {
    EXPECT_THAT(evaluate_again(), HasSubstr("computed anew")) << what;
    EXPECT_EQ(evaluate_again(), "") << what;
  };
  change_file(place / "shard-00000.h5",
              [](auto& bytes) { bytes.resize(bytes.size() / 2); });
  expect_mended("half a shard");
  write_file_atomic(place / "store.json", std::string_view("{"));
  expect_mended("a torn store.json");
  fs::remove(place / "store.json");
  expect_mended("no store.json");
  const auto others = entries()[1];
  for (const char* name : {"store.json", "shards.jsonl", "shard-00000.h5"})
    write_file_atomic(place / name, read_file(others / name));
  expect_mended("another set's rows");
}

TEST_F(FeatureCaches, KeepFilesThatAreNotTheirs) {
  const auto place = entries()[0];
  write_file_atomic(place / "mine.txt", std::string_view("mine"));
  fs::remove(place / "store.json");
  EXPECT_THAT(evaluate_again(), HasSubstr("computed anew"));
  EXPECT_EQ(read_text_file(place / "mine.txt"), "mine");
}

TEST_F(FeatureCaches, AreReadWhileAnotherProcessHoldsThem) {
  std::vector<std::unique_ptr<FolderLock>> locks;
  for (const auto& place : entries())
    locks.push_back(std::make_unique<FolderLock>(place));
  EXPECT_EQ(evaluate_again(), "");
}

TEST_F(FeatureCaches, AreLeftToAnotherProcessThatFillsThem) {
  const auto place = entries()[0];
  fs::remove(place / "store.json");
  fs::remove(place / "shards.jsonl");
  fs::remove(place / "shard-00000.h5");
  {
    const FolderLock lock(place);
    EXPECT_THAT(evaluate_again(), HasSubstr("another process is filling it"));
    EXPECT_FALSE(fs::exists(place / "store.json"));
  }
  evaluate_again();
  EXPECT_TRUE(fs::exists(place / "store.json"));
}

}  // namespace
}  // namespace calotype
