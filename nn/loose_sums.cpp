#include "nn/loose_sums.h"

#include <torch/types.h>

#include <functional>
#include <utility>

namespace calotype {
namespace {

thread_local SumsInAnyOrder* loose_sums = nullptr;

}  // namespace

struct SumsInAnyOrder::Pending {
  std::vector<at::Tensor> parameters, sums;
  std::function<void()> finish;
};

SumsInAnyOrder::SumsInAnyOrder() {
  loose_sums = this;
}
SumsInAnyOrder::~SumsInAnyOrder() {
  loose_sums = nullptr;
}

SumsInAnyOrder* SumsInAnyOrder::current() {
  return loose_sums;
}

void SumsInAnyOrder::add(ProcessGroup& group,
                         const std::vector<at::Tensor>& parameters,
                         const std::vector<at::Tensor>& sums) {
  Pending pending;
  std::vector<at::Tensor> flat;
  for (size_t k = 0; k < parameters.size(); ++k)
    if (sums[k].defined()) {
      pending.parameters.push_back(parameters[k]);
      flat.push_back(sums[k].flatten());
    }
  if (flat.empty()) return;
  const auto sum = at::cat(flat);
  pending.finish = group.begin_sum(sum);
  int64_t begin = 0;
  for (const auto& parameter : pending.parameters) {
    pending.sums.push_back(
        sum.narrow(0, begin, parameter.numel()).view(parameter.sizes()));
    begin += parameter.numel();
  }
  pending_.push_back(std::move(pending));
}

void SumsInAnyOrder::finish() {
  const at::NoGradGuard no_grad;
  for (auto& pending : std::exchange(pending_, {})) {
    pending.finish();
    for (size_t k = 0; k < pending.parameters.size(); ++k) {
      auto& grad = pending.parameters[k].mutable_grad();
      if (grad.defined())
        grad.add_(pending.sums[k]);
      else
        grad = pending.sums[k].clone();
    }
  }
}

}  // namespace calotype
