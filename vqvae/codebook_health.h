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

/// How often each code of each codebook occurs: int64 [B,K]. `indices`: int64
/// [M,L] in [0,num_codes); `codebooks`: which one each level is of, from 0.
at::Tensor count_codes(const at::Tensor& indices,
                       const std::vector<int64_t>& codebooks,
                       int64_t num_codes);

/// How a codebook is used while it is trained: collapse is to be seen when it
/// happens, not at the end.
class CodebookHealth {
 public:
  /// Steps that the window reaches back.
  static constexpr int64_t kWindow = 100;

  /// `codebooks`: which one each level is of, numbered from 0.
  CodebookHealth(int64_t num_codes, std::vector<int64_t> codebooks);

  /// Codes [M,L] of a batch of training step `step`; a step may have several.
  void observe(const at::Tensor& indices, int64_t step);

  /// Of running shares that forget at the pace of the window; with several
  /// codebooks the mean over them.
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
  std::vector<int64_t> codebooks_;
  at::Tensor counts_;          // [B,K] float, running, of B codebooks
  at::Tensor idle_steps_;      // [B,K] int64, since the code was last used
  at::Tensor observed_steps_;  // [] int64
  int64_t last_step_ = -1;
};

}  // namespace calotype
