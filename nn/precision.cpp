#include "nn/precision.h"

#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>
#include <torch/types.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <exception>
#include <mutex>
#include <utility>

#include "core/check.h"
#include "core/note.h"
#include "core/runtime.h"
#include "nn/onednn_check.h"

namespace calotype {
namespace {

constexpr int kNone = -1;

std::atomic<Precision> process_precision = Precision::kFp32;
thread_local int scope_precision = kNone;
thread_local Compute layers;  // of a network, that run now
thread_local std::vector<int64_t> computed_again;
thread_local RoundedWeights* shared_weights = nullptr;

bool has_avx512() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512f") &&
         __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl");
#else
  return false;
#endif
}

bool has_bf16_instructions() {
#if defined(__x86_64__)
  return has_avx512() && __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

/// A convolution of [1,64,32,32], 75 million operations.
struct Probe {
  at::Tensor x = at::ones({1, 64, 32, 32});
  at::Tensor weight = at::ones({64, 64, 3, 3});

  at::Tensor computed(at::ScalarType type, at::MemoryFormat layout) const {
    return at::mkldnn_convolution(x.to(type).contiguous(layout),
                                  weight.to(type), {}, {1, 1}, {1, 1}, {1, 1},
                                  1);
  }
};

/// Whether oneDNN takes bf16, as it does unless it was told to know less than
/// the processor (ONEDNN_MAX_CPU_ISA), and computes it rightly.
bool onednn_takes_bf16() {
  const c10::InferenceMode no_inference(false);
  const at::NoGradGuard no_grad;
  const Probe probe;
  try {
    const auto y =
        probe.computed(at::kBFloat16, at::MemoryFormat::ChannelsLast);
    return y.select(2, 16).select(2, 16).eq(9 * 64).all().item<bool>();
  } catch (const std::exception&) {
    return false;
  }
}

bool cpu_has_bf16() {
  static const bool has =
      use_onednn() && has_bf16_instructions() && onednn_takes_bf16();
  return has;
}

/// Median seconds of five.
double seconds_of(const Probe& probe, at::ScalarType type) {
  std::array<double, 5> seconds;
  probe.computed(type, at::MemoryFormat::ChannelsLast);
  for (auto& one : seconds) {
    const double begin = monotonic_s();
    for (int i = 0; i < 4; ++i)
      probe.computed(type, at::MemoryFormat::ChannelsLast);
    one = monotonic_s() - begin;
  }
  std::ranges::sort(seconds);
  return seconds[2];
}

bool is_faster_in_bf16() {
  const c10::InferenceMode no_inference(false);
  const at::NoGradGuard no_grad;
  const Probe probe;
  return seconds_of(probe, at::kFloat) >=
         1.25 * seconds_of(probe, at::kBFloat16);
}

}  // namespace

std::string precision_name(Precision precision) {
  return precision == Precision::kBf16 ? "bf16" : "fp32";
}

Precision resolve_precision(const std::string& name, c10::Device device) {
  check_one_of("precision", "precision", name, {"fp32", "bf16", "auto"});
  if (name == "fp32") return Precision::kFp32;
  if (!device.is_cpu()) return Precision::kBf16;
  if (name == "auto")
    return cpu_has_bf16() && is_faster_in_bf16() ? Precision::kBf16
                                                 : Precision::kFp32;
  if (!cpu_has_bf16())
    note(
        "this processor has no arithmetic in bf16: numbers are rounded to it "
        "and computed in fp32, which is not faster");
  return Precision::kBf16;
}

void set_precision(Precision precision) {
  process_precision = precision;
}

PrecisionScope::PrecisionScope(Precision precision)
    : before_(std::exchange(scope_precision, int(precision))) {}

PrecisionScope::~PrecisionScope() {
  scope_precision = before_;
}

Precision current_precision() {
  return scope_precision == kNone ? process_precision.load()
                                  : Precision(scope_precision);
}

Compute compute_on(c10::Device device, bool with_gradients) {
  const auto precision = current_precision();
  const bool bf16 = precision == Precision::kBf16;
  const bool on_cpu = device.is_cpu();
  const bool is_rounded = bf16 && on_cpu && !cpu_has_bf16();
  const bool pixels_together =
      bf16 && !is_rounded
          ? true
          : on_cpu && !with_gradients && has_avx512() && use_onednn();
  return {.precision = precision,
          .is_rounded = is_rounded,
          .layout = pixels_together ? at::MemoryFormat::ChannelsLast
                                    : at::MemoryFormat::Contiguous};
}

const Compute& current_compute() {
  return layers;
}

ComputeScope::ComputeScope(const Compute& now)
    : before_(std::exchange(layers, now)) {}

ComputeScope::~ComputeScope() {
  layers = before_;
}

at::Tensor in_compute_type(const at::Tensor& x) {
  if (layers.precision == Precision::kFp32 || !x.defined()) return x;
  const auto rounded = x.to(at::kBFloat16);
  return layers.is_rounded ? rounded.to(at::kFloat) : rounded;
}

namespace {

/// A convolution would put its weight into the layout of its input each time,
/// on the way back too.
at::Tensor as_convolutions_take_it(const at::Tensor& weight) {
  return weight.dim() == 4 ? weight.contiguous(layers.layout) : weight;
}

}  // namespace

struct ComputeWeight::Kept {
  std::mutex mutex;
  // Held, so that no other numbers can come to lie in their place unseen.
  c10::Storage numbers;
  const void* place = nullptr;
  bool is_rounded = false;
  at::Tensor made;
};

ComputeWeight::ComputeWeight() : kept_(std::make_shared<Kept>()) {}

at::Tensor ComputeWeight::of(const at::Tensor& weight) const {
  if (layers.precision == Precision::kFp32 || !weight.defined()) return weight;
  // A version of the weight tells nothing where it is a view of others that
  // are changed all at once (training/flat_parameters.h).
  if (!c10::InferenceMode::is_enabled())
    return shared_weights && !layers.is_rounded && weight.requires_grad()
               ? shared_weights->of(weight)
               : in_compute_type(weight);
  const std::lock_guard lock(kept_->mutex);
  if (kept_->place != weight.data_ptr() ||
      kept_->is_rounded != layers.is_rounded) {
    kept_->made = as_convolutions_take_it(in_compute_type(weight).detach());
    kept_->numbers = weight.storage();
    kept_->place = weight.data_ptr();
    kept_->is_rounded = layers.is_rounded;
  }
  return kept_->made;
}

at::Tensor RoundedWeights::of(const at::Tensor& weight) {
  const std::lock_guard lock(mutex_);
  auto& leaf = leaves_[weight.unsafeGetTensorImpl()];
  if (!leaf.defined())
    leaf = as_convolutions_take_it(weight.detach().to(at::kBFloat16))
               .requires_grad_();
  return leaf;
}

at::Tensor RoundedWeights::leaf_of(const at::Tensor& weight) const {
  const std::lock_guard lock(mutex_);
  const auto found = leaves_.find(weight.unsafeGetTensorImpl());
  return found == leaves_.end() ? at::Tensor() : found->second;
}

RoundedWeightsScope::RoundedWeightsScope(RoundedWeights* shared)
    : before_(std::exchange(shared_weights, shared)) {}

RoundedWeightsScope::~RoundedWeightsScope() {
  shared_weights = before_;
}

std::vector<int64_t> take_rows_computed_again() {
  return std::exchange(computed_again, {});
}

void add_rows_computed_again(const std::vector<int64_t>& rows) {
  computed_again.insert(computed_again.end(), rows.begin(), rows.end());
}

}  // namespace calotype
