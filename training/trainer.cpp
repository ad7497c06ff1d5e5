#include "training/trainer.h"

#include <torch/nn/module.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/error.h"
#include "core/files.h"
#include "core/profile.h"
#include "core/progress.h"
#include "core/runtime.h"
#include "core/slices.h"
#include "core/stop_signal.h"
#include "images/image_io.h"
#include "images/png_recipe.h"
#include "nn/loose_sums.h"
#include "nn/onednn_check.h"
#include "nn/precision.h"
#include "nn/sliced.h"
#include "training/ema_snapshots.h"
#include "training/loss_means.h"

namespace calotype {
namespace {

constexpr int64_t kSampleColumns = 8;  // what Trainable::preview lays out

torch::nn::Module& moved_to(c10::Device device, torch::nn::Module& module) {
  module.to(device);
  return module;
}

/// A GPU takes a batch out of memory that keeps its place, while the CPU goes
/// on.
at::Tensor on_device(const at::Tensor& tensor, c10::Device device) {
  if (!tensor.defined()) return tensor;
  if (device.is_cuda() && tensor.is_cpu())
    return tensor.pin_memory().to(device, /*non_blocking=*/true);
  return tensor.to(device);
}

void go_back(const at::Tensor& loss) {
  const ProfileZone zone("backward", ZoneKind::kNetwork);
  loss.backward();
}

std::vector<Ema> averages_of(const TrainerConfig& config,
                             const at::Tensor& values) {
  if (config.ema_lengths.empty()) return {Ema(config.ema_decay, values)};
  std::vector<Ema> averages;
  for (const double length : config.ema_lengths)
    averages.push_back(Ema::of_length(length, values));
  return averages;
}

void check_slices(int64_t num_slices, int64_t num_processes) {
  if (num_slices < num_processes)
    throw ConfigError(fmt::format(
        "config: training.slices is {}, and there are {} processes, of which "
        "each takes one at least",
        num_slices, num_processes));
}

}  // namespace

Trainer::Trainer(const TrainerConfig& config, TrainerSetup setup,
                 RunFolder& run)
    : config_(config),
      setup_(std::move(setup)),
      run_(run),
      group_(current_process_group()),
      frozen_(setup_.trainable->module(),
              {.train = config.train, .freeze = config.freeze}),
      parameters_(moved_to(setup_.device, setup_.trainable->trained_module())),
      optimizer_(config.optimizer, parameters_.values()),
      averages_(averages_of(config, parameters_.values())) {
  config.validate();
  if (config_.slices == 0) config_.slices = usual_slices(config_.batch_size);
  if (group_) check_slices(config_.slices, group_->size());
  if (setup_.device.is_cpu()) use_onednn();  // or leaves it out
  resume();
  first_step_ = step_;
}

TrainingResult Trainer::run() {
  started_s_ = monotonic_s();
  const PrecisionScope precision(
      resolve_precision(config_.precision, setup_.device));
  const AgreedStops agreed;
  Progress progress(setup_.label, config_.steps, "steps", step_);
  if (!pending_line_.is_null()) {  // an earlier call was stopped in validation
    finish_line();
    save();
  } else if (step_ == config_.steps) {
    save_outputs();
  }
  if (step_ == config_.steps && std::filesystem::exists(run_.metrics_file()))
    if (auto lines = read_metrics(run_.metrics_file()); !lines.empty())
      last_line_ = std::move(lines.back());
  if (samples_are_due() && is_missing(run_.sample_file(step_)))
    draw_samples();  // likewise in the middle of them
  while (step_ < config_.steps) {
    const auto losses = step();
    const bool last = step_ == config_.steps;
    const bool stop =
        stop_requested() ||
        (setup_.stop_after > 0 && step_ - first_step_ >= setup_.stop_after);
    progress.update(step_, progress_text(losses));
    tell(losses.warning);

    if (step_ % config_.log_every == 0 || validates() || last)
      pending_line_ = line_of(losses, progress.rate());
    // Ahead of the checkpoint: one that was kept is not written again.
    if (last || (config_.ema_snapshot_every > 0 &&
                 step_ % config_.ema_snapshot_every == 0))
      save_snapshots();
    bool is_saved = false;
    try {
      finish_line();
      if (step_ % config_.checkpoint_every == 0 || last || stop ||
          asked_to_save()) {
        save();
        is_saved = true;
      }
      throw_if_stopped();
      if (samples_are_due()) draw_samples();
      throw_if_stopped();
    } catch (const Interrupted&) {
      if (!is_saved) save();
      throw;
    }
    if (stop) break;
  }
  progress.finish();
  return {.step = step_,
          .elapsed_s = elapsed_s(),
          .steps_per_s = progress.rate(),
          .samples_per_s = progress.rate() * rows_per_step(),
          .last = last_line_};
}

/// As process 0 sees it: files show up elsewhere a little later.
bool Trainer::is_missing(const std::filesystem::path& file) {
  const bool missing = !std::filesystem::exists(file);
  return group_ ? group_->all_of(missing)[0] != 0 : missing;
}

bool Trainer::asked_to_save() {
  const bool asked = take_save_request();
  return group_ ? group_->any_bits(asked) != 0 : asked;
}

double Trainer::elapsed_s() const {
  return elapsed_before_s_ + monotonic_s() - started_s_;
}

/// Of this call.
double Trainer::rows_per_step() const {
  return double(num_rows_) / double(std::max<int64_t>(1, step_ - first_step_));
}

bool Trainer::validates() const {
  return setup_.validation && config_.validation_batches > 0 &&
         (step_ % config_.validate_every == 0 || step_ == config_.steps);
}

/// What metrics.jsonl says of the step that was just done, without validation.
Json Trainer::line_of(const StepLosses& losses, double steps_per_s) {
  Json line{{"step", step_},
            {"epoch", setup_.data->position().epoch},
            {"loss", losses.total}};
  for (const auto& [name, value] : losses.parts) line[name] = value;
  line["learning_rate"] =
      learning_rate(config_.learning_rate, step_, config_.steps);
  line["gradient_norm"] = losses.gradient_norm;
  line["samples_per_s"] = std::round(steps_per_s * rows_per_step());
  line["elapsed_s"] = elapsed_s();
  if (!levels_.empty()) {
    line["noise_level"] = levels_.name();
    line["loss_by_noise"] = levels_.means();
    levels_.clear();
  }
  return line;
}

/// Adds the validation to the line that waits for it, if there is one, and
/// writes it.
void Trainer::finish_line() {
  if (pending_line_.is_null()) return;
  auto line = pending_line_;
  if (validates()) line.update(validate());
  run_.log(line);
  pending_line_ = nullptr;
  last_line_ = std::move(line);
}

/// A batch of a source, on the device and named for this step.
Batch Trainer::prepared(Batch batch) const {
  batch.data = on_device(batch.data, setup_.device);
  batch.logvar = on_device(batch.logvar, setup_.device);
  batch.latents = on_device(batch.latents, setup_.device);
  batch.labels = on_device(batch.labels, setup_.device);
  batch.seed = setup_.seed;
  batch.step = batch.steps_done = step_;
  return batch;
}

/// The same with the draws of every validation and preview, so that curves are
/// smooth.
Batch Trainer::at_rest(Batch batch) const {
  batch = prepared(std::move(batch));
  batch.step = 0;
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
  if (is_new && run_.writes())
    fmt::print(stderr, "\n{}: step {}: {}\n", run_.path().string(), step_,
               warning);
}

Batch Trainer::next_batch() {
  const ProfileZone zone("gather");
  return prepared(setup_.data->next());
}

Losses Trainer::losses_of(const Batch& batch) {
  const ProfileZone zone("forward", ZoneKind::kNetwork);
  return setup_.trainable->losses(batch);
}

Trainer::StepLosses Trainer::step() {
  auto& gradients = parameters_.gradients();
  gradients.zero_();
  setup_.trainable->trained_module().train();
  frozen_.stay_as_they_are();
  torch::manual_seed(setup_.seed +
                     uint64_t(step_));  // dropout is the only other draw

  // Whatever adds up numbers outside of the slices does so on one thread.
  const bool cuts = config_.slices > 1 && setup_.trainable->takes_slices(step_);
  const SliceScope slices(cuts ? config_.slices : 1);
  std::optional<AloneInLoops> alone;
  if (cuts && setup_.device.is_cpu()) alone.emplace();

  StepLosses losses;
  Batch batch;
  std::optional<SumsInAnyOrder> loose;
  if (group_ && config_.reduce == "fast") loose.emplace();
  LossMeans means(std::min(config_.batch_size, setup_.data->size()) *
                  config_.accumulate);
  for (int64_t pass = 0; pass < config_.accumulate; ++pass) {
    batch = next_batch();
    const auto num_rows = batch.samples.size(0);
    const auto result = losses_of(batch);
    go_back(result.total * means.share(num_rows));
    means.add(result, num_rows);
    levels_.add(result.by_level);
    losses.warning = result.warning;
  }
  if (loose) loose->finish();
  num_rows_ += means.num_rows();
  losses.total = means.total();
  losses.parts = means.parts();
  losses.gradient_norm = euclidean_norm(gradients);
  alone.reset();
  check_finite(losses, batch);
  if (config_.gradient_clip > 0 && losses.gradient_norm > config_.gradient_clip)
    gradients.mul_(config_.gradient_clip / losses.gradient_norm);

  const ProfileZone zone("optimizer");
  auto trained = setup_.trainable->trained_parameters(step_);
  const bool trains_all = trained.empty();
  std::erase_if(trained, [&](const std::string& name) {
    return frozen_.parameters().contains(name);
  });
  ++step_;
  optimizer_.step(parameters_.values(), gradients,
                  learning_rate(config_.learning_rate, step_, config_.steps),
                  step_,
                  trains_all ? at::Tensor() : parameters_.mask_of(trained));
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
  const ProfileZone zone("validate");
  const torch::NoGradGuard no_grad;
  const AveragedWeights averaged(parameters_.values(),
                                 averages_.front().values());
  setup_.trainable->trained_module().eval();
  auto& source = *setup_.validation;
  source.seek({});
  LossMeans means(1);
  LevelBins levels;
  for (int64_t i = 0; i < config_.validation_batches; ++i) {
    throw_if_stopped();
    auto batch = source.next_of_epoch();
    if (!batch) break;
    const auto num_rows = batch->samples.size(0);
    const auto losses = setup_.trainable->losses(at_rest(std::move(*batch)));
    means.add(losses, num_rows);
    levels.add(losses.by_level);
  }
  source.seek({});  // what is decoded ahead is not wanted
  if (means.num_rows() == 0)
    throw DataError(source.name() + ": holds nothing that can be read");
  Json line{{"val_loss", means.total()}};
  for (const auto& [name, value] : means.parts()) line["val_" + name] = value;
  if (!levels.empty()) line["val_loss_by_noise"] = levels.means();
  return line;
}

bool Trainer::samples_are_due() const {
  return step_ > 0 &&
         (step_ % config_.sample_every == 0 || step_ == config_.steps);
}

void Trainer::draw_samples() {
  const ProfileZone zone("draw samples");
  const torch::NoGradGuard no_grad;
  const AveragedWeights averaged(parameters_.values(),
                                 averages_.front().values());
  setup_.trainable->trained_module().eval();
  auto* source =
      (setup_.validation ? setup_.validation : setup_.previewed).get();
  Batch batch;
  if (source) {
    source->seek({});
    batch = source->next();
    source->seek({});
  }
  batch = at_rest(std::move(batch));
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
  if (run_.writes())
    write_file_atomic(run_.sample_file(step_),
                      encode_png(grid, by_product_text("samples")));
}

}  // namespace calotype
