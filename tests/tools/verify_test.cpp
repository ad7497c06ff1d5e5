#include "tools/verify.h"

#include <gmock/gmock.h>
#include <signal.h>

#include "core/files.h"
#include "core/progress.h"
#include "store/latent_store.h"
#include "tests/support/program.h"
#include "tests/support/temp_folder.h"
#include "tests/tools/stores.h"
#include "tools/encode.h"
#include "tools/verify_report.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Verify : public testing::Test {
 protected:
  void SetUp() override {
    set_quiet(true);
    encode({.codec = "pixels:1",
            .data = "synthetic:6:8:1",
            .out = store_,
            .batch_size = 2,
            .rows_per_shard = 2});
  }

  Outcome verified() {
    return run_program({"verify", store_.string(), "--json", "--quiet"});
  }

  TempFolder folder_;
  fs::path store_ = folder_ / "store";
};

TEST_F(Verify, TellsThatAStoreIsSoundAndComplete) {
  const auto outcome = verified();
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.json(), (Json{{"store", store_.string()},
                                  {"shards", 3},
                                  {"rows", 6},
                                  {"complete", true},
                                  {"sound", true},
                                  {"problems", Json::array()},
                                  {"notes", Json::array()}}));
}

TEST_F(Verify, TellsOfFilesThatAreNoneOfTheStores) {
  write_file_atomic(store_ / "shard-00007.h5", "a stranger");
  const auto outcome = verified();
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.json()["notes"],
            (Json{(store_ / "shard-00007.h5").string() +
                  ": is no part of the store"}));
  EXPECT_THAT(run_program({"verify", store_.string()}).out,
              HasSubstr("is no part of the store"));
}

TEST_F(Verify, TellsThatAStoreIsNotComplete) {
  break_off(store_, 3);
  const auto outcome = verified();
  EXPECT_EQ(outcome.code, 3);
  EXPECT_EQ(outcome.json()["complete"], false);
  EXPECT_EQ(outcome.json()["sound"], true);
  EXPECT_THAT(
      outcome.json()["notes"][0].get<std::string>(),
      HasSubstr("not complete: 6 rows so far; the same encode goes on"));
}

TEST_F(Verify, TellsOfImagesThatAreNotStored) {
  make_folder(folder_ / "images");
  write_file_atomic(folder_ / "images/bad.png", "no image");
  const auto file = (folder_ / "images/1.pgm").string();
  write_file_atomic(file, std::string_view("P5\n2 2\n255\nabcd"));
  encode({.codec = "pixels:1",
          .data = (folder_ / "images").string(),
          .out = folder_ / "one"});
  EXPECT_THAT(verify(folder_ / "one")["notes"][0].get<std::string>(),
              HasSubstr("1 of the source's 2 images are not stored"));
}

TEST_F(Verify, ItsLimitsGrowWithTheStoreAndAreNamedWhereTheyEndIt) {
  const auto small = verify_limits(store_);
  EXPECT_GT(small.memory_bytes, uint64_t{16} << 30);
  EXPECT_EQ(small.cpu_s, 3600u);
  write_file_atomic(store_ / "large", "");
  fs::resize_file(store_ / "large", uintmax_t{1} << 33);  // sparse
  const auto large = verify_limits(store_);
  EXPECT_GT(large.memory_bytes, small.memory_bytes + (uint64_t{1} << 34));
  EXPECT_GT(large.cpu_s, 2 * small.cpu_s);

  const auto said = [&](int status) {
    const auto report = verify_failure(status, {uint64_t{1} << 34, 3600});
    EXPECT_EQ(report["sound"], false);
    return report["problems"][0].get<std::string>();
  };
  EXPECT_EQ(said(SIGXCPU),
            "checking it was stopped by its own limit of 1h00m of CPU time: "
            "nothing is known of the rest");
  EXPECT_EQ(said(kVerifyOutOfMemory << 8),
            "checking it was stopped by its own limit of 16.0 GiB of memory: "
            "nothing is known of the rest");
  EXPECT_EQ(said(SIGSEGV),
            "checking it ended with signal 11: the store is damaged");
}

}  // namespace
}  // namespace calotype
