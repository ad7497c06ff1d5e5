#pragma once

#include <filesystem>

#include "models/convert/converted.h"

// Checkpoints as others have them become model folders and pipelines of
// diffusers' form, the only one that the rest of the program knows.
namespace calotype {

/// A file, or a folder that holds one checkpoint, the two halves of TAESD, a
/// model of diffusers or a pipeline. Nothing of a file is run. What is guessed,
/// taken from elsewhere or left out is noted. The models fit their classes.
/// Throws ConfigError for what is not there, is sound and has no class here, or
/// needs to be told more; DataError for what is damaged.
Conversion convert_checkpoint(const std::filesystem::path& path,
                              const ConvertOptions& options);

/// Writes a model folder or a pipeline's; what makes it one is written last.
void write_conversion(const std::filesystem::path& folder,
                      const Conversion& conversion);

/// Whether write_conversion may write a file of this name, relative to the
/// folder.
bool is_of_conversion(const std::filesystem::path& file);

}  // namespace calotype
