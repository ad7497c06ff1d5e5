#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/config.h"
#include "nn/stored_tensor.h"

namespace calotype {

/// Tensors by name: what PyTorch calls a module's state dict.
struct StateDict {
  /// The key under which it lies in the file: "state_dict", "ema", "model"; ""
  /// where the file is nothing else.
  std::string wrapper;
  std::map<std::string, StoredTensor> tensors;  // names without the wrapper's
};

/// A tensor that is in the file and that nothing here can hold.
struct LeftOutTensor {
  std::string name;  // from the top of the file, joined by dots
  std::string why;   // "complex numbers", "quantized numbers", ...
};

/// What a file with weights holds; the numbers stay in its bytes.
struct CheckpointContent {
  std::string format;  // "safetensors", "pickle in a zip", "legacy pickle"
  std::map<std::string, StoredTensor> tensors;  // all, names from the top
  std::vector<StateDict> state_dicts;           // the one to be preferred first
  Json beside;                                  // what is no tensor
  std::vector<LeftOutTensor> left_out;
  /// A zip of a PyTorch that was told to write no checksums.
  bool lacks_checksums = false;
};

}  // namespace calotype
