#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/config.h"
#include "core/error.h"
#include "diffusion/scheduler_config.h"
#include "models/checkpoint_kind.h"
#include "models/convert/project_config.h"
#include "nn/safetensors.h"

namespace calotype {

/// What a file does not say of itself, and what to take of it.
struct ConvertOptions {
  std::filesystem::path config;  // the project's; empty: what lies beside
  std::string kind = "auto";     // a name of models/checkpoint_kind.h
  // averaged over the training, plain (of its last step), or auto: as the
  // project takes them itself, averaged but for LlamaGen's
  std::string weights = "auto";
  std::optional<int64_t> heads;          // of attention
  std::optional<int64_t> head_channels;  // of each of them
  std::optional<double> scaling_factor;
  std::optional<int64_t> sample_size;  // edge of the images of a codec, or of
                                       // the latents of a denoiser
};

/// A model in the form of diffusers.
struct ConvertedModel {
  std::string class_name;
  Json config;  // its keys, without _class_name
  TensorFile weights;
};

/// What becomes of a checkpoint: one model, or the parts of a pipeline.
struct Conversion {
  CheckpointKind kind;
  std::string pipeline;  // its class; empty: one model, of an empty name
  Json pipeline_keys = Json::object();  // what its index says besides
  std::vector<std::pair<std::string, ConvertedModel>> models;
  std::optional<SchedulerConfig> scheduler;
  int64_t num_used = 0;                  // tensors
  std::map<std::string, int64_t> aside;  // by reason
  std::vector<std::string> left_over;    // names
};

/// What converters are told.
struct ConvertContext {
  std::string where;  // the file, which leads messages
  CheckpointKind kind;
  ProjectConfig project;
  ConvertOptions options;

  /// What leads messages about the project's configuration.
  std::string project_where() const {
    return project.is_there() ? project.path.string() : where;
  }
  bool wants_averages() const { return options.weights != "plain"; }
};

/// Erases keys that only classes of this program have where `source` lacks
/// them.
void leave_out_own_keys(Json& config, const Json& source);

/// What is sound and has no class here.
struct NoClassHere : ConfigError {
  using ConfigError::ConfigError;
};

/// Throws NoClassHere.
[[noreturn]] void refuse_variant(const ConvertContext& context,
                                 const std::string& what);

/// Throws ConfigError for --heads where nothing asks for them.
void expect_heads_wanted(const ConvertOptions& options,
                         const CheckpointKind& kind, const std::string& where);

/// Throws ConfigError unless a number of the project's configuration, if it is
/// given, is the file's.
void expect_agrees(const ConvertContext& context, const std::string& key,
                   const std::optional<int64_t>& configured, int64_t in_file);

}  // namespace calotype
