#pragma once

#include <torch/nn/modules/linear.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <limits>

#include "core/random.h"
#include "nn/trainable.h"
#include "training/batch_source.h"

namespace calotype {

/// A linear map to the mean of each image, noisy by (seed, sample, step).
class ToyTrainable : public Trainable {
 public:
  ToyTrainable() {
    torch::manual_seed(11);
    net_ = torch::nn::Linear(4, 1);
  }

  Losses losses(const Batch& batch) override {
    auto x = batch.data.flatten(1);
    const auto want = x.mean(1, true);
    x = x + 0.1 * normal_rows({4}, batch.samples, batch.seed,
                              Stream::kTrainingNoise, uint32_t(batch.step));
    if (batch.step == poison_step)
      x = x * std::numeric_limits<float>::quiet_NaN();
    const auto errors = (net_(x) - want).square().flatten();
    Losses losses{.total = errors.mean(), .parts = {{"mse", errors.mean()}}};
    if (has_levels)
      losses.by_level = {uniform_rows({}, batch.samples, batch.seed,
                                      Stream::kTimestep, uint32_t(batch.step)),
                         errors, "u"};
    return losses;
  }

  torch::nn::Module& module() override { return *net_; }
  at::Tensor preview(const Batch& batch) override { return batch.data; }

  int64_t poison_step = -1;
  bool has_levels = false;  // a random one for each sample

 private:
  torch::nn::Linear net_{nullptr};
};

/// Twenty images of 2x2 grey pixels, in a shuffled order per epoch; a batch may
/// reach over the end of one.
class ToyBatches : public BatchSource {
 public:
  std::optional<Batch> next_of_epoch() override {
    constexpr int64_t kSize = 20, kBatch = 8;
    auto samples = torch::empty({kBatch}, torch::kLong);
    for (int64_t i = 0; i < kBatch; ++i) {
      if (at_.in_epoch.next == kSize) at_ = {at_.epoch + 1, 0};
      samples[i] =
          Permutation(kSize, 7, uint32_t(at_.epoch))(at_.in_epoch.next++);
    }
    return Batch{.data = normal_rows({1, 2, 2}, samples, 5, Stream::kSynthetic),
                 .samples = samples};
  }
  DataPosition position() const override { return at_; }
  void seek(const DataPosition& position) override { at_ = position; }
  int64_t size() const override { return 20; }
  std::string name() const override { return "toys"; }

 private:
  DataPosition at_;
};

}  // namespace calotype
