#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>

#include "core/config.h"
#include "training/batch_source.h"

namespace calotype {

/// Everything that the next step depends on. All random draws are functions of
/// seed, sample and step, so that there is no generator to save.
struct RunCheckpoint {
  int64_t step = 0;  // finished optimizer steps
  double elapsed_s = 0;
  DataPosition position;
  std::map<std::string, at::Tensor> tensors;

  /// Of metrics.jsonl, where the run was stopped in the middle of the
  /// validation that belongs into it; null otherwise.
  Json pending_line;
};

/// One safetensors file, written atomically: format_version 2 where images wait
/// for others of their shape, which version 1 has no place for.
void write_checkpoint(const std::filesystem::path& path,
                      const RunCheckpoint& checkpoint);

/// Throws DataError if it is damaged or of a newer version.
RunCheckpoint read_checkpoint(const std::filesystem::path& path);

}  // namespace calotype
