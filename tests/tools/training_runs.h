#pragma once

#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/files.h"
#include "core/progress.h"
#include "images/image_io.h"
#include "tests/support/program.h"
#include "tests/support/temp_folder.h"
#include "tools/train.h"

namespace calotype {

/// Small trainings on images that are made here.
class TrainingRuns : public testing::Test {
 protected:
  void SetUp() override { set_quiet(true); }

  /// A grey image with a slope that `seed` decides.
  static void save_image(const std::filesystem::path& file, int64_t height,
                         int64_t width, int64_t seed) {
    Image image{height, width, 1, std::vector<uint8_t>(size_t(height * width))};
    for (int64_t y = 0; y < height; ++y)
      for (int64_t x = 0; x < width; ++x)
        image.pixels[size_t(y * width + x)] = uint8_t(
            (y * (seed % 13 + 3) + x * (seed % 7 + 2) + seed * 31) % 256);
    make_folder(file.parent_path());
    write_file_atomic(file, encode_png(image));
  }

  /// `count` images of the sizes [H,W] in turn.
  void save_images(const std::string& folder, int64_t count,
                   const std::vector<std::array<int64_t, 2>>& sizes,
                   int64_t first_seed = 0) {
    for (int64_t i = 0; i < count; ++i) {
      const auto& [height, width] = sizes[size_t(i) % sizes.size()];
      save_image(at(folder) / fmt::format("{:03}.png", i), height, width,
                 first_seed + i);
    }
  }

  std::filesystem::path at(const std::string& name) const {
    return folder_ / name;
  }

  /// A configuration of `model`, which learns from `data`.
  Json config(const Json& model, const std::string& data) const {
    return {{"model", model},
            {"data", {{"train", at(data).string()}}},
            {"training",
             {{"steps", 4},
              {"batch_size", 4},
              {"log_every", 1},
              {"checkpoint_every", 100}}}};
  }

  static Json vae() {
    return {{"_class_name", "AutoencoderKL"},
            {"in_channels", 1},
            {"out_channels", 1},
            {"down_block_types", {"DownEncoderBlock2D", "DownEncoderBlock2D"}},
            {"up_block_types", {"UpDecoderBlock2D", "UpDecoderBlock2D"}},
            {"block_out_channels", {8, 8}},
            {"mid_block_add_attention", false},
            {"norm_num_groups", 4}};
  }

  static Json vqvae2() {
    return {{"_class_name", "CalotypeVQVAE2"},
            {"in_channels", 1},
            {"out_channels", 1},
            {"block_out_channels", {8, 8}},
            {"norm_num_groups", 4},
            {"latent_channels", 4},
            {"num_vq_embeddings", 16}};
  }

  static Json magvit2() {
    return {{"_class_name", "CalotypeMAGVIT2"},
            {"in_channels", 1},
            {"out_channels", 1},
            {"block_out_channels", {8, 8}},
            {"layers_per_block", 1},
            {"norm_num_groups", 4},
            {"latent_channels", 4}};
  }

  static Json unet() {
    return {{"_class_name", "UNet2DModel"},
            {"block_out_channels", {8}},
            {"down_block_types", {"DownBlock2D"}},
            {"up_block_types", {"UpBlock2D"}},
            {"layers_per_block", 1},
            {"norm_num_groups", 4}};
  }

  Json run(const Json& json, const std::string& out, int64_t stop_after = 0,
           bool fresh = false) const {
    TrainJob job{.out = at(out), .fresh = fresh, .stop_after = stop_after};
    read_config(json, job.config, "test");
    return train(job);
  }

  /// The bytes of a run's model.
  std::string weights(const std::string& run) const {
    return content((at(run) / "diffusion_pytorch_model.safetensors").string());
  }

  TempFolder folder_;
};

}  // namespace calotype
