#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "nn/safetensors.h"

// Under which names the weights of a model folder lie.
namespace calotype {

/// What save_model_folder writes.
inline constexpr const char* kWeightsName =
    "diffusion_pytorch_model.safetensors";

/// One file of safetensors or a pickle, or several and the index that names
/// them.
struct WeightFiles {
  std::filesystem::path path;                 // the file, or the index
  std::vector<std::filesystem::path> shards;  // of an index; else empty
};

/// Finds them: diffusion_pytorch_model.safetensors, else its index
/// (.safetensors.index.json), else a variant of either, such as
/// diffusion_pytorch_model.fp16.safetensors, fp16 and bf16 ahead of others;
/// else the same names with .bin, pickles, which are read without being run. A
/// note says which it is where there are several. Throws ConfigError if there
/// are none, DataError for an index that names files which are not there or lie
/// elsewhere.
WeightFiles find_weights(const std::filesystem::path& folder);

/// Those that an index names, whatever it is called. Throws DataError as
/// find_weights does.
WeightFiles weights_of_index(const std::filesystem::path& index);

/// Which tensor is in which shard, as its index has it and as it is.
class ShardNames {
 public:
  explicit ShardNames(const WeightFiles& files);

  /// Returns whether the index names the tensor. Throws DataError for one that
  /// another shard has too.
  bool add(const std::string& tensor, const std::filesystem::path& shard);

  /// Once all are added: throws DataError for one that the index names and its
  /// shard lacks. A note names one that the index does not.
  void check() const;

 private:
  std::filesystem::path index_;
  std::map<std::string, std::string> expected_, found_;
};

/// All tensors of all files. Throws DataError for a damaged file, a tensor that
/// stands in two of them, or one that the index names and its file lacks.
TensorFile read_weights(const WeightFiles& files);

/// SHA-256 of the file; of several that of a text with a line
/// "name sha256" for each.
std::string sha256_of_weights(const WeightFiles& files);

}  // namespace calotype
