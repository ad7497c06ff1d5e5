#include "nn/onednn_check.h"

#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>
#include <torch/autograd.h>
#include <torch/types.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/note.h"
#include "core/random.h"

namespace calotype {
namespace {

at::Tensor numbers(const std::vector<int64_t>& shape, uint64_t seed) {
  return normal_rows(at::IntArrayRef(shape).slice(1), at::arange(shape[0]),
                     seed, Stream::kSynthetic);
}

/// Whether `got`, of floats, is `want`, of doubles; false for NaN.
bool is_near(const at::Tensor& got, const at::Tensor& want) {
  const auto error = (got.to(at::kDouble) - want).abs().max();
  return (error / want.abs().max()).lt(1e-4).item<bool>();
}

struct Shape {
  int64_t batch, in, out, edge, kernel;
};

/// A convolution that keeps the size, and both of its gradients.
bool is_right(const Shape& s) {
  const auto x = numbers({s.batch, s.in, s.edge, s.edge}, 1),
             weight = numbers({s.out, s.in, s.kernel, s.kernel}, 2),
             along = numbers({s.batch, s.out, s.edge, s.edge}, 3);
  const auto computed = [&](at::ScalarType type) {
    const auto a = x.to(type).requires_grad_(true),
               b = weight.to(type).requires_grad_(true);
    const auto y = at::conv2d(a, b, {}, 1, s.kernel / 2);
    auto all = torch::autograd::grad({y}, {a, b}, {along.to(type)});
    all.push_back(y.detach());
    return all;
  };
  const auto got = computed(at::kFloat), want = computed(at::kDouble);
  for (size_t i = 0; i < want.size(); ++i)
    if (!is_near(got[i], want[i])) return false;
  const at::NoGradGuard no_grad;
  return is_near(
      at::mkldnn_convolution(x, weight, {}, {s.kernel / 2, s.kernel / 2},
                             {1, 1}, {1, 1}, 1),
      want.back());
}

bool is_right() {
  // Whatever the caller is in the middle of.
  const c10::InferenceMode no_inference(false);
  const at::AutoGradMode with_gradients(true);
  // Few, since each process that computes waits for them: widths below, at and
  // beyond a vector, and a linear map as batch_invariant gives it. Of each kind
  // that was seen to be wrong there is one.
  static constexpr Shape kShapes[] = {{2, 1, 8, 16, 3},  {2, 8, 8, 8, 3},
                                      {2, 2, 8, 8, 3},   {2, 8, 1, 16, 3},
                                      {2, 32, 32, 7, 3}, {48, 32, 784, 1, 1}};
  return std::ranges::all_of(kShapes,
                             [](const Shape& s) { return is_right(s); });
}

}  // namespace

bool use_onednn() {
  auto& context = at::globalContext();
  if (!at::hasMKLDNN()) return false;
  static const bool right = [&] {
    if (!context.userEnabledMkldnn() || is_right()) return true;
    context.setUserEnabledMkldnn(false);
    note(
        "this machine's oneDNN computes convolutions wrongly: it is left out, "
        "which is slower, and results may depend on the batch in their last "
        "bits");
    return false;
  }();
  return right && context.userEnabledMkldnn();
}

}  // namespace calotype
