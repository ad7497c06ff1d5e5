#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>

#include "training/batch_source.h"

namespace calotype {

/// Everything that the next step depends on. All random draws are functions of
/// seed, sample and step, so that there is no generator to save.
struct Checkpoint {
  int64_t step = 0;  // finished optimizer steps
  double elapsed_s = 0;
  DataPosition position;
  std::map<std::string, at::Tensor> tensors;
};

/// One safetensors file, written atomically.
void write_checkpoint(const std::filesystem::path& path,
                      const Checkpoint& checkpoint);

/// Throws DataError if it is damaged.
Checkpoint read_checkpoint(const std::filesystem::path& path);

}  // namespace calotype
