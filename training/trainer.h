#pragma once

#include <c10/core/Device.h>

#include <functional>
#include <memory>
#include <string>

#include "core/process_group.h"
#include "nn/model_folder.h"
#include "nn/trainable.h"
#include "training/adamw.h"
#include "training/batch_source.h"
#include "training/ema.h"
#include "training/flat_parameters.h"
#include "training/frozen_part.h"
#include "training/learning_rate.h"
#include "training/level_bins.h"
#include "training/run_folder.h"

namespace calotype {

struct TrainerConfig {
  int64_t steps = 10000;    // optimizer steps
  int64_t batch_size = 64;  // samples per forward and backward pass
  int64_t accumulate = 1;   // passes per optimizer step
  // Parts of a batch that networks work on side by side, each on one thread
  // (nn/sliced.h); 1: none, and all threads in each loop; 0: usual_slices().
  // The last digits of what is learnt depend on it, and on no number of
  // threads.
  int64_t slices = 0;
  // How processes of one training add up gradients: in the order of the slices,
  // with the same bits for any number of processes, or "fast": as they come,
  // while the way back goes on.
  std::string reduce = "ordered";
  // In which networks compute, fp32, bf16 or auto (nn/precision.h). Weights,
  // their averages and moments, and losses are in fp32 anyway.
  std::string precision = "fp32";
  // Of the model's parameters and buffers, by their names
  // (training/frozen_part.h): what is trained, empty: all; what of it is not.
  std::vector<std::string> train, freeze;
  LearningRateConfig learning_rate;
  AdamWConfig optimizer;
  double gradient_clip = 1;  // largest norm of the whole gradient; 0: none
  double ema_decay = 0.999;
  // Instead of the decay: averages of several lengths at once, each the
  // standard deviation of its memory as a share of the training so far, such as
  // [0.05, 0.1] (training/power_profile.h). The first is validated, drawn and
  // saved as the model; `calotype average` makes any other out of snapshots.
  std::vector<double> ema_lengths;
  // Steps between the snapshots, 4 bytes for each parameter and length; 0: only
  // at the end.
  int64_t ema_snapshot_every = 0;
  int64_t log_every = 50;  // steps; losses by noise level are of all of them
  int64_t validate_every = 500;
  // At most so many of the validation set, whose rows come in an order that is
  // always the same and has nothing to do with that of the set; 0: none.
  int64_t validation_batches = 8;
  int64_t sample_every = 1000;
  int64_t checkpoint_every = 500;

  void validate() const;  // throws ConfigError
};

template <class Visitor>
void visit_fields(TrainerConfig& c, Visitor&& visit) {
  visit("steps", c.steps);
  visit("batch_size", c.batch_size);
  visit("accumulate", c.accumulate);
  visit("slices", c.slices);
  visit("reduce", c.reduce);
  visit("precision", c.precision);
  visit("train", c.train);
  visit("freeze", c.freeze);
  visit("learning_rate", c.learning_rate);
  visit("optimizer", c.optimizer);
  visit("gradient_clip", c.gradient_clip);
  visit("ema_decay", c.ema_decay);
  visit("ema_lengths", c.ema_lengths);
  visit("ema_snapshot_every", c.ema_snapshot_every);
  visit("log_every", c.log_every);
  visit("validate_every", c.validate_every);
  visit("validation_batches", c.validation_batches);
  visit("sample_every", c.sample_every);
  visit("checkpoint_every", c.checkpoint_every);
}

/// One slice for each eight rows, sixteen at most: each costs some time of its
/// own, and takes one thread.
int64_t usual_slices(int64_t batch_size);

/// What a run needs from outside.
struct TrainerSetup {
  std::shared_ptr<Trainable> trainable;
  std::unique_ptr<BatchSource> data;
  std::unique_ptr<BatchSource> validation;  // or null; the same each epoch

  // Whose first batch is shown where there is no validation; null: the preview
  // looks at no data. It is none of the others, so that looking changes
  // nothing.
  std::unique_ptr<BatchSource> previewed;
  uint64_t seed = 0;
  c10::Device device{c10::kCPU};
  std::string label = "train";  // of the progress line
  int64_t stop_after = 0;  // end this call after so many steps, saved; 0: never

  /// Writes the model folder with these (averaged) weights.
  std::function<void(const TensorFile& weights)> save_model;

  /// Turns Trainable::preview's tensor into images [N,C,H,W]; null: they are
  /// images.
  std::function<at::Tensor(const at::Tensor&)> to_images;
};

struct TrainingResult {
  int64_t step = 0;
  double elapsed_s = 0;                       // of all calls together
  double steps_per_s = 0, samples_per_s = 0;  // of this call
  // The last line of metrics.jsonl that this call wrote, or that the run has if
  // it was at its end already.
  Json last;
};

/// Several processes that train together (core/process_group.h) each make a
/// Trainer of the same config and data; that of process 0 writes the run. They
/// share out what networks compute, and do all else each for itself.
///
/// The only training loop: AdamW with warm-up and cosine, clipping,
/// accumulation and averaged weights; validation, sample grids and checkpoints;
/// exact resume.
///
/// Batches may be smaller than batch_size, for a shape that is too rare to fill
/// one. One of n rows then counts n / batch_size in the gradient, so that each
/// row has the same weight in whatever batch it is; of a set smaller than
/// batch_size, n / the set's size.
class Trainer {
 public:
  /// Takes the state of an earlier call from the run folder, if there is one.
  Trainer(const TrainerConfig& config, TrainerSetup setup, RunFolder& run);

  /// Trains to the end. Throws Interrupted after SIGINT or SIGTERM with the
  /// state saved, also in the middle of a validation or a preview, which the
  /// next call makes; NumericError naming what is not finite, the last
  /// checkpoint kept. A run that was at its end already writes again what a
  /// kill behind its last checkpoint may have kept it from writing.
  TrainingResult run();

 private:
  struct StepLosses {
    double total = 0;
    std::vector<std::pair<std::string, double>> parts;
    double gradient_norm = 0;
    std::string warning;
  };

  Batch next_batch();
  Losses losses_of(const Batch& batch);
  StepLosses step();
  Batch prepared(Batch batch) const;
  Batch at_rest(Batch batch) const;
  double rows_per_step() const;
  bool validates() const;
  Json line_of(const StepLosses& losses, double steps_per_s);
  void finish_line();
  std::string progress_text(const StepLosses& losses) const;
  void tell(const std::string& warning);  // once, until it is gone
  void check_finite(const StepLosses& losses, const Batch& last) const;
  Json validate();
  bool samples_are_due() const;
  void draw_samples();
  double elapsed_s() const;
  bool asked_to_save();
  bool is_missing(const std::filesystem::path& file);
  void expect_same_weights();
  void save();
  void save_outputs();
  void save_snapshots();
  void resume();
  std::map<std::string, at::Tensor> state_tensors();

  TrainerConfig config_;
  TrainerSetup setup_;
  RunFolder& run_;
  ProcessGroup* group_;  // or null
  FrozenPart frozen_;  // ahead of what asks which parameters are trained
  FlatParameters parameters_;
  AdamW optimizer_;
  std::vector<Ema> averages_;          // the first is the model
  LevelBins levels_;                   // since the last line of metrics.jsonl
  int64_t step_ = 0, first_step_ = 0;  // now, and when this call began
  int64_t num_rows_ = 0;               // that this call has trained on
  Json pending_line_;  // of metrics.jsonl, until its validation is done
  Json last_line_;
  double elapsed_before_s_ = 0, started_s_ = 0;
  bool was_warned_ = false;
};

}  // namespace calotype
