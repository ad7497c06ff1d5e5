#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "core/error.h"
#include "tests/support/program.h"
#include "tests/tools/training_runs.h"
#include "tools/encode.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::ThrowsMessage;

/// Stores that several calls write, each a part.
class EncodeParts : public TrainingRuns {
 protected:
  void SetUp() override {
    TrainingRuns::SetUp();
    save_images("d", 26, {{16, 16}});
    write_file_atomic(at("d") / "003.png", "no picture");
    save_images("many_shapes", 90, {{16, 16}, {16, 24}, {24, 16}, {16, 16}});
    run(config(vae(), "many_shapes"), "codec");
  }

  EncodeJob job(const std::string& data, const std::string& out) const {
    EncodeJob job;
    job.codec = at("codec");
    job.data = at(data).string();
    job.out = at(out);
    job.batch_size = 4;
    job.rows_per_shard = 4;
    if (data == "d") job.preprocessing.size = 16;
    return job;
  }

  Json encode_part(EncodeJob job, int64_t index, int64_t count) const {
    job.part = Part{.index = index, .count = count};
    return encode(job);
  }

  static Json finish(EncodeJob job) {
    job.finishes = true;
    return encode(job);
  }

  std::map<std::string, std::string> files(const std::string& store) const {
    std::map<std::string, std::string> found;
    for (const auto& file : fs::recursive_directory_iterator(at(store)))
      if (file.is_regular_file() && file.path().filename() != ".lock")
        found[file.path().lexically_relative(at(store))] =
            content(file.path().string());
    return found;
  }

  void expect_the_store_of_one(const std::string& data) {
    encode(job(data, data + "_one"));
    const auto want = files(data + "_one");
    EXPECT_GT(want.size(), 5U);
    for (const int64_t count : {2, 3, 40}) {
      const auto out = fmt::format("{}_{}", data, count);
      for (int64_t index = count - 1; index >= 0; --index)
        encode_part(job(data, out), index, count);
      EXPECT_EQ(files(out) == want, true) << out;
    }
  }
};

TEST_F(EncodeParts, AreTheStoreOfOneProcess) {
  expect_the_store_of_one("d");
}

TEST_F(EncodeParts, AreTheStoreOfOneProcessWithManyShapes) {
  expect_the_store_of_one("many_shapes");
}

TEST_F(EncodeParts, FinishNamesWhatIsMissing) {
  encode_part(job("d", "store"), 1, 5);
  encode_part(job("d", "store"), 4, 5);
  EXPECT_THAT([&] { finish(job("d", "store")); },
              ThrowsMessage<ConfigError>(
                  HasSubstr("3 of 5 parts are missing; start them again: "
                            "--array=0,2-3")));
  for (const int64_t index : {0, 2, 3})
    encode_part(job("d", "store"), index, 5);
  encode(job("d", "one"));
  EXPECT_EQ(files("store") == files("one"), true);
  EXPECT_TRUE(finish(job("d", "store"))["already_complete"]);
}

TEST_F(EncodeParts, WhatAKillLeftIsDoneAgain) {
  encode_part(job("d", "store"), 0, 2);
  // A shard whose block's list was not written, and a list whose shard went.
  const auto parts = at("store") / "parts";
  write_file_atomic(parts / "block-0000004-0123456789abcdef-0.h5", "torn");
  for (const auto& file : fs::directory_iterator(parts))
    if (file.path().extension() == ".h5") {
      fs::remove(file.path());
      break;
    }
  encode_part(job("d", "store"), 1, 2);
  EXPECT_TRUE(fs::exists(parts));
  encode_part(job("d", "store"), 0, 2);
  encode(job("d", "one"));
  EXPECT_EQ(files("store") == files("one"), true);
}

TEST_F(EncodeParts, OneOfTheLastMakesTheStore) {
  encode_part(job("d", "store"), 0, 2);
  {
    const FolderLock other(at("store"));  // who makes it
    EXPECT_FALSE(encode_part(job("d", "store"), 1, 2).contains("missing"));
    EXPECT_THAT([&] { finish(job("d", "store")); },
                ThrowsMessage<ConfigError>(
                    HasSubstr("another process is writing here")));
  }
  finish(job("d", "store"));  // it was killed
  encode(job("d", "one"));
  EXPECT_EQ(files("store") == files("one"), true);
}

/// Where locks lock nothing, as on many file systems of clusters.
TEST_F(EncodeParts, NeedNoLocks) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "its library must be loaded first";
#endif
  const auto library = fs::path(std::getenv("CALOTYPE_BUILD_DIR")) /
                       "tests/tools/libno_locks.so";
  ASSERT_TRUE(fs::exists(library));
  save_images("sound", 26, {{16, 16}});
  const auto encode_by_program = [&](const std::string& out,
                                     const std::string& part) {
    const auto outcome = run_command(
        {"/usr/bin/env", "LD_PRELOAD=" + library.string(),
         std::getenv("CALOTYPE_PROGRAM"), "encode", at("codec").string(),
         "--data", at("sound").string(), "--size", "16", "--batch-size", "4",
         "--rows-per-shard", "4", "--threads", "1", "--out", at(out).string(),
         "--part", part});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
  };
  encode_by_program("one", "0/1");
  std::vector<std::thread> waiting;
  for (const auto* part : {"0/3", "0/3", "1/3", "1/3", "2/3", "2/3"})
    waiting.emplace_back([&, part] { encode_by_program("store", part); });
  for (auto& one : waiting) one.join();
  EXPECT_EQ(files("store") == files("one"), true);
}

TEST_F(EncodeParts, ADamagedBlockIsEncodedAgain) {
  encode_part(job("d", "store"), 0, 2);
  const auto parts = at("store") / "parts";
  for (const auto& file : fs::directory_iterator(parts))
    if (file.path().extension() == ".h5") {
      auto bytes = content(file.path().string());
      bytes[bytes.size() - 1] ^= 1;
      write_file_atomic(file.path(), bytes);
      break;
    }
  EXPECT_THAT([&] { encode_part(job("d", "store"), 1, 2); },
              ThrowsMessage<DataError>(HasSubstr(
                  "is damaged or gone; part 0 is to be encoded again")));
  encode_part(job("d", "store"), 0, 2);
  encode(job("d", "one"));
  EXPECT_EQ(files("store") == files("one"), true);
}

TEST_F(EncodeParts, RefuseOtherSettingsAndNumbers) {
  encode_part(job("d", "store"), 0, 2);
  EXPECT_THAT([&] { encode_part(job("d", "store"), 0, 3); },
              ThrowsMessage<ConfigError>(
                  HasSubstr("was begun in other parts (parts: 2 before, 3 "
                            "now)")));
  auto other = job("d", "store");
  other.dtype = "fp32";
  EXPECT_THAT([&] { encode_part(other, 1, 2); },
              ThrowsMessage<ConfigError>(HasSubstr("is another store")));
  EXPECT_THAT([&] { encode(job("d", "store")); },
              ThrowsMessage<ConfigError>(
                  HasSubstr("is written in 2 parts: --part I/2 does what is "
                            "missing")));
  encode(job("d", "one"));
  EXPECT_TRUE(encode_part(job("d", "one"), 0, 2)["already_complete"]);
  EXPECT_THAT([&] { finish(job("d", "none")); },
              ThrowsMessage<ConfigError>(HasSubstr("is not written in parts")));
}

TEST_F(EncodeParts, OfAnArrayThatBeganAtOne) {
  const auto of_array = [&](int64_t id, int64_t first, int64_t count) {
    auto part = job("d", "store");
    part.part = Part{.index = id - first,
                     .count = count,
                     .first = first,
                     .is_array = true,
                     .variables = fmt::format("SLURM_ARRAY_TASK_ID={}", id)};
    return encode(part);
  };
  of_array(1, 1, 3);
  EXPECT_THAT([&] { finish(job("d", "store")); },
              ThrowsMessage<ConfigError>(HasSubstr("--array=2-3")));
  of_array(2, 2, 2);  // started again, two of them
  of_array(3, 2, 2);
  EXPECT_FALSE(fs::exists(at("store") / "parts"));
  EXPECT_TRUE(finish(job("d", "store"))["already_complete"]);
}

}  // namespace
}  // namespace calotype
