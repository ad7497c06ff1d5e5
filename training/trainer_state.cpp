// What a Trainer keeps of a run, and how it comes back to it.
#include "training/trainer.h"

#include <torch/utils.h>

#include "core/error.h"
#include "core/hash.h"
#include "core/profile.h"
#include "training/checkpoint.h"
#include "training/ema_snapshots.h"
#include "training/loss_curves.h"

namespace calotype {
namespace {

constexpr const char* kLevelCounts = "log.level_counts";
constexpr const char* kLevelSums = "log.level_sums";

}  // namespace

std::map<std::string, at::Tensor> Trainer::state_tensors() {
  std::map<std::string, at::Tensor> tensors;
  const auto add_all = [&](const std::string& prefix, const at::Tensor& flat) {
    for (const auto& [name, tensor] : parameters_.by_name(flat))
      tensors[prefix + name] = tensor;
  };
  add_all("weights.", parameters_.values());
  for (const auto& [name, tensor] : frozen_.parameters())
    tensors["frozen." + name] = tensor;
  for (auto& average : averages_)
    add_all(average.length() == 0
                ? "ema."
                : "ema_" + length_text(average.length()) + ".",
            average.values());
  add_all("first_moment.", optimizer_.first_moment());
  add_all("second_moment.", optimizer_.second_moment());
  for (const auto& item : setup_.trainable->trained_module().named_buffers())
    tensors["buffers." + item.key()] = item.value();
  for (const auto& [name, tensor] : setup_.trainable->training_state())
    tensors["training." + name] = tensor;
  return tensors;
}

/// Processes compute the same numbers outside of networks, on the same kind of
/// processor; where they do not, they would drift apart unseen.
void Trainer::expect_same_weights() {
  if (!group_) return;
  const auto values = parameters_.values().to(at::kCPU);
  const auto hashes =
      group_->all_of(xxh64({static_cast<const uint8_t*>(values.data_ptr()),
                            size_t(values.nbytes())}));
  for (size_t rank = 1; rank < hashes.size(); ++rank)
    if (hashes[rank] != hashes[0])
      throw NumericError(fmt::format(
          "{}: step {}: process {} has other weights than process 0: is its "
          "processor, or its LibTorch, of another kind? The checkpoint before "
          "it is kept",
          run_.path().string(), step_, rank));
}

void Trainer::save() {
  expect_same_weights();
  if (!run_.writes()) return;
  const ProfileZone zone("checkpoint");
  auto tensors = state_tensors();
  if (!levels_.empty()) {
    tensors[kLevelCounts] = levels_.counts();
    tensors[kLevelSums] = levels_.sums();
  }
  write_checkpoint(run_.state_file(), {.step = step_,
                                       .elapsed_s = elapsed_s(),
                                       .position = setup_.data->position(),
                                       .tensors = tensors,
                                       .pending_line = pending_line_});
  save_outputs();
}

/// What is made of the state for others.
void Trainer::save_outputs() {
  if (!run_.writes()) return;
  {
    const AveragedWeights averaged(parameters_.values(),
                                   averages_.front().values());
    if (setup_.save_model)
      setup_.save_model(weights_of(setup_.trainable->module()));
  }
  write_loss_curves(run_);
}

void Trainer::save_snapshots() {
  if (!run_.writes()) return;
  for (auto& average : averages_) {
    if (average.length() == 0) continue;
    const AveragedWeights averaged(parameters_.values(), average.values());
    std::map<std::string, at::Tensor> weights;
    for (const auto& item : setup_.trainable->module().named_parameters())
      if (item.value().requires_grad()) weights[item.key()] = item.value();
    write_ema_snapshot(run_.ema_folder(), {average.length(), step_}, weights);
  }
}

void Trainer::resume() {
  const auto forget_after = [&](int64_t step) {
    if (run_.writes()) forget_ema_snapshots_after(run_.ema_folder(), step);
  };
  if (is_missing(run_.state_file())) {
    run_.forget_metrics_after(0);
    forget_after(0);
    return;
  }
  const torch::NoGradGuard no_grad;
  const auto checkpoint = read_checkpoint(run_.state_file());
  for (auto& [name, tensor] : state_tensors()) {
    const auto found = checkpoint.tensors.find(name);
    if (found == checkpoint.tensors.end() ||
        found->second.sizes() != tensor.sizes())
      throw DataError(fmt::format("{}: {} is missing or of another shape",
                                  run_.state_file().string(), name));
    tensor.copy_(found->second);
  }
  // Only lines of the log depend on these; a checkpoint need not have them.
  if (checkpoint.tensors.contains(kLevelCounts)) {
    levels_.counts().copy_(checkpoint.tensors.at(kLevelCounts));
    levels_.sums().copy_(checkpoint.tensors.at(kLevelSums));
  }
  step_ = checkpoint.step;
  elapsed_before_s_ = checkpoint.elapsed_s;
  pending_line_ = checkpoint.pending_line;
  setup_.data->seek(checkpoint.position);
  // A line that waits for its validation may have been written since.
  run_.forget_metrics_after(pending_line_.is_null() ? step_ : step_ - 1);
  forget_after(step_);
}

}  // namespace calotype
