#pragma once

#include <string>
#include <vector>

#include "nn/checkpoint.h"

namespace calotype {

/// What project's networks a checkpoint holds, told by its tensors' names and
/// shapes and, where these are alike, by what lies beside them.
struct CheckpointKind {
  /// ldm_autoencoder_kl, ldm_vq, ldm_unconditional, ldm_class_conditional,
  /// ldm_text_conditional, ldm_concat_conditional, taming_vqgan, taming_gumbel,
  /// taming_ema, llamagen_vq, seed_ibq, seed_open_magvit2, taesd, taesd_flux2,
  /// taesd_sana, dit, diffusers, diffusers_old_attention, fid_inception, lpips
  /// (all of it), lpips_linear, vgg16, alexnet, squeezenet, inception_v3;
  /// "unknown".
  std::string name = "unknown";
  std::string part;     // of a model in two files: "encoder", "decoder"
  std::string what;     // "the VQ autoencoder of taming-transformers"
  std::string wrapper;  // of the state dict that was recognised
  /// What stands before the names that the project gives, and must be taken
  /// off: "", "module.", "first_stage_model.".
  std::string prefix;
  /// Classes that it can be converted to: one, or a pipeline's in the order of
  /// its parts; empty where there is none.
  std::vector<std::string> classes;
  /// What of this program reads it as it is: "evaluate --features".
  std::string read_by;
  /// Guesses, parts that are left, and why there is no class; a sentence each.
  std::vector<std::string> remarks;
  /// That of them which says why it may be another kind; empty: it is certain.
  std::string guess;
};

/// Looks at each state dict in order; the first that is known decides.
CheckpointKind kind_of(const Checkpoint& checkpoint);

/// The same where the project's configuration is another than what lies beside
/// the checkpoint: `target` is the class that it names.
CheckpointKind kind_of(const Checkpoint& checkpoint, const std::string& target);

}  // namespace calotype
