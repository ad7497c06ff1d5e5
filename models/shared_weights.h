#pragma once

#include <string>
#include <vector>

#include "models/initial_model.h"

namespace calotype {

/// What became of the parameters and buffers of a new model and of the one that
/// it begins with, by their names.
struct SharedWeights {
  std::vector<std::string> shared;     // as they are
  std::vector<std::string> fitted;     // to other channels, codes or classes
  std::vector<std::string> fresh;      // at their first values
  std::vector<std::string> misshapen;  // likewise, for their shapes differ
  std::vector<std::string> left_over;  // of the model to begin with

  /// Whether all tensors that `encode` and `tokenize` read are shared.
  bool shares_encoder() const;
};

/// Whether a tensor of a codec is of its way from latents or codes to images.
bool is_of_decoder(const std::string& name);

/// Copies into `model` what `initial` has under the same names. Where these
/// differ in one number, rows are shared:
/// - image channels 1 and 3: the first convolution sees grey as the mean of the
///   three (or all three as the grey), the last draws their mean (or grey);
/// - codes of a tokenizer: the first ones; more of them begin near these, in
///   turn;
/// - classes: those of the same name where both have names, or else of the same
///   number; another one begins as no class does, or at its first values where
///   the network has none. `class_names`: of the new labels, or empty.
/// A codebook that is taken is not drawn from the first batch again. Throws
/// ConfigError if nothing is shared, or where a generator's tokens are of
/// another number of codes.
SharedWeights share_weights(AnyModel& model, const InitialModel& initial,
                            const std::vector<std::string>& class_names);

/// Names in few words: "decoder.mid_block.* (12), quant_conv.weight".
std::string grouped_names(const std::vector<std::string>& names);

/// Notes that say all of it, a line each.
void tell_shared(const SharedWeights& weights, const InitialModel& initial);

}  // namespace calotype
