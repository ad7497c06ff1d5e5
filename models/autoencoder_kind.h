#pragma once

#include <optional>
#include <string>

#include "models/checkpoint_kind.h"
#include "models/named_shapes.h"

namespace calotype {

/// What tells projects apart whose networks have the same names.
struct WrittenBy {
  std::string target;        // project_target's; "" unknown
  bool lightning_2 = false;  // PyTorch Lightning 2 wrote the file
};

/// The autoencoders of latent-diffusion, taming-transformers, LlamaGen,
/// SEED-Voken and TAESD under their own names; nothing for others.
std::optional<CheckpointKind> autoencoder_kind(const NamedShapes& shapes,
                                               const WrittenBy& written_by);

}  // namespace calotype
