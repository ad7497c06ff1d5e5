#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "nn/checkpoint_content.h"

// One file with weights of others, told by its content.
namespace calotype {

/// What `bytes` hold, which must outlive it: safetensors, or what torch.save
/// wrote. Throws DataError, in the name of `where`, for what is damaged or
/// something else, saying what that is where it can be told.
CheckpointContent read_checkpoint(std::span<const uint8_t> bytes,
                                  const std::string& where);

struct CheckpointFile {
  CheckpointContent content;
  std::shared_ptr<const void> bytes;  // mapped; what the tensors lie in
};

/// The same of a file. A note says that there are no checksums. Throws
/// ConfigError where it cannot be opened.
CheckpointFile open_checkpoint_file(const std::filesystem::path& path);

}  // namespace calotype
