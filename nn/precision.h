#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <c10/core/MemoryFormat.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

// In which numbers networks compute. Weights, statistics of norms, attention's
// weights and losses are floats whatever is chosen; bf16 is what convolutions
// and linear maps take and give: 8 bits of a significand, sums in float
// (Kalamkar et al., "A Study of BFLOAT16 for Deep Learning Training",
// arXiv:1905.12322).
namespace calotype {

enum class Precision { kFp32, kBf16 };

std::string precision_name(Precision precision);

/// Of "fp32", "bf16" or "auto": bf16 where `device` computes it by itself and,
/// measured now, at least a quarter faster. Where it does not, bf16 is floats
/// rounded to it, which says so, once. Throws ConfigError for other names.
Precision resolve_precision(const std::string& name, c10::Device device);

/// For all networks asked from now on, where no PrecisionScope says otherwise.
void set_precision(Precision precision);

/// While it lives, for those that this thread asks.
class PrecisionScope {
 public:
  explicit PrecisionScope(Precision precision);
  ~PrecisionScope();
  PrecisionScope(const PrecisionScope&) = delete;
  PrecisionScope& operator=(const PrecisionScope&) = delete;

 private:
  int before_;
};

Precision current_precision();

/// How the layers of a network compute just now, which in_slices (nn/sliced.h)
/// sets for those inside it. Elsewhere: floats, channels apart.
struct Compute {
  Precision precision = Precision::kFp32;
  bool is_rounded = false;  // bf16 as floats that are rounded
  at::MemoryFormat layout = at::MemoryFormat::Contiguous;
};

/// What a network on `device` computes in under current_precision(). Channels
/// of a pixel lie together in bf16 and, without gradients, on processors with
/// AVX-512, where that was measured to be faster (docs/speed.md): what the
/// processor is decides, not what it does at the moment, so that bits are the
/// same in each call.
Compute compute_on(c10::Device device, bool with_gradients);

const Compute& current_compute();

class ComputeScope {
 public:
  explicit ComputeScope(const Compute& compute);
  ~ComputeScope();
  ComputeScope(const ComputeScope&) = delete;
  ComputeScope& operator=(const ComputeScope&) = delete;

 private:
  Compute before_;
};

/// x as an operand or a result of the layers' arithmetic.
at::Tensor in_compute_type(const at::Tensor& x);

/// The same of weights; in inference mode, in which nobody changes them, kept
/// from call to call.
class ComputeWeight {
 public:
  ComputeWeight();
  at::Tensor of(const at::Tensor& weight) const;

 private:
  struct Kept;
  std::shared_ptr<Kept> kept_;
};

/// Weights in bf16 that several calls have in common: each is rounded once, by
/// the first that asks, and is a leaf of their graphs whose gradient is that of
/// the weight.
class RoundedWeights {
 public:
  at::Tensor of(const at::Tensor& weight);

  /// What was asked for so far; undefined where that is nothing.
  at::Tensor leaf_of(const at::Tensor& weight) const;

 private:
  mutable std::mutex mutex_;
  std::map<const void*, at::Tensor> leaves_;  // by the weight's TensorImpl
};

/// While it lives, this thread's ComputeWeight takes what it rounds from there.
class RoundedWeightsScope {
 public:
  explicit RoundedWeightsScope(RoundedWeights* shared);
  ~RoundedWeightsScope();
  RoundedWeightsScope(const RoundedWeightsScope&) = delete;
  RoundedWeightsScope& operator=(const RoundedWeightsScope&) = delete;

 private:
  RoundedWeights* before_;
};

/// Rows of the last answers of networks in bf16 that were not finite and were
/// computed again in fp32: their numbers in the batches that this thread gave,
/// since it last took them.
std::vector<int64_t> take_rows_computed_again();
void add_rows_computed_again(const std::vector<int64_t>& rows);

}  // namespace calotype
