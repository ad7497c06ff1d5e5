#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "nn/safetensors.h"

// Under which names the weights of a model folder lie.
namespace calotype {

/// What save_model_folder writes.
inline constexpr const char* kWeightsName =
    "diffusion_pytorch_model.safetensors";

/// One safetensors file, or several and the index that names them.
struct WeightFiles {
  std::filesystem::path path;                 // the file, or the index
  std::vector<std::filesystem::path> shards;  // of an index; else empty
};

/// Finds them: diffusion_pytorch_model.safetensors, else its index
/// (.safetensors.index.json), else a variant of either, such as
/// diffusion_pytorch_model.fp16.safetensors, fp16 and bf16 ahead of others. A
/// note says which it is where there are several. Throws ConfigError if there
/// are none, DataError for an index that names files which are not there or lie
/// elsewhere.
WeightFiles find_weights(const std::filesystem::path& folder);

/// All tensors of all files. Throws DataError for a damaged file, a tensor that
/// stands in two of them, or one that the index names and its file lacks.
TensorFile read_weights(const WeightFiles& files);

/// SHA-256 of the file; of several that of a text with a line
/// "name sha256" for each.
std::string sha256_of_weights(const WeightFiles& files);

}  // namespace calotype
