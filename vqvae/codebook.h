#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <utility>
#include <vector>

#include "vqvae/quantizer.h"

// What keeps a codebook alive: first values from the data, and a second chance
// for codes that nothing is near to.
namespace calotype {

/// `num_codes` centres of `vectors` [M,D] by Lloyd's algorithm (Lloyd, IEEE
/// Transactions on Information Theory 28, 1982) from distinct vectors; with
/// fewer vectors than codes, from vectors moved a little. A function of the
/// vectors and (seed, step) alone.
at::Tensor kmeans(const at::Tensor& vectors, int64_t num_codes,
                  const QuantizerStep& step, int64_t iterations = 10);

/// How long each code has been idle, and which codes a step restarts.
class CodebookCare {
 public:
  CodebookCare(const QuantizerConfig& config, int64_t num_codes);

  /// True once: the codebook has no values of its own yet.
  bool wants_first_values() const;
  void has_first_values();

  /// Counts a step in which codes `indices` [M] were used. Returns the codes
  /// [R] that have been idle for too long and counts them as used.
  at::Tensor find_dead(const at::Tensor& indices);

  /// A vector for each of R codes: rows of `vectors` [M,D] drawn by (seed,
  /// step, code).
  static at::Tensor replacements(const at::Tensor& vectors,
                                 const at::Tensor& codes,
                                 const QuantizerStep& step);

  std::vector<std::pair<std::string, at::Tensor>> state() {
    return {{"initialised", initialised_}, {"idle_steps", idle_steps_}};
  }

 private:
  bool kmeans_init_;
  int64_t restart_after_;
  at::Tensor initialised_;  // [] int64
  at::Tensor idle_steps_;   // [K] int64
};

}  // namespace calotype
