#pragma once

#include <filesystem>

#include "nn/safetensors.h"

namespace calotype {

/// The files that LPIPS is read from.
struct LpipsFiles {
  std::filesystem::path weights;  // all of it, or the linear layers
  /// Of linear layers alone the network below them, as torchvision publishes it
  /// (vgg16-397923af.pth, alexnet-owt-7be5be79.pth,
  /// squeezenet1_1-b8a52dc0.pth): in the same folder, else where torch.hub
  /// keeps it. Empty where it is not needed.
  std::filesystem::path trunk;
};

/// Finds them. Throws ConfigError, naming what to put where, if there is no
/// trunk; DataError for what is no LPIPS or damaged.
LpipsFiles find_lpips_files(const std::filesystem::path& weights);

/// The tensors of both under the names of an LPIPS of the lpips package:
/// net.slice*, lins.*. A note names the trunk.
TensorFile read_lpips_weights(const std::filesystem::path& weights);

}  // namespace calotype
