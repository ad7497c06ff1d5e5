#include "training/trainer.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/error.h"
#include "core/files.h"
#include "core/progress.h"
#include "core/runtime.h"
#include "core/stop_signal.h"
#include "datasets/image_io.h"
#include "training/checkpoint.h"
#include "training/ema_snapshots.h"
#include "training/loss_curves.h"

namespace calotype {
namespace {

constexpr int64_t kSampleColumns = 8;  // what Trainable::preview lays out
constexpr const char* kLevelCounts = "log.level_counts";
constexpr const char* kLevelSums = "log.level_sums";

torch::nn::Module& moved_to(c10::Device device, torch::nn::Module& module) {
  module.to(device);
  return module;
}

at::Tensor on_device(const at::Tensor& tensor, c10::Device device) {
  return tensor.defined() ? tensor.to(device) : tensor;
}

std::vector<Ema> averages_of(const TrainerConfig& config,
                             const at::Tensor& values) {
  if (config.ema_lengths.empty()) return {Ema(config.ema_decay, values)};
  std::vector<Ema> averages;
  for (const double length : config.ema_lengths)
    averages.push_back(Ema::of_length(length, values));
  return averages;
}

}  // namespace

void TrainerConfig::validate() const {
  constexpr double kMany = 1e12;
  check_range("training", "steps", double(steps), 1, kMany);
  check_range("training", "batch_size", double(batch_size), 1, 1 << 20);
  check_range("training", "accumulate", double(accumulate), 1, 1 << 20);
  check_range("training", "gradient_clip", gradient_clip, 0, 1e12);
  check_range("training", "ema_decay", ema_decay, 0, 1);
  check_lengths("training", ema_lengths);
  check_range("training", "ema_snapshot_every", double(ema_snapshot_every), 0,
              kMany);
  check_range("training", "log_every", double(log_every), 1, kMany);
  check_range("training", "validate_every", double(validate_every), 1, kMany);
  check_range("training", "validation_batches", double(validation_batches), 0,
              kMany);
  check_range("training", "sample_every", double(sample_every), 1, kMany);
  check_range("training", "checkpoint_every", double(checkpoint_every), 1,
              kMany);
  learning_rate.validate();
  optimizer.validate();
}

Trainer::Trainer(const TrainerConfig& config, TrainerSetup setup,
                 RunFolder& run)
    : config_(config),
      setup_(std::move(setup)),
      run_(run),
      parameters_(moved_to(setup_.device, setup_.trainable->trained_module())),
      optimizer_(config.optimizer, parameters_.values()),
      averages_(averages_of(config, parameters_.values())) {
  config.validate();
  resume();
}

TrainingResult Trainer::run() {
  started_s_ = monotonic_s();
  const int64_t first = step_;
  Progress progress(setup_.label, config_.steps, "steps", step_);
  Json line;
  if (samples_are_due() && !std::filesystem::exists(run_.sample_file(step_)))
    draw_samples();  // an earlier call was stopped in the middle of them
  while (step_ < config_.steps) {
    const auto losses = step();
    const bool last = step_ == config_.steps;
    const bool stop = stop_requested() || (setup_.stop_after > 0 &&
                                           step_ - first >= setup_.stop_after);
    progress.update(step_, progress_text(losses));
    tell(losses.warning);

    const bool validates =
        setup_.validation && (step_ % config_.validate_every == 0 || last);
    if (step_ % config_.log_every == 0 || validates || last) {
      line = {{"step", step_},
              {"epoch", setup_.data->position().epoch},
              {"loss", losses.total}};
      for (const auto& [name, value] : losses.parts) line[name] = value;
      line["learning_rate"] =
          learning_rate(config_.learning_rate, step_, config_.steps);
      line["gradient_norm"] = losses.gradient_norm;
      line["samples_per_s"] = std::round(
          progress.rate() * double(config_.batch_size * config_.accumulate));
      line["elapsed_s"] = elapsed_before_s_ + monotonic_s() - started_s_;
      if (!levels_.empty()) {
        line["noise_level"] = levels_.name();
        line["loss_by_noise"] = levels_.means();
        levels_.clear();
      }
      if (validates) line.update(validate());
      run_.log(line);
    }
    // Ahead of the checkpoint: one that was kept is not written again.
    if (last || (config_.ema_snapshot_every > 0 &&
                 step_ % config_.ema_snapshot_every == 0))
      save_snapshots();
    const bool saves = step_ % config_.checkpoint_every == 0 || last || stop;
    if (saves) save();
    try {
      throw_if_stopped();
      if (samples_are_due()) draw_samples();
      throw_if_stopped();
    } catch (const Interrupted&) {
      if (!saves) save();
      throw;
    }
    if (stop) break;
  }
  progress.finish();
  return {.step = step_,
          .elapsed_s = elapsed_before_s_ + monotonic_s() - started_s_,
          .samples_per_s =
              progress.rate() * double(config_.batch_size * config_.accumulate),
          .last = line};
}

Batch Trainer::next_batch(BatchSource& source) {
  auto batch = source.next();
  batch.data = on_device(batch.data, setup_.device);
  batch.logvar = on_device(batch.logvar, setup_.device);
  batch.labels = on_device(batch.labels, setup_.device);
  batch.seed = setup_.seed;
  batch.step = step_;
  return batch;
}

std::string Trainer::progress_text(const StepLosses& losses) const {
  auto text = fmt::format("loss {:.4g}", losses.total);
  for (const auto& [name, value] : losses.parts)
    if (name == "perplexity") text += fmt::format("  perplexity {:.0f}", value);
  return text;
}

void Trainer::tell(const std::string& warning) {
  const bool is_new = !warning.empty() && !was_warned_;
  was_warned_ = !warning.empty();
  if (is_new)
    fmt::print(stderr, "\n{}: step {}: {}\n", run_.path().string(), step_,
               warning);
}

void Trainer::add(StepLosses& sums, const Losses& losses, double share) const {
  sums.total += share * losses.total.item<double>();
  sums.warning = losses.warning;
  if (sums.parts.empty())
    for (const auto& part : losses.parts)
      sums.parts.emplace_back(part.first, 0);
  for (size_t i = 0; i < losses.parts.size(); ++i)
    sums.parts[i].second += share * losses.parts[i].second.item<double>();
}

Trainer::StepLosses Trainer::step() {
  auto& gradients = parameters_.gradients();
  gradients.zero_();
  setup_.trainable->trained_module().train();
  torch::manual_seed(setup_.seed +
                     uint64_t(step_));  // dropout is the only other draw

  StepLosses losses;
  Batch batch;
  const double share = 1.0 / double(config_.accumulate);
  for (int64_t pass = 0; pass < config_.accumulate; ++pass) {
    batch = next_batch(*setup_.data);
    const auto result = setup_.trainable->losses(batch);
    (result.total * share).backward();
    add(losses, result, share);
    levels_.add(result.by_level);
  }
  losses.gradient_norm = euclidean_norm(gradients);
  check_finite(losses, batch);
  if (config_.gradient_clip > 0 && losses.gradient_norm > config_.gradient_clip)
    gradients.mul_(config_.gradient_clip / losses.gradient_norm);

  const auto trained = setup_.trainable->trained_parameters(step_);
  ++step_;
  optimizer_.step(
      parameters_.values(), gradients,
      learning_rate(config_.learning_rate, step_, config_.steps), step_,
      trained.empty() ? at::Tensor() : parameters_.mask_of(trained));
  for (auto& average : averages_) average.update(parameters_.values(), step_);
  return losses;
}

void Trainer::check_finite(const StepLosses& losses, const Batch& last) const {
  if (std::isfinite(losses.total) && std::isfinite(losses.gradient_norm))
    return;
  std::string what;
  if (!last.data.isfinite().all().item<bool>()) {
    what = "the batch holds values that are not finite";
  } else {
    for (const auto& [name, value] : losses.parts)
      if (!std::isfinite(value)) what += fmt::format("{} is {}; ", name, value);
    const auto names = parameters_.names_with_bad_gradient();
    what += names.empty()
                ? "no gradient is affected"
                : fmt::format("the gradient of {} and {} others is not finite",
                              names.front(), names.size() - 1);
  }
  const auto first =
      last.samples.narrow(0, 0, std::min<int64_t>(4, last.samples.size(0)));
  std::vector<int64_t> samples(first.data_ptr<int64_t>(),
                               first.data_ptr<int64_t>() + first.numel());
  throw NumericError(fmt::format(
      "{}: step {}: {} (samples {}, ...); the checkpoint before it is kept. "
      "Try a lower "
      "learning_rate.peak or gradient_clip",
      run_.path().string(), step_ + 1, what, fmt::join(samples, ", ")));
}

Json Trainer::validate() {
  const torch::NoGradGuard no_grad;
  const AveragedWeights averaged(parameters_.values(),
                                 averages_.front().values());
  setup_.trainable->trained_module().eval();
  setup_.validation->seek({});
  const auto per_epoch =
      (setup_.validation->size() + config_.batch_size - 1) / config_.batch_size;
  const auto count = std::min(config_.validation_batches, per_epoch);
  StepLosses sums;
  LevelBins levels;
  for (int64_t i = 0; i < count; ++i) {
    auto batch = next_batch(*setup_.validation);
    batch.step = 0;  // the same draws each time, so that the curve is smooth
    const auto losses = setup_.trainable->losses(batch);
    add(sums, losses, 1.0 / double(count));
    levels.add(losses.by_level);
  }
  Json line;
  if (count == 0) return Json::object();
  line["val_loss"] = sums.total;
  for (const auto& [name, value] : sums.parts) line["val_" + name] = value;
  if (!levels.empty()) line["val_loss_by_noise"] = levels.means();
  return line;
}

bool Trainer::samples_are_due() const {
  return step_ > 0 &&
         (step_ % config_.sample_every == 0 || step_ == config_.steps);
}

void Trainer::draw_samples() {
  const torch::NoGradGuard no_grad;
  const AveragedWeights averaged(parameters_.values(),
                                 averages_.front().values());
  setup_.trainable->trained_module().eval();
  auto& source = setup_.validation ? *setup_.validation : *setup_.data;
  const auto position = source.position();
  source.seek({});
  auto batch = next_batch(source);
  batch.step = 0;
  source.seek(position);
  auto shown = setup_.trainable->preview(batch);
  if (!shown.defined()) return;
  if (setup_.to_images) {
    // A few at a time: decoders of large images take much memory for each.
    constexpr int64_t kAtOnce = 4;
    std::vector<at::Tensor> parts;
    for (const auto& part : shown.split(kAtOnce)) {
      throw_if_stopped();
      parts.push_back(setup_.to_images(part));
    }
    shown = torch::cat(parts);
  }
  const auto grid =
      image_grid(shown, kSampleColumns, shown.size(3) < 64 ? 2 : 1);
  write_file_atomic(run_.sample_file(step_), encode_png(grid));
}

std::map<std::string, at::Tensor> Trainer::state_tensors() {
  std::map<std::string, at::Tensor> tensors;
  const auto add_all = [&](const std::string& prefix, const at::Tensor& flat) {
    for (const auto& [name, tensor] : parameters_.by_name(flat))
      tensors[prefix + name] = tensor;
  };
  add_all("weights.", parameters_.values());
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

void Trainer::save() {
  auto tensors = state_tensors();
  if (!levels_.empty()) {
    tensors[kLevelCounts] = levels_.counts();
    tensors[kLevelSums] = levels_.sums();
  }
  write_checkpoint(run_.state_file(),
                   {.step = step_,
                    .elapsed_s = elapsed_before_s_ + monotonic_s() - started_s_,
                    .position = setup_.data->position(),
                    .tensors = tensors});
  {
    const AveragedWeights averaged(parameters_.values(),
                                   averages_.front().values());
    if (setup_.save_model)
      setup_.save_model(weights_of(setup_.trainable->module()));
  }
  write_loss_curves(run_);
}

void Trainer::save_snapshots() {
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
  if (!std::filesystem::exists(run_.state_file())) {
    run_.forget_metrics_after(0);
    forget_ema_snapshots_after(run_.ema_folder(), 0);
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
  setup_.data->seek(checkpoint.position);
  run_.forget_metrics_after(step_);
  forget_ema_snapshots_after(run_.ema_folder(), step_);
}

}  // namespace calotype
