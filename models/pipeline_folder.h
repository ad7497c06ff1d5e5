#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/config.h"

namespace calotype {

/// A pipeline as diffusers lays it out: model_index.json names its parts, each
/// of which is a folder.
struct PipelineFolder {
  std::filesystem::path path;
  std::string class_name;           // LDMPipeline or DiTPipeline
  std::filesystem::path denoiser;   // model folder: unet or transformer
  std::filesystem::path codec;      // model folder: vqvae or vae
  std::filesystem::path scheduler;  // scheduler_config.json
  std::map<int64_t, std::string> class_names;  // id2label

  /// Whether classes guide as in DiTPipeline.
  bool is_dit() const { return class_name == "DiTPipeline"; }
};

/// Whether `path` is a pipeline and no model itself; our runs may be both, and
/// are then read as what they are.
bool is_pipeline_folder(const std::filesystem::path& path);

/// Throws ConfigError for a pipeline or a part that has no class here, naming
/// it, or a part that is not there; DataError if model_index.json is damaged.
PipelineFolder open_pipeline_folder(const std::filesystem::path& path);

/// Writes model_index.json: `keys` besides its class, then its parts, name and
/// class of diffusers. It is what makes a folder a pipeline, and so the last to
/// be written.
void write_pipeline_index(
    const std::filesystem::path& path, const std::string& class_name,
    const Json& keys,
    const std::vector<std::pair<std::string, std::string>>& parts);

/// `path`, or the codec of the pipeline that lies there, of whatever class.
/// Throws ConfigError for a pipeline without one.
std::filesystem::path codec_folder(const std::filesystem::path& path);

/// `path`, or the denoiser of the pipeline that lies there. Throws as
/// open_pipeline_folder.
std::filesystem::path denoiser_folder(const std::filesystem::path& path);

}  // namespace calotype
