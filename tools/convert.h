#pragma once

#include <filesystem>

#include "core/config.h"
#include "models/convert/converted.h"

namespace calotype {

struct ConvertJob {
  std::filesystem::path source;  // a checkpoint, or a folder
  std::filesystem::path out;     // of the model, or of the pipeline
  ConvertOptions options;
  bool fresh = false;  // remove what an earlier call wrote to `out`
};

/// Makes a model folder, or a pipeline's, of a checkpoint of another project.
/// What is used of the file, what is not and why is in the result.
Json convert(const ConvertJob& job);

}  // namespace calotype
