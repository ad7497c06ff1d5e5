#include <algorithm>

#include "core/check.h"
#include "training/ema_snapshots.h"
#include "training/trainer.h"

namespace calotype {

void TrainerConfig::validate() const {
  constexpr double kMany = 1e12;
  check_range("training", "steps", double(steps), 1, kMany);
  check_range("training", "batch_size", double(batch_size), 1, 1 << 20);
  check_range("training", "accumulate", double(accumulate), 1, 1 << 20);
  check_range("training", "slices", double(slices), 0, 1 << 12);
  check_one_of("training", "reduce", reduce, {"ordered", "fast"});
  check_one_of("training", "precision", precision, {"fp32", "bf16", "auto"});
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

int64_t usual_slices(int64_t batch_size) {
  return std::clamp<int64_t>(batch_size / 8, 1, 16);
}

}  // namespace calotype
