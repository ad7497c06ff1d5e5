#include "nn/sliced.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/autograd.h>
#include <torch/types.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "core/error.h"
#include "nn/precision.h"
#include "nn/second_derivative.h"

namespace calotype {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

thread_local std::optional<int64_t> num_slices;   // of SliceScope
thread_local std::optional<at::Generator> draws;  // of the slice

int64_t num_slices_for(const Tensor& first) {
  if (!first.device().is_cpu()) return 1;
  const auto wanted =
      num_slices.value_or(at::GradMode::is_enabled() ? 1 : num_slice_threads());
  return std::min(wanted, first.size(0));
}

/// What is drawn in slice `index` of a call that drew `seed`.
class SliceDraws {
 public:
  SliceDraws(uint64_t seed, int64_t index)
      : before_(std::exchange(
            draws, at::make_generator<at::CPUGeneratorImpl>(
                       seed + uint64_t(index) * 0x9E3779B97F4A7C15u))) {}
  ~SliceDraws() { draws = before_; }
  SliceDraws(const SliceDraws&) = delete;
  SliceDraws& operator=(const SliceDraws&) = delete;

 private:
  std::optional<at::Generator> before_;
};

std::vector<Tensor> rows_of(const std::vector<Tensor>& inputs,
                            const Slice& slice) {
  std::vector<Tensor> some;
  for (const auto& input : inputs)
    some.push_back(input.defined() ? input.narrow(0, slice.begin, slice.size())
                                   : input);
  return some;
}

/// forward(inputs) in the numbers and the layout of `compute`; what comes back
/// is in float, channels apart.
Tensor computed(const RowFunction& forward, const std::vector<Tensor>& inputs,
                const Compute& compute) {
  const ComputeScope scope(compute);
  const auto answer = forward(inputs);
  const bool in_bf16 = answer.scalar_type() == at::kBFloat16;
  return (in_bf16 ? answer.to(at::kFloat) : answer).contiguous();
}

/// A call in slices, and what its way back needs.
struct Call : torch::CustomClassHolder {
  RowFunction forward;
  std::vector<Tensor> inputs;      // as the caller gave them
  std::vector<Tensor> parameters;  // that take gradients
  Compute compute;
  int64_t count = 0;
  uint64_t seed = 0;

  // Of each slice: its inputs, without what made them, and its answer.
  std::vector<std::vector<Tensor>> slice_inputs;
  std::vector<Tensor> answers;

  Tensor answer_of(int64_t index, const std::vector<Tensor>& some) const {
    const SliceScope whole(1);
    const SliceDraws draws_of_slice(seed, index);
    return computed(forward, some, compute);
  }

  /// Without gradients.
  Tensor run() {
    answers.resize(size_t(count));
    for_each_slice(count, [&](int64_t i) {
      answers[size_t(i)] =
          answer_of(i, rows_of(inputs, slice_of(inputs[0].size(0), count, i)));
    });
    return at::cat(std::exchange(answers, {}));
  }

  /// With a graph for each slice.
  Tensor run_with_graphs() {
    answers.resize(size_t(count));
    slice_inputs.resize(size_t(count));
    for_each_slice(count, [&](int64_t i) {
      const at::AutoGradMode with_gradients(true);
      auto some = rows_of(inputs, slice_of(inputs[0].size(0), count, i));
      for (size_t k = 0; k < some.size(); ++k)
        if (some[k].defined())
          some[k] = some[k].detach().requires_grad_(inputs[k].requires_grad());
      answers[size_t(i)] = answer_of(i, some);
      slice_inputs[size_t(i)] = std::move(some);
    });
    const at::AutoGradMode without_gradients(false);
    return at::cat(answers);
  }

  /// The answer with one graph, that has gradients of gradients.
  Tensor run_anew() const {
    std::vector<Tensor> parts;
    for (int64_t i = 0; i < count; ++i)
      parts.push_back(
          answer_of(i, rows_of(inputs, slice_of(inputs[0].size(0), count, i))));
    return at::cat(parts);
  }

  /// Gradients of inputs, then of parameters.
  variable_list gradients(const Tensor& grad) {
    std::vector<std::vector<Tensor>> of_inputs(inputs.size());
    for (auto& parts : of_inputs) parts.resize(size_t(count));
    std::vector<Tensor> of_parameters(parameters.size());
    InOrder order;
    for_each_slice(count, [&](int64_t i) {
      try {
        const auto slice = slice_of(grad.size(0), count, i);
        auto& some = slice_inputs[size_t(i)];
        std::vector<Tensor> wanted;
        std::vector<size_t> which;
        for (size_t k = 0; k < some.size(); ++k)
          if (some[k].defined() && some[k].requires_grad()) {
            wanted.push_back(some[k]);
            which.push_back(k);
          }
        wanted.insert(wanted.end(), parameters.begin(), parameters.end());
        if (!answers[size_t(i)].defined())
          throw ShapeError("in_slices: the way back is there once");
        auto found = torch::autograd::grad(
            {std::exchange(answers[size_t(i)], Tensor())}, wanted,
            {grad.narrow(0, slice.begin, slice.size())},
            /*retain_graph=*/false, /*create_graph=*/false,
            /*allow_unused=*/true);
        some.clear();
        for (size_t k = 0; k < which.size(); ++k)
          of_inputs[which[k]][size_t(i)] = found[k];
        order.run(i, [&] {
          for (size_t k = 0; k < parameters.size(); ++k) {
            auto& part = found[which.size() + k];
            if (!part.defined()) continue;
            auto& sum = of_parameters[k];
            if (sum.defined())
              sum.add_(part);
            else
              sum = part.clone();
          }
        });
      } catch (...) {
        order.give_up();
        throw;
      }
    });
    variable_list all;
    for (auto& parts : of_inputs)
      all.push_back(parts.front().defined() ? at::cat(parts) : Tensor());
    all.insert(all.end(), of_parameters.begin(), of_parameters.end());
    return all;
  }
};

/// `answer`, with rows that are not finite in bf16 computed again in fp32, each
/// by itself. Not in training, whose loss says it.
Tensor finite(Tensor answer, const RowFunction& forward,
              const std::vector<Tensor>& inputs, const Compute& compute) {
  if (compute.precision == Precision::kFp32 || at::GradMode::is_enabled() ||
      answer.numel() == 0 || answer.isfinite().all().item<bool>())
    return answer;
  std::vector<int64_t> again;
  for (int64_t row = 0; row < answer.size(0); ++row) {
    if (answer[row].isfinite().all().item<bool>()) continue;
    again.push_back(row);
    const SliceScope whole(1);
    answer[row].copy_(computed(
        forward, rows_of(inputs, {.begin = row, .end = row + 1}), {})[0]);
  }
  add_rows_computed_again(again);
  return answer;
}

struct SlicedCall : torch::autograd::Function<SlicedCall> {
  /// `tensors`: inputs that are defined, then parameters.
  static Tensor forward(AutogradContext* context, c10::intrusive_ptr<Call> call,
                        at::TensorList) {
    context->saved_data["call"] =
        c10::IValue::make_capsule(c10::intrusive_ptr<Call>(call));
    return call->run_with_graphs();
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto held = context->saved_data["call"].toCapsule();
    auto& call = static_cast<Call&>(*held);
    variable_list all;
    if (torch::GradMode::is_enabled()) {
      auto wanted = call.inputs;
      wanted.insert(wanted.end(), call.parameters.begin(),
                    call.parameters.end());
      std::erase_if(wanted, [](const Tensor& x) { return !x.defined(); });
      all = differentiable_gradients(call.run_anew(), wanted, grads[0]);
    } else {
      all = call.gradients(grads[0]);
      size_t k = 0;
      std::erase_if(all, [&](const Tensor&) {
        const auto at = k++;
        return at < call.inputs.size() && !call.inputs[at].defined();
      });
    }
    all.insert(all.begin(), Tensor());  // of the call itself
    return all;
  }
};

}  // namespace

SliceScope::SliceScope(int64_t count)
    : before_(std::exchange(num_slices, count)) {}
SliceScope::~SliceScope() {
  num_slices = before_;
}

at::Tensor in_slices(const std::vector<at::Tensor>& parameters,
                     const std::vector<at::Tensor>& inputs,
                     const RowFunction& forward) {
  const auto count = num_slices_for(inputs.front());
  const bool with_gradients = at::GradMode::is_enabled();
  const auto compute = compute_on(inputs.front().device(), with_gradients);
  if (count <= 1)
    return finite(computed(forward, inputs, compute), forward, inputs, compute);
  auto call = c10::make_intrusive<Call>();
  call->forward = forward;
  call->inputs = inputs;
  call->compute = compute;
  call->count = count;
  if (!with_gradients) return finite(call->run(), forward, inputs, compute);
  // Dropout is the only draw.
  call->seed =
      uint64_t(at::randint(int64_t{1} << 62, {1}, at::kLong).item<int64_t>());
  std::vector<at::Tensor> tensors;
  for (const auto& input : inputs)
    if (input.defined()) tensors.push_back(input);
  for (const auto& parameter : parameters)
    if (parameter.requires_grad()) call->parameters.push_back(parameter);
  tensors.insert(tensors.end(), call->parameters.begin(),
                 call->parameters.end());
  return SlicedCall::apply(call, at::TensorList(tensors));
}

at::Tensor in_slices(const torch::nn::Module& module,
                     const std::vector<at::Tensor>& inputs,
                     const RowFunction& forward) {
  const bool alone = num_slices_for(inputs.front()) <= 1;
  return in_slices(alone ? std::vector<at::Tensor>() : module.parameters(),
                   inputs, forward);
}

at::Tensor drop_out(const at::Tensor& x, double p, bool is_training) {
  if (!draws || !is_training || p == 0) return at::dropout(x, p, is_training);
  return x * at::empty_like(x).bernoulli_(1 - p, *draws).div_(1 - p);
}

}  // namespace calotype
