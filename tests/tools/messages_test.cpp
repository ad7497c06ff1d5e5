#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/files.h"
#include "datasets/image_io.h"
#include "tests/support/fixtures.h"
#include "tests/support/temp_folder.h"
#include "tests/tools/program.h"

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
