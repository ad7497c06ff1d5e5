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

/// Sums of the vectors of each code in double, so that a large mean does not
/// eat their digits, and how many they are.
struct CodeSums {
  at::Tensor sums;    // [K,D] double
  at::Tensor counts;  // [K] double
};

/// `nearest`: [M], the code of each of `vectors` [M,D].
CodeSums sums_by_code(const at::Tensor& vectors, const at::Tensor& nearest,
                      int64_t num_codes);

/// How long each code has been idle, and which codes a step restarts.
class CodebookCare {
 public:
  CodebookCare(const QuantizerConfig& config, int64_t num_codes);

  /// True once: the codebook has no values of its own yet.
  bool wants_first_values() const;
  void has_first_values();

  /// Notes that optimizer step `step` has used codes `indices` [M]. The first
  /// batch of a step returns the codes [R] that have been idle for too long and
  /// counts them as used; further batches of that step (accumulated gradients)
  /// return none.
  at::Tensor find_dead(const at::Tensor& indices, int64_t step);

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
  int64_t last_step_ = -1;  // checkpoints stand between steps: not in the state
};

}  // namespace calotype
