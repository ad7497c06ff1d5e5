#include <gtest/gtest.h>
#include <torch/types.h>

#include "core/files.h"
#include "core/progress.h"
#include "core/runtime.h"
#include "tests/support/program.h"
#include "tests/support/temp_folder.h"
#include "tools/train.h"
#include "training/checkpoint.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfig = R"({
  "model": {"_class_name": "AutoencoderKL", "in_channels": 1, "out_channels": 1,
            "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D"],
            "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D"],
            "block_out_channels": [8, 8], "norm_num_groups": 4},
  "data": {"train": "synthetic:64:16:1", "validation": "synthetic:8:16:1"},
  "training": {"steps": 60, "batch_size": 8, "log_every": 5, "validate_every": 20,
               "validation_batches": 1, "sample_every": 30, "checkpoint_every": 10,
               "ema_lengths": [0.05, 0.1], "ema_snapshot_every": 5}
})";

class Kill : public testing::Test {
 protected:
  void SetUp() override {
    write_file_atomic(config_, std::string_view(kConfig));
  }

  Outcome train(const char* run, const RunOptions& options = {}) {
    return run_program({"train", config_.string(), "--out",
                        (folder_ / run).string(), "--threads", "1", "--quiet"},
                       options);
  }

  Outcome encode(const char* store, const RunOptions& options = {}) {
    return run_program(
        {"encode", (folder_ / "codec").string(), "--data", "synthetic:400:16:1",
         "--out", (folder_ / store).string(), "--batch-size", "20",
         "--rows-per-shard", "40", "--threads", "1", "--quiet"},
        options);
  }

  /// Every file of a folder by name, so that two can be compared.
  std::map<std::string, std::string> files_of(const fs::path& folder) {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::directory_iterator(folder_ / folder))
      if (entry.path().filename() != ".lock")
        files[entry.path().filename().string()] =
            content(entry.path().string());
    return files;
  }

  TempFolder folder_;
  fs::path config_ = folder_ / "config.json";
};

// The moments are spread over the time that the work itself takes, so that some
// fall into the start, some between and some into the writing of files.
TEST_F(Kill, TrainingKilledAtAnyMomentEndsWithTheSameWeights) {
  const double begin = monotonic_s();
  ASSERT_EQ(train("whole").code, 0);
  const double whole_s = monotonic_s() - begin;
  int num_killed = 0;
  for (int i = 1; i <= 6; ++i)
    num_killed +=
        train("killed", {.kill_after_s = whole_s * (0.3 + 0.1 * i)}).code ==
        128 + 9;
  ASSERT_EQ(train("killed").code, 0);
  EXPECT_GT(num_killed, 0);
  const auto a =
      read_checkpoint(folder_ / "whole" / "state" / "state.safetensors");
  const auto b =
      read_checkpoint(folder_ / "killed" / "state" / "state.safetensors");
  EXPECT_EQ(b.step, 60);
  for (const auto& [name, tensor] : a.tensors)
    EXPECT_TRUE(torch::equal(tensor, b.tensors.at(name))) << name;
  EXPECT_EQ(files_of("whole/ema").size(), 2u * 12);
  EXPECT_EQ(files_of("whole/ema"), files_of("killed/ema"));
  EXPECT_EQ(
      content(
          (folder_ / "whole" / "diffusion_pytorch_model.safetensors").string()),
      content((folder_ / "killed" / "diffusion_pytorch_model.safetensors")
                  .string()));
}

TEST_F(Kill, EncodingKilledAtAnyMomentEndsWithTheSameStore) {
  ASSERT_EQ(train("codec").code, 0);
  const double begin = monotonic_s();
  ASSERT_EQ(encode("whole").code, 0);
  const double whole_s = monotonic_s() - begin;
  int num_killed = 0;
  for (int i = 1; i <= 6; ++i)
    num_killed +=
        encode("killed", {.kill_after_s = whole_s * (0.4 + 0.09 * i)}).code ==
        128 + 9;
  ASSERT_EQ(encode("killed").code, 0);
  EXPECT_EQ(encode("killed").code, 0);  // nothing left to do
  EXPECT_GT(num_killed, 0);
  EXPECT_EQ(files_of("whole"), files_of("killed"));
}

TEST_F(Kill, ASignalIsObeyedWithTheStateSaved) {
  ASSERT_EQ(train("timing").code, 0);
  auto config = content(config_.string());
  config.replace(config.find("\"steps\": 60"), 11, "\"steps\": 60000");
  write_file_atomic(config_, std::string_view(config));
  const auto stopped = train("run", {.kill_after_s = 3, .signal = SIGTERM});
  EXPECT_EQ(stopped.code, 143);
  EXPECT_EQ(stopped.err,
            "calotype: stopped; trainings, encodes and demos are saved, and go "
            "on from there if the same command is given again\n");
  EXPECT_GT(
      read_checkpoint(folder_ / "run" / "state" / "state.safetensors").step, 0);
}

// Drawing takes minutes, and would leave a file if it went on to its end.
TEST_F(Kill, ASignalIsObeyedInTheMiddleOfAPreview) {
  ASSERT_EQ(train("codec").code, 0);
  ASSERT_EQ(encode("store").code, 0);
  auto config = Json::parse(R"({
      "model": {"_class_name": "UNet2DModel", "block_out_channels": [8, 8],
                "down_block_types": ["DownBlock2D", "DownBlock2D"],
                "up_block_types": ["UpBlock2D", "UpBlock2D"],
                "layers_per_block": 1, "norm_num_groups": 4},
      "diffusion": {"preview": {"count": 1024, "num_steps": 1000}},
      "training": {"steps": 3, "batch_size": 8, "sample_every": 1,
                   "checkpoint_every": 100}
    })");
  config["data"] = {{"train", (folder_ / "store").string()}};
  write_file_atomic(config_, std::string_view(config.dump()));
  const auto stopped = train("run", {.kill_after_s = 5, .signal = SIGTERM});
  EXPECT_EQ(stopped.code, 143) << stopped.err;
  EXPECT_EQ(
      read_checkpoint(folder_ / "run" / "state" / "state.safetensors").step, 1);
  EXPECT_TRUE(fs::is_empty(folder_ / "run" / "samples"));
}

TEST_F(Kill, AFullDiskLosesNothingThatIsFinished) {
  ASSERT_EQ(train("codec").code, 0);
  const auto full = encode("store", {.max_file_bytes = 4096});
  EXPECT_EQ(full.code, 2);
  EXPECT_NE(full.err.find("shard-00000.h5: cannot write: File too large"),
            std::string::npos)
      << full.err;
  EXPECT_EQ(encode("store").code, 0);
  ASSERT_EQ(encode("whole").code, 0);
  EXPECT_EQ(files_of("store"), files_of("whole"));
}

}  // namespace
}  // namespace calotype
