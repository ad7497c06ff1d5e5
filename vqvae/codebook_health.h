#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace calotype {

/// exp of the entropy of the shares of `counts` [..,K]: how many codes would
/// tell as much if all were used alike. 1 if all counts are 0.
double perplexity(const at::Tensor& counts);

/// How a codebook is used while it is trained: collapse is to be seen when it
/// happens, not at the end.
class CodebookHealth {
 public:
  /// Steps that the window reaches back.
  static constexpr int64_t kWindow = 100;

  CodebookHealth(int64_t num_codes, int64_t num_levels);

  /// Codes [M,L] of one training step.
  void observe(const at::Tensor& indices);

  /// Of running shares that forget at the pace of the window; with several
  /// levels the mean over them.
  double perplexity() const;

  /// Share of codes that were used in the window.
  double usage() const;

  /// Codes that were not.
  int64_t num_dead() const;

  /// What to tell the user if most codes are idle although the window has long
  /// been full; empty otherwise.
  std::string warning() const;

  std::vector<std::pair<std::string, at::Tensor>> state() {
    return {{"counts", counts_},
            {"idle_steps", idle_steps_},
            {"observed_steps", observed_steps_}};
  }

 private:
  at::Tensor counts_;          // [L,K] float, running
  at::Tensor idle_steps_;      // [L,K] int64, since the code was last used
  at::Tensor observed_steps_;  // [] int64
};

}  // namespace calotype
