#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/codec_record.h"
#include "models/registry.h"

namespace calotype {

/// A model whose weights a training begins with.
struct InitialModel {
  std::string where;  // as messages name it
  const ModelClass* known = nullptr;
  AnyModel model;
  std::string sha256;  // of its file, or of the weights of its folder
  std::vector<std::string> class_names;  // of its labels, in order; or empty
  // What made the latents or tokens that it learnt; empty of a codec.
  CodecRecord codec;
  // Of a denoiser that was trained here, what it answers; or empty.
  std::string prediction_type;
  // "loss" and "diffusion" of the run that it is, where there are such.
  std::optional<Json> loss, diffusion;
  // SHA-256 of codecs whose latents are this one's too (models/codec.h).
  std::vector<std::string> latents_of;
};

/// `path`: a model folder, a run, a pipeline, whose codec or else denoiser is
/// meant, or a checkpoint file that convert_checkpoint takes. Throws
/// ConfigError and DataError as these.
InitialModel open_initial_model(const std::filesystem::path& path,
                                bool wants_codec);

}  // namespace calotype
