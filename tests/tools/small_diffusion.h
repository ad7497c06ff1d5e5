#pragma once

#include <gtest/gtest.h>

#include <filesystem>

#include "core/progress.h"
#include "tests/support/fixtures.h"
#include "tests/support/temp_folder.h"
#include "tools/encode.h"
#include "tools/train.h"

namespace calotype {

/// Runs of a small diffusion model of drawn images.
class SmallDiffusion : public testing::Test {
 protected:
  void SetUp() override {
    set_quiet(true);
    EncodeJob job;
    job.codec = fixtures_folder() / "autoencoder_kl_grey";
    job.data = "synthetic:32:16:1:1";
    job.out = folder_ / "store";
    encode(job);
  }

  /// `training`: keys over those of a run of 16 steps.
  void train_run(const Json& training, int64_t stop_after = 0) {
    auto json = Json::parse(R"({
        "model": {"_class_name": "UNet2DModel", "block_out_channels": [8, 8],
                  "down_block_types": ["DownBlock2D", "DownBlock2D"],
                  "up_block_types": ["UpBlock2D", "UpBlock2D"],
                  "layers_per_block": 1, "norm_num_groups": 4},
        "diffusion": {"preview": {"count": 2, "num_steps": 1}},
        "training": {"steps": 16, "batch_size": 8, "checkpoint_every": 16}
      })");
    const auto store = (folder_ / "store").string();
    json["data"] = {{"train", store}, {"validation", store}};
    if (!training.is_null()) json["training"].update(training);
    TrainJob job;
    job.out = run_;
    job.stop_after = stop_after;
    read_config(json, job.config, "test");
    train(job);
  }

  TempFolder folder_;
  std::filesystem::path run_ = folder_ / "run";
};

}  // namespace calotype
