#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "tests/support/fixtures.h"
#include "tests/support/program.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

// What tests/commands cannot show: pipes, bytes that are no text, a full
// device.
class Messages : public testing::Test {
 protected:
  std::string path(const char* name) const { return (folder_ / name).string(); }

  TempFolder folder_;
  std::string codec_ = (fixtures_folder() / "autoencoder_kl").string();
};

constexpr const char* kSmallTraining = R"({
    "model": {"_class_name": "AutoencoderKL", "block_out_channels": [8],
              "norm_num_groups": 4},
    "data": {"train": "synthetic:4:8", "preprocessing": {"size": 8}},
    "training": {"steps": 1, "batch_size": 2}, "seed": 0})";

TEST_F(Messages, AConfigurationMayComeThroughAPipe) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  std::thread writer(
      [&] { std::ofstream(path("pipe")) << kSmallTraining << std::flush; });
  const auto outcome = run_program({"train", path("pipe"), "--out", path("r"),
                                    "--set", "seed=5", "--dry-run", "--json"});
  writer.join();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.json()["config"]["seed"], 5);
}

TEST_F(Messages, BytesThatAreNotUtf8) {
  const auto outcome =
      run_program({"encode", codec_, "--data", "synthetic:4:32", "--out",
                   path("caf\xe9"), "--quiet", "--json"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.json().dump(), HasSubstr("caf\xef\xbf\xbd"));
  const auto refused = run_program({"encode", path("caf\xe9\nx"), "--data",
                                    "synthetic:4:32", "--out", path("s")});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, EndsWith("caf\\xE9\\x0Ax: no such model folder\n"));
}

TEST_F(Messages, AResultThatCannotBePrinted) {
  const std::string inspect =
      fmt::format("'{}' inspect '{}' 2> '{}'", std::getenv("CALOTYPE_PROGRAM"),
                  codec_, path("err"));
  const auto code_of = [&](const std::string& shell) {
    return WEXITSTATUS(std::system(shell.c_str()));
  };
  EXPECT_EQ(code_of(inspect + " > /dev/full"), 1);
  EXPECT_EQ(content(path("err")),
            "calotype: the result could not be printed: No space left on "
            "device\n");
  // A reader that has gone, as head does: the end that others have, in silence.
  EXPECT_EQ(code_of("bash -c \"set -o pipefail; " + inspect +
                    " | true; exit \\${PIPESTATUS[0]}\""),
            128 + SIGPIPE);
  EXPECT_EQ(content(path("err")), "");
}

}  // namespace
}  // namespace calotype
