#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "core/files.h"
#include "images/image_io.h"
#include "tests/support/fixtures.h"
#include "tests/support/program.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Messages : public testing::Test {
 protected:
  /// Runs, expects the exit code and one line on stderr that holds `words`.
  void expect(const std::vector<std::string>& arguments, int code,
              const std::string& words) {
    const auto outcome = run_program(arguments);
    EXPECT_EQ(outcome.code, code) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(words));
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1)
        << outcome.err;
    EXPECT_EQ(outcome.out, "");
  }

  std::string path(const char* name) const { return (folder_ / name).string(); }

  TempFolder folder_;
  std::string codec_ = (fixtures_folder() / "autoencoder_kl").string();
};

TEST_F(Messages, WrongPaths) {
  expect(
      {"encode", path("none"), "--data", "synthetic:4:32", "--out", path("s")},
      2, "none: no such model folder");
  expect({"encode", codec_, "--data", path("none"), "--out", path("s")}, 2,
         "none");
  expect({"inspect", path("none")}, 2, "none: no such file");
  expect({"verify", folder_.path().string()}, 2, "not a latent store");
  make_folder(folder_ / "empty");
  expect({"encode", codec_, "--data", path("empty"), "--out", path("s")}, 2,
         "no images");
}

TEST_F(Messages, WrongOptions) {
  expect({"encode", codec_, "--data", "synthetic:4:32", "--out", path("s"),
          "--dtype", "int3"},
         2, "--dtype");
  expect({"paint"}, 2, "paint");
  expect({"generate", codec_, "--out", path("g")}, 2,
         "expected a denoiser (UNet2DModel, DiTTransformer2DModel");
}

TEST_F(Messages, AMisspeltKeyIsNamedWithTheRightOne) {
  write_file_atomic(
      folder_ / "c.json",
      std::string_view(R"({"model": {"_class_name": "AutoencoderKL"},
                                         "data": {"train": "synthetic:4:32"},
                                         "training": {"batch_sise": 3}})"));
  expect({"train", path("c.json"), "--out", path("r")}, 2,
         "c.json: training: unknown key \"batch_sise\"; did you mean "
         "\"batch_size\"?");
}

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

TEST_F(Messages, AConfigurationThatCannotBeRead) {
  write_file_atomic(folder_ / "c.json", std::string_view(kSmallTraining));
  const auto train = [&](const std::string& config,
                         const std::vector<std::string>& more = {}) {
    std::vector<std::string> command{"train", config, "--out", path("r"),
                                     "--dry-run"};
    command.insert(command.end(), more.begin(), more.end());
    return command;
  };
  expect(train(path("c.json"), {"--set", "seed.x=1"}), 2,
         "--set seed.x=1: seed is 0, which has no keys");
  expect(train(path("c.json"), {"--set", "seed"}), 2, "--set: expected");
  expect(train(path("c.json"), {"--set", "seed=1e999"}), 2,
         "c.json: seed: expected a whole number, got \"1e999\"");
  expect(train(folder_.path().string()), 2, "Is a directory");
  const auto expect_bad = [&](const std::string& text, const char* words) {
    write_file_atomic(folder_ / "bad.json", text);
    expect(train(path("bad.json")), 3, words);
  };
  expect_bad(R"({"seed": 1e999})", "bad.json: number out of range: '1e999'");
  write_file_atomic(folder_ / "m.json", std::string_view(R"({"model": 1})"));
  expect(train(path("m.json")), 2,
         "m.json: model: expected {\"_class_name\": ..., ...}, got 1");
  expect_bad("", "bad.json: expected JSON, got an empty file");
  expect_bad("{\n  \"seed\": 1,\n}", "bad.json: not JSON at line 3, column 1");
  expect_bad("{\"a\xff\": 1}", "bad.json: not JSON at line 1, column 4");
  expect_bad(std::string(100'000, '['), "nested more than 256 levels deep");
}

TEST_F(Messages, AStoreAndAModelInEachOthersPlace) {
  ASSERT_EQ(run_program({"encode", codec_, "--data", "synthetic:4:32", "--out",
                         path("s"), "--quiet"})
                .code,
            0);
  expect({"decode", path("s"), codec_, "--out", path("o")}, 2,
         "s: not a model folder, it is a latent store, and a model is named "
         "first");
  expect({"decode", codec_, codec_, "--out", path("o")}, 2,
         "(store.json is missing), it is a model folder");
  expect({"decode", path("s/store.json"), path("s"), "--out", path("o")}, 2,
         "store.json: is a file, expected a model folder");
}

TEST_F(Messages, BytesThatAreNotUtf8) {
  const auto outcome =
      run_program({"encode", codec_, "--data", "synthetic:4:32", "--out",
                   path("caf\xe9"), "--quiet", "--json"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.json().dump(), HasSubstr("caf\xef\xbf\xbd"));
  expect({"encode", path("caf\xe9\nx"), "--data", "synthetic:4:32", "--out",
          path("s")},
         2, "caf\\xE9\\x0Ax: no such model folder");
}

TEST_F(Messages, ADeviceThatIsNotThere) {
  expect({"inspect", codec_, "--device", "cudafoo"}, 2,
         "--device: expected auto, cpu, cuda or cuda:N, got cudafoo");
  expect({"inspect", codec_, "--device", "cuda:99"}, 2,
         "--device: cuda:99 is not available; this machine has cpu");
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

TEST_F(Messages, ATruncatedImageIsSkippedListedAndInTheExitCode) {
  make_folder(folder_ / "images");
  const Image image{32, 32, 3, std::vector<uint8_t>(32 * 32 * 3, 9)};
  const auto png = encode_png(image);
  write_file_atomic(folder_ / "images" / "good.png", png);
  write_file_atomic(folder_ / "images" / "half.png",
                    std::span(png.data(), png.size() / 2));
  const std::vector<std::string> command{"encode",       codec_,   "--data",
                                         path("images"), "--out",  path("s"),
                                         "--json",       "--quiet"};
  const auto outcome = run_program(command);
  EXPECT_EQ(outcome.code, 3);
  EXPECT_EQ(outcome.json()["images"], 1);
  EXPECT_EQ(outcome.json()["skipped"][0]["name"], "half.png");
  EXPECT_THAT(outcome.err, HasSubstr("truncated"));
  auto strict = command;
  strict[5] = path("t");
  strict.push_back("--strict");
  expect(strict, 3, "half.png");
}

TEST_F(Messages, AStoreOfAnotherModelIsNotDecoded) {
  const auto other = (fixtures_folder() / "autoencoder_kl_16ch").string();
  ASSERT_EQ(run_program({"encode", codec_, "--data", "synthetic:4:32", "--out",
                         path("s"), "--quiet"})
                .code,
            0);
  expect({"decode", other, path("s"), "--out", path("o")}, 2,
         "its latents are of codec");
  expect({"encode", other, "--data", "synthetic:4:32", "--out", path("s"),
          "--quiet"},
         2, path("s"));
}

TEST_F(Messages, AMissingDataSetSaysHowToGetIt) {
  ::setenv("CALOTYPE_DATASETS", path("nowhere").c_str(), 1);
  const auto outcome = run_program(
      {"encode", codec_, "--data", "mnist-of-mars:train", "--out", path("s")});
  EXPECT_EQ(outcome.code, 2);
  ::unsetenv("CALOTYPE_DATASETS");
}

TEST_F(Messages, ADamagedStoreIsReportedNotRead) {
  ASSERT_EQ(run_program({"encode", codec_, "--data", "synthetic:4:32", "--out",
                         path("s"), "--quiet"})
                .code,
            0);
  auto bytes = read_file(folder_ / "s" / "shard-00000.h5");
  bytes[bytes.size() / 2] ^= 0x40;
  write_file_atomic(folder_ / "s" / "shard-00000.h5", bytes);
  const auto outcome = run_program({"verify", path("s"), "--json"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_FALSE(outcome.json()["sound"].get<bool>());
}

TEST_F(Messages, EveryCommandHasHelp) {
  for (const char* name :
       {"train", "average", "encode", "decode", "generate", "reconstruct",
        "evaluate", "inspect", "verify", "demo"}) {
    const auto outcome = run_program({name, "--help"});
    EXPECT_EQ(outcome.code, 0);
    EXPECT_THAT(outcome.out, HasSubstr("--threads")) << name;
  }
  EXPECT_THAT(run_program({"--version"}).out, HasSubstr("LibTorch"));
}

}  // namespace
}  // namespace calotype
