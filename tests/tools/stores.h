#pragma once

#include <torch/utils.h>

#include <filesystem>
#include <map>
#include <string>

#include "core/files.h"
#include "nn/model_folder.h"
#include "tests/support/program.h"
#include "vae/autoencoder_kl.h"

// Stores that tests of the program make, break off and compare.
namespace calotype {

/// A codec with random weights and a step of 2 pixels.
inline void save_codec(const std::filesystem::path& folder, int64_t channels,
                       int64_t latent_channels = 4) {
  torch::manual_seed(1);
  AutoencoderKL model(AutoencoderKLConfig{
      .in_channels = channels,
      .out_channels = channels,
      .down_block_types = {"DownEncoderBlock2D", "DownEncoderBlock2D"},
      .up_block_types = {"UpDecoderBlock2D", "UpDecoderBlock2D"},
      .block_out_channels = {8, 8},
      .latent_channels = latent_channels,
      .norm_num_groups = 4});
  save_model_folder(folder, AutoencoderKLImpl::kClassName,
                    write_config(model->config()), weights_of(*model));
}

/// The contents by name, without sub-folders.
inline std::map<std::string, std::string> files_of(
    const std::filesystem::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    files[entry.path().filename().string()] = content(entry.path().string());
  return files;
}

/// The same store as a kill leaves it when `num_lines` shards were listed.
inline void break_off(const std::filesystem::path& store, size_t num_lines) {
  auto info = read_json_file(store / "store.json");
  info["complete"] = false;
  info["count"] = 0;
  for (const char* key : {"grid_shapes", "mean", "std"})
    info[key] = Json::array();
  info["preview"] = nullptr;
  write_file_atomic(store / "store.json", info.dump(2) + "\n");
  const auto lines = read_text_file(store / "shards.jsonl");
  size_t end = 0;
  while (num_lines-- > 0) end = lines.find('\n', end) + 1;
  write_file_atomic(store / "shards.jsonl", lines.substr(0, end));
}

}  // namespace calotype
