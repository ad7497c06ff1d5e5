#include "nn/sliced.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/autograd.h>
#include <torch/types.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "core/error.h"
#include "core/process_group.h"
#include "nn/loose_sums.h"
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
  ProcessGroup* group = nullptr;    // whose processes have some slices each
  SumsInAnyOrder* loose = nullptr;  // what sums of theirs are left to

  // Of each slice: its inputs, without what made them, and its answer.
  std::vector<std::vector<Tensor>> slice_inputs;
  std::vector<Tensor> answers;

  Tensor answer_of(int64_t index, const std::vector<Tensor>& some) const {
    const SliceScope whole(1);
    const ProcessGroupScope alone(nullptr);
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

  Slice rows_of_slice(int64_t index) const {
    return slice_of(inputs[0].size(0), count, index);
  }

  /// The slices of a process; alone, all.
  Slice slices_of(int64_t rank) const {
    return group ? slice_of(count, group->size(), rank) : Slice{0, count};
  }
  Slice own() const { return slices_of(group ? group->rank() : 0); }

  /// body(i) for the slices of this process.
  void for_each_own(const std::function<void(int64_t)>& body) const {
    const auto first = own().begin;
    // One slice by itself would have all threads, unlike where there are more.
    std::optional<AloneInLoops> alone;
    if (group) alone.emplace();
    for_each_slice(own().size(), [&](int64_t i) { body(first + i); });
  }

  /// Of each process.
  std::vector<int64_t> num_slices_each() const {
    std::vector<int64_t> counts;
    for (int64_t rank = 0; rank < group->size(); ++rank)
      counts.push_back(slices_of(rank).size());
    return counts;
  }

  /// The rows of all slices, of which `parts` has those of this process.
  Tensor joined(const std::vector<Tensor>& parts) const {
    const auto mine = at::cat(
        at::TensorList(parts).slice(size_t(own().begin), size_t(own().size())));
    if (!group) return mine;
    std::vector<int64_t> counts;
    for (int64_t rank = 0; rank < group->size(); ++rank) {
      const auto slices = slices_of(rank);
      counts.push_back(rows_of_slice(slices.end - 1).end -
                       rows_of_slice(slices.begin).begin);
    }
    return group->gather_rows(mine, counts);
  }

  /// With a graph for each slice.
  Tensor run_with_graphs() {
    answers.resize(size_t(count));
    slice_inputs.resize(size_t(count));
    for_each_own([&](int64_t i) {
      const at::AutoGradMode with_gradients(true);
      auto some = rows_of(inputs, rows_of_slice(i));
      for (size_t k = 0; k < some.size(); ++k)
        if (some[k].defined())
          some[k] = some[k].detach().requires_grad_(inputs[k].requires_grad());
      answers[size_t(i)] = answer_of(i, some);
      slice_inputs[size_t(i)] = std::move(some);
    });
    const at::AutoGradMode without_gradients(false);
    return joined(answers);
  }

  /// The answer with one graph, that has gradients of gradients.
  Tensor run_anew() const {
    std::vector<Tensor> parts;
    for (int64_t i = 0; i < count; ++i)
      parts.push_back(answer_of(i, rows_of(inputs, rows_of_slice(i))));
    return at::cat(parts);
  }

  /// Gradients of inputs, then of parameters.
  variable_list gradients(const Tensor& grad) {
    const auto [first, last] = own();
    const bool in_order = group && !loose;
    std::vector<std::vector<Tensor>> of_inputs(inputs.size());
    for (auto& parts : of_inputs) parts.resize(size_t(count));
    // Sums of this process or, where sums of all of them are to be added in the
    // order of the slices, what each slice adds.
    std::vector<Tensor> of_parameters(parameters.size());
    std::vector<std::vector<Tensor>> of_slices(size_t(last - first));
    InOrder order;
    for_each_own([&, begin = first](int64_t i) {
      try {
        auto [inputs_of_slice, found] = gradients_of_slice(i, grad);
        for (size_t k = 0; k < inputs.size(); ++k)
          of_inputs[k][size_t(i)] = inputs_of_slice[k];
        if (in_order) {
          of_slices[size_t(i - begin)] = std::move(found);
          return;
        }
        order.run(i - begin, [&] { add_to(of_parameters, found); });
      } catch (...) {
        order.give_up();
        throw;
      }
    });
    if (in_order)
      of_parameters = summed(std::move(of_slices));
    else if (loose)
      loose->add(
          *group, parameters,
          std::exchange(of_parameters, std::vector<Tensor>(parameters.size())));
    variable_list all;
    for (auto& parts : of_inputs)
      all.push_back(parts[size_t(first)].defined() ? joined(parts) : Tensor());
    all.insert(all.end(), of_parameters.begin(), of_parameters.end());
    return all;
  }

  struct OfSlice {
    std::vector<Tensor> inputs, parameters;
  };

  OfSlice gradients_of_slice(int64_t index, const Tensor& grad) {
    auto& some = slice_inputs[size_t(index)];
    std::vector<Tensor> wanted;
    std::vector<size_t> which;
    for (size_t k = 0; k < some.size(); ++k)
      if (some[k].defined() && some[k].requires_grad()) {
        wanted.push_back(some[k]);
        which.push_back(k);
      }
    wanted.insert(wanted.end(), parameters.begin(), parameters.end());
    if (!answers[size_t(index)].defined())
      throw ShapeError("in_slices: the way back is there once");
    const auto rows = rows_of_slice(index);
    const auto found =
        torch::autograd::grad({std::exchange(answers[size_t(index)], Tensor())},
                              wanted, {grad.narrow(0, rows.begin, rows.size())},
                              /*retain_graph=*/false, /*create_graph=*/false,
                              /*allow_unused=*/true);
    some.clear();
    OfSlice result{std::vector<Tensor>(inputs.size()),
                   {found.begin() + int64_t(which.size()), found.end()}};
    for (size_t k = 0; k < which.size(); ++k)
      result.inputs[which[k]] = found[k];
    return result;
  }

  static void add_to(std::vector<Tensor>& sums,
                     const std::vector<Tensor>& parts) {
    for (size_t k = 0; k < sums.size(); ++k) {
      if (!parts[k].defined()) continue;
      if (sums[k].defined())
        sums[k].add_(parts[k]);
      else
        sums[k] = parts[k].clone();
    }
  }

  /// Of the slices of all processes. Which parameters take part is the same in
  /// all of them.
  std::vector<Tensor> summed(std::vector<std::vector<Tensor>> of_slices) const {
    std::vector<Tensor> sums(parameters.size());
    std::vector<size_t> which;
    int64_t size = 0;
    for (size_t k = 0; k < sums.size(); ++k)
      if (of_slices[0][k].defined()) {
        which.push_back(k);
        size += parameters[k].numel();
      }
    if (which.empty()) return sums;
    const auto rows = at::empty({int64_t(of_slices.size()), size});
    for (size_t i = 0; i < of_slices.size(); ++i) {
      std::vector<Tensor> flat;
      for (const auto k : which) flat.push_back(of_slices[i][k].flatten());
      auto row = rows[int64_t(i)];
      at::cat_out(row, flat);
      of_slices[i].clear();
    }
    const auto sum = group->sum_in_order(rows, num_slices_each());
    int64_t begin = 0;
    for (const auto k : which) {
      sums[k] = sum.narrow(0, begin, parameters[k].numel())
                    .view(parameters[k].sizes());
      begin += parameters[k].numel();
    }
    return sums;
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

/// Without gradients: each process takes some rows.
Tensor in_processes(ProcessGroup& group, const std::vector<Tensor>& parameters,
                    const std::vector<Tensor>& inputs,
                    const RowFunction& forward) {
  std::vector<int64_t> counts;
  for (int64_t rank = 0; rank < group.size(); ++rank)
    counts.push_back(slice_of(inputs[0].size(0), group.size(), rank).size());
  const auto mine = slice_of(inputs[0].size(0), group.size(), group.rank());
  const ProcessGroupScope alone(nullptr);
  return group.gather_rows(
      in_slices(parameters, rows_of(inputs, mine), forward), counts);
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
  auto* const group = current_process_group();
  const auto num_rows = inputs.front().size(0);
  const bool with_gradients = at::GradMode::is_enabled();
  if (group && !with_gradients && num_rows >= group->size())
    return in_processes(*group, parameters, inputs, forward);
  const auto count = num_slices_for(inputs.front());
  const auto compute = compute_on(inputs.front().device(), with_gradients);
  if (count <= 1)
    return finite(computed(forward, inputs, compute), forward, inputs, compute);
  auto call = c10::make_intrusive<Call>();
  call->forward = forward;
  call->inputs = inputs;
  call->compute = compute;
  call->count = count;
  if (group && count >= group->size()) {
    call->group = group;
    call->loose = SumsInAnyOrder::current();
  }
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
