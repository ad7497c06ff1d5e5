#include "nn/slice_call.h"

#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>
#include <torch/autograd.h>
#include <torch/types.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/memory.h"
#include "core/progress.h"
#include "nn/bfloat16_sum.h"
#include "nn/row_memory.h"

namespace calotype {
namespace {

using at::Tensor;
using torch::autograd::variable_list;

thread_local std::optional<at::Generator> draws;  // of the slice
thread_local bool is_inside = false;              // of a network

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

class Inside {
 public:
  Inside() : before_(std::exchange(is_inside, true)) {}
  ~Inside() { is_inside = before_; }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  bool before_;
};

/// To a sum in float, of numbers in float or bfloat16.
void add_to(Tensor& sum, const Tensor& part) {
  const bool lie_alike =
      sum.strides() == part.strides() && part.is_non_overlapping_and_dense();
  if (part.scalar_type() == at::kBFloat16 && lie_alike)
    add_numbers(static_cast<const Bfloat16*>(part.data_ptr()), part.numel(),
                sum.data_ptr<float>());
  else
    sum.add_(part);
}

void add_to(std::vector<Tensor>& sums, const std::vector<Tensor>& parts) {
  for (size_t k = 0; k < sums.size(); ++k) {
    if (!parts[k].defined()) continue;
    if (sums[k].defined())
      add_to(sums[k], parts[k]);
    else
      sums[k] = parts[k].to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  }
}

}  // namespace

std::vector<Tensor> rows_of(const std::vector<Tensor>& inputs,
                            const Slice& slice) {
  std::vector<Tensor> some;
  for (const auto& input : inputs)
    some.push_back(input.defined() ? input.narrow(0, slice.begin, slice.size())
                                   : input);
  return some;
}

Tensor computed(const RowFunction& forward, const std::vector<Tensor>& inputs,
                const Compute& compute) {
  const ComputeScope scope(compute);
  const ProcessGroupScope alone(nullptr);  // networks inside are not shared
  const Inside inside;
  const auto answer = forward(inputs);
  const bool in_bf16 = answer.scalar_type() == at::kBFloat16;
  return (in_bf16 ? answer.to(at::kFloat) : answer).contiguous();
}

bool watches_memory() {
  return memory_limit() > 0 && !is_inside;
}

void expect_graphs_fit(size_t network, const std::vector<Tensor>& inputs,
                       int64_t num_rows, const RowFunction& forward,
                       const Compute& compute) {
  if (known_row_bytes(network, inputs) > 0) return;
  int64_t row_bytes = 0;
  {
    const SliceScope whole(1);
    const SliceDraws no_draw_of_others(0, 0);
    const TensorMemory memory;
    const auto answer =
        computed(forward, rows_of(inputs, {.begin = 0, .end = 1}), compute);
    row_bytes = with_scratch(memory.held_bytes());
  }
  know_row_bytes(network, inputs, row_bytes);
  const auto left = memory_left();
  const auto fit = rows_that_fit(row_bytes);
  if (fit >= num_rows && row_bytes <= left) return;
  throw ConfigError(fmt::format(
      "a batch of {} needs about {} of memory for its gradients, and {} are "
      "left of {} (--memory): {}",
      num_rows, bytes_text(double(num_rows * row_bytes)),
      bytes_text(double(left)), bytes_text(double(memory_limit())),
      row_bytes > left ? "not one row fits"
                       : fmt::format("training.batch_size={} would fit, "
                                     "training.accumulate={} makes up for it",
                                     fit, (num_rows + fit - 1) / fit)));
}

Tensor SliceCall::answer_of(int64_t index,
                            const std::vector<Tensor>& some) const {
  const SliceScope whole(1);
  const SliceDraws draws_of_slice(seed, index);
  return computed(forward, some, compute);
}

/// Without gradients, as many rows at once as fit into memory.
Tensor SliceCall::run() const {
  const auto num_rows = inputs[0].size(0);
  Tensor all;
  std::once_flag is_made;
  const auto answer_rows = [&](int64_t index, const Slice& rows) {
    const auto part = answer_of(index, rows_of(inputs, rows));
    std::call_once(is_made, [&] {
      auto sizes = part.sizes().vec();
      sizes[0] = num_rows;
      all = at::empty(sizes, part.options());
    });
    all.narrow(0, rows.begin, rows.size()).copy_(part);
  };
  const bool watches = watches_memory();
  auto row_bytes = watches ? known_row_bytes(network, inputs) : 0;
  int64_t num_done = 0;
  if (watches && row_bytes == 0 && num_rows > 1) {
    const TensorMemory memory;
    answer_rows(0, {0, num_done = 1});
    row_bytes = with_scratch(memory.peak_bytes());
    know_row_bytes(network, inputs, row_bytes);
  }
  const auto left = num_rows - num_done;
  const auto fit = row_bytes > 0
                       ? rows_in_flight(row_bytes, count, inputs[0].device())
                       : left;
  // Where not even each thread may have a row, all are in the loops of one.
  const auto usual = std::min(count, left);
  const bool side_by_side = usual > 1 && fit >= usual;
  const auto at_once = side_by_side ? fit / usual : fit;  // rows of a part
  const auto num_parts = fit >= left ? usual : (left + at_once - 1) / at_once;
  const auto answer_part = [&](int64_t i) {
    const auto [begin, end] = slice_of(left, num_parts, i);
    answer_rows(i, {num_done + begin, num_done + end});
  };
  if (side_by_side)
    for_each_slice(num_parts, answer_part);
  else
    for (int64_t i = 0; i < num_parts; ++i) answer_part(i);
  return all;
}

Slice SliceCall::rows_of_slice(int64_t index) const {
  return slice_of(inputs[0].size(0), count, index);
}

/// The slices of a process; alone, all.
Slice SliceCall::slices_of(int64_t rank) const {
  return group ? slice_of(count, group->size(), rank) : Slice{0, count};
}
Slice SliceCall::own() const {
  return slices_of(group ? group->rank() : 0);
}

/// body(i) for the slices of this process.
void SliceCall::for_each_own(const std::function<void(int64_t)>& body) const {
  const auto first = own().begin;
  // One slice by itself would have all threads, unlike where there are more.
  std::optional<AloneInLoops> alone;
  if (group) alone.emplace();
  for_each_slice(own().size(), [&](int64_t i) { body(first + i); });
}

/// Of each process.
std::vector<int64_t> SliceCall::num_slices_each() const {
  std::vector<int64_t> counts;
  for (int64_t rank = 0; rank < group->size(); ++rank)
    counts.push_back(slices_of(rank).size());
  return counts;
}

/// The rows of all slices, of which `parts` has those of this process.
Tensor SliceCall::joined(const std::vector<Tensor>& parts) const {
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
Tensor SliceCall::run_with_graphs() {
  answers.resize(size_t(count));
  slice_inputs.resize(size_t(count));
  for_each_own([&](int64_t i) {
    const at::AutoGradMode with_gradients(true);
    auto some = rows_of(inputs, rows_of_slice(i));
    for (size_t k = 0; k < some.size(); ++k)
      if (some[k].defined())
        some[k] = some[k].detach().requires_grad_(inputs[k].requires_grad());
    const RoundedWeightsScope in_common(&rounded);
    answers[size_t(i)] = answer_of(i, some);
    slice_inputs[size_t(i)] = std::move(some);
  });
  const at::AutoGradMode without_gradients(false);
  return joined(answers);
}

/// The answer with one graph, that has gradients of gradients.
Tensor SliceCall::run_anew() const {
  std::vector<Tensor> parts;
  for (int64_t i = 0; i < count; ++i)
    parts.push_back(answer_of(i, rows_of(inputs, rows_of_slice(i))));
  return at::cat(parts);
}

/// Gradients of inputs, then of parameters.
variable_list SliceCall::gradients(const Tensor& grad) {
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

SliceCall::OfSlice SliceCall::gradients_of_slice(int64_t index,
                                                 const Tensor& grad) {
  auto& some = slice_inputs[size_t(index)];
  OfSlice result{std::vector<Tensor>(inputs.size()),
                 std::vector<Tensor>(parameters.size())};
  std::vector<Tensor> wanted;
  std::vector<Tensor*> places;  // of what is wanted, in `result`
  const auto want = [&](const Tensor& leaf, Tensor& place) {
    wanted.push_back(leaf);
    places.push_back(&place);
  };
  for (size_t k = 0; k < some.size(); ++k)
    if (some[k].defined() && some[k].requires_grad())
      want(some[k], result.inputs[k]);
  for (size_t k = 0; k < parameters.size(); ++k)
    want(parameters[k], result.parameters[k]);
  // What was rounded to bf16 stands for its weight.
  for (size_t k = 0; k < parameters.size(); ++k)
    if (const auto leaf = rounded.leaf_of(parameters[k]); leaf.defined())
      want(leaf, result.parameters[k]);
  if (!answers[size_t(index)].defined())
    throw ShapeError("in_slices: the way back is there once");
  const auto rows = rows_of_slice(index);
  const auto found =
      torch::autograd::grad({std::exchange(answers[size_t(index)], Tensor())},
                            wanted, {grad.narrow(0, rows.begin, rows.size())},
                            /*retain_graph=*/false, /*create_graph=*/false,
                            /*allow_unused=*/true);
  some.clear();
  for (size_t k = 0; k < found.size(); ++k) {
    if (!found[k].defined()) continue;
    *places[k] = places[k]->defined()
                     ? places[k]->to(at::kFloat) + found[k].to(at::kFloat)
                     : found[k];
  }
  return result;
}

/// Of the slices of all processes. Which parameters take part is the same in
/// all of them.
std::vector<Tensor> SliceCall::summed(
    std::vector<std::vector<Tensor>> of_slices) const {
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
    for (const auto k : which)
      flat.push_back(of_slices[i][k].to(at::kFloat).flatten());
    auto row = rows[int64_t(i)];
    at::cat_out(row, flat);
    of_slices[i].clear();
  }
  const auto sum = group->sum_in_order(rows, num_slices_each());
  int64_t begin = 0;
  for (const auto k : which) {
    sums[k] =
        sum.narrow(0, begin, parameters[k].numel()).view(parameters[k].sizes());
    begin += parameters[k].numel();
  }
  return sums;
}

at::Tensor drop_out(const at::Tensor& x, double p, bool is_training) {
  if (!draws || !is_training || p == 0) return at::dropout(x, p, is_training);
  return x * at::empty_like(x).bernoulli_(1 - p, *draws).div_(1 - p);
}

}  // namespace calotype
