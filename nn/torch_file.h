#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "nn/checkpoint_content.h"

namespace calotype {

/// Whether bytes begin as those of torch.save do: a zip archive, or a pickle of
/// the protocols 2 to 5.
bool is_torch_zip(std::span<const uint8_t> bytes);
bool is_torch_legacy(std::span<const uint8_t> bytes);

/// Reads all but the tensors' numbers, which stay in `bytes`: a zip archive of
/// data.pkl, a record for each storage and, since PyTorch 2.0, the byte order;
/// or the format before 1.6, pickles one after the other and storages after
/// them. Executes nothing; bounded in time and memory by the size of `bytes`.
/// Throws DataError, in the name of `where`, for what is damaged, hostile or
/// holds no named tensors: TorchScript, a whole module, a tensor alone.
CheckpointContent read_torch_zip(std::span<const uint8_t> bytes,
                                 const std::string& where);
CheckpointContent read_torch_legacy(std::span<const uint8_t> bytes,
                                    const std::string& where);

}  // namespace calotype
