#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "core/error.h"
#include "core/files.h"
#include "core/progress.h"
#include "images/image_io.h"
#include "nn/model_folder.h"
#include "tests/support/temp_folder.h"
#include "tests/tools/stores.h"
#include "tools/encode.h"
#include "tools/generate.h"
#include "tools/train.h"
#include "vae/autoencoder_kl.h"

// Small models that draw.
namespace calotype {

namespace fs = std::filesystem;

/// A codec of grey 16-pixel images and diffusion models of its 8x8 latents,
/// trained for two steps.
class Generate : public testing::Test {
 protected:
  void SetUp() override {
    set_quiet(true);
    save_codec(codec_, 1);
    EncodeJob encoding;
    encoding.codec = codec_;
    encoding.data = data_;
    encoding.out = folder_ / "store";
    encode(encoding);
    train_model(model_, "DDIMScheduler");
  }

  void train_model(const fs::path& out, const char* scheduler,
                   int64_t channels = 8) {
    auto json = Json::parse(R"({
        "model": {"_class_name": "UNet2DModel",
                  "block_out_channels": [8, 8], "layers_per_block": 1,
                  "down_block_types": ["DownBlock2D", "DownBlock2D"],
                  "up_block_types": ["UpBlock2D", "UpBlock2D"],
                  "norm_num_groups": 4, "num_class_embeds": 9},
        "diffusion": {"scheduler": {}},
        "training": {"steps": 2, "batch_size": 4}
      })");
    json["model"]["block_out_channels"] = {channels, channels};
    json["diffusion"]["scheduler"]["_class_name"] = scheduler;
    json["data"]["train"] = (folder_ / "store").string();
    TrainJob job{.out = out};
    read_config(json, job.config, "test");
    train(job);
  }

  GenerateJob job() const {
    return {.model = model_, .out = out_, .count = 4, .steps = 3};
  }

  template <class Change>
  std::string refusal(Change change) {
    auto changed = job();
    change(changed);
    try {
      generate(changed);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "nothing thrown";
  }

  /// A grey picture, `left` on its left half and `right` on the other.
  fs::path picture(const char* name, uint8_t left, uint8_t right,
                   int64_t edge = 16) {
    Image image{edge, edge, 1, {}};
    for (int64_t i = 0; i < edge * edge; ++i)
      image.pixels.push_back(i % edge < edge / 2 ? left : right);
    const auto path = folder_ / name;
    write_file_atomic(path, encode_png(image));
    return path;
  }

  TempFolder folder_;
  fs::path codec_ = folder_ / "codec", model_ = folder_ / "model",
           out_ = folder_ / "drawn";
  const std::string data_ = "synthetic:16:16:1:2";
};

}  // namespace calotype
