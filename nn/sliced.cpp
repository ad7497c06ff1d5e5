#include "nn/sliced.h"

#include <torch/autograd.h>
#include <torch/types.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "core/process_group.h"
#include "nn/kernel_record.h"
#include "nn/loose_sums.h"
#include "nn/precision.h"
#include "nn/second_derivative.h"
#include "nn/slice_call.h"

namespace calotype {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

thread_local std::optional<int64_t> num_slices;  // of SliceScope

int64_t num_slices_for(const Tensor& first) {
  if (!first.device().is_cpu()) return 1;
  const auto wanted =
      num_slices.value_or(at::GradMode::is_enabled() ? 1 : num_slice_threads());
  return std::min(wanted, first.size(0));
}

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
  static Tensor forward(AutogradContext* context,
                        c10::intrusive_ptr<SliceCall> call, at::TensorList) {
    context->saved_data["call"] =
        c10::IValue::make_capsule(c10::intrusive_ptr<SliceCall>(call));
    return call->run_with_graphs();
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto held = context->saved_data["call"].toCapsule();
    auto& call = static_cast<SliceCall&>(*held);
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

Tensor sliced(const std::vector<Tensor>& parameters, const void* network,
              const std::vector<Tensor>& inputs, const RowFunction& forward);

/// Without gradients: each process takes some rows.
Tensor in_processes(ProcessGroup& group, const std::vector<Tensor>& parameters,
                    const void* network, const std::vector<Tensor>& inputs,
                    const RowFunction& forward) {
  std::vector<int64_t> counts;
  for (int64_t rank = 0; rank < group.size(); ++rank)
    counts.push_back(slice_of(inputs[0].size(0), group.size(), rank).size());
  const auto mine = slice_of(inputs[0].size(0), group.size(), group.rank());
  const ProcessGroupScope alone(nullptr);
  return group.gather_rows(
      sliced(parameters, network, rows_of(inputs, mine), forward), counts);
}

/// `network`: its address, or that of what it alone has.
Tensor sliced(const std::vector<Tensor>& parameters, const void* network,
              const std::vector<Tensor>& inputs, const RowFunction& forward) {
  auto* const group = current_process_group();
  const bool with_gradients = at::GradMode::is_enabled();
  if (group && !with_gradients && inputs.front().size(0) >= group->size())
    return in_processes(*group, parameters, network, inputs, forward);
  const auto count = num_slices_for(inputs.front());
  const auto compute = compute_on(inputs.front().device(), with_gradients);
  record_compute(compute, inputs.front().device());
  const auto id =
      std::hash<const void*>()(network) ^ forward.target_type().hash_code();
  const auto num_rows = inputs.front().size(0);
  const bool is_shared = group && with_gradients && count >= group->size();
  if (with_gradients && watches_memory())
    expect_graphs_fit(
        id + 1, inputs,
        is_shared ? (num_rows + group->size() - 1) / group->size() : num_rows,
        forward, compute);
  const bool is_cut = count > 1 || (!with_gradients && watches_memory());
  if (!is_cut || num_rows == 0)
    return finite(computed(forward, inputs, compute), forward, inputs, compute);
  auto call = c10::make_intrusive<SliceCall>();
  call->forward = forward;
  call->inputs = inputs;
  call->network = id;
  call->compute = compute;
  call->count = count;
  if (is_shared) {
    call->group = group;
    call->loose = SumsInAnyOrder::current();
  }
  if (!with_gradients) return finite(call->run(), forward, inputs, compute);
  // Dropout is the only draw.
  call->seed =
      uint64_t(at::randint(int64_t{1} << 62, {1}, at::kLong).item<int64_t>());
  std::vector<Tensor> tensors;
  for (const auto& input : inputs)
    if (input.defined()) tensors.push_back(input);
  for (const auto& parameter : parameters)
    if (parameter.requires_grad()) call->parameters.push_back(parameter);
  tensors.insert(tensors.end(), call->parameters.begin(),
                 call->parameters.end());
  return SlicedCall::apply(call, at::TensorList(tensors));
}

}  // namespace

SliceScope::SliceScope(int64_t count)
    : before_(std::exchange(num_slices, count)) {}
SliceScope::~SliceScope() {
  num_slices = before_;
}

at::Tensor in_slices(const std::vector<at::Tensor>& parameters,
                     const std::vector<at::Tensor>& inputs,
                     const RowFunction& forward) {
  return sliced(parameters,
                parameters.empty() ? nullptr : parameters[0].data_ptr(), inputs,
                forward);
}

at::Tensor in_slices(const torch::nn::Module& module,
                     const std::vector<at::Tensor>& inputs,
                     const RowFunction& forward) {
  const bool alone = num_slices_for(inputs.front()) <= 1;
  return sliced(alone ? std::vector<at::Tensor>() : module.parameters(),
                &module, inputs, forward);
}

}  // namespace calotype
