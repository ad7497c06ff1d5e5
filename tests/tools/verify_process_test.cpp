#include "tools/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "core/random.h"
#include "store/latent_store.h"
#include "tests/support/program.h"
#include "tests/support/temp_folder.h"
#include "tests/support/threads.h"

namespace calotype {
namespace {

using testing::HasSubstr;

class VerifyProcess : public testing::Test {
 protected:
  void SetUp() override {
    StoreInfo info;
    info.dtype = "fp32";
    info.kind = "latents";
    StoreWriter writer(store(), info, 100);
    StoreRows rows;
    rows.indices = at::arange(100, at::kLong);
    rows.labels = at::zeros({100}, at::kLong);
    rows.grid.mean =
        normal_rows({4, 32, 32}, rows.indices, 0, Stream::kSynthetic);
    rows.names.assign(100, "x");
    rows.sizes.assign(100, {32, 32});
    rows.hashes.assign(100, 0);
    writer.append(rows);
    writer.finish();
  }

  std::filesystem::path store() const { return folder_ / "store"; }

  TempFolder folder_;
};

// A copy of this process would wait for threads that did not come along.
TEST_F(VerifyProcess, AnswersAfterOtherThreadsHaveRun) {
  const ThreadsFor three(3);
  parallel_for(0, 100, 1, [](int64_t, int64_t) {});
  const auto program = std::getenv("CALOTYPE_PROGRAM");
  for (const auto& report : {verify(store()), verify_apart(store(), program)}) {
    EXPECT_EQ(report["sound"], true) << report;
    EXPECT_EQ(report["rows"], 100);
    EXPECT_EQ(report["store"], store().string());
  }
}

TEST_F(VerifyProcess, TellsThatItsProcessDied) {
  const auto report = verify_apart(store(), "/bin/false");
  EXPECT_EQ(report["sound"], false);
  EXPECT_THAT(report["problems"][0].get<std::string>(),
              HasSubstr("ended with an error"));
}

TEST_F(VerifyProcess, IsOneCommandWithAnAnswerAndAnExitCode) {
  const auto sound = run_program({"verify", store().string(), "--json"});
  EXPECT_EQ(sound.code, 0) << sound.err;
  EXPECT_THAT(sound.out, HasSubstr("\"sound\": true"));
  std::ofstream(store() / "shard-00000.h5", std::ios::app) << "x";
  const auto damaged = run_program({"verify", store().string(), "--json"});
  EXPECT_EQ(damaged.code, 3);
  EXPECT_THAT(damaged.out, HasSubstr("\"sound\": false"));
}

}  // namespace
}  // namespace calotype
