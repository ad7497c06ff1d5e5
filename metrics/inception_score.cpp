#include "metrics/inception_score.h"

#include <ATen/Functions.h>
#include <fmt/format.h>

#include "core/check.h"
#include "core/error.h"

namespace calotype {

InceptionScore::InceptionScore(int64_t splits)
    : splits_(splits),
      counts_(at::zeros({splits}, at::kDouble)),
      log_terms_(at::zeros({splits}, at::kDouble)) {}

void InceptionScore::add(const at::Tensor& logits, const at::Tensor& split_of) {
  check_shape("inception score", "logits", logits, {-1, -1});
  check_shape("inception score", "split_of", split_of, {logits.size(0)});
  const auto logs = logits.to(at::kCPU, at::kDouble).log_softmax(1);
  const auto shares = logs.exp();
  const auto split = split_of.to(at::kCPU, at::kLong);
  if (!probabilities_.defined())
    probabilities_ = at::zeros({splits_, logits.size(1)}, at::kDouble);
  counts_.index_add_(0, split, at::ones({split.size(0)}, at::kDouble));
  probabilities_.index_add_(0, split, shares);
  log_terms_.index_add_(0, split, (shares * logs).sum(1));
}

bool InceptionScore::has_score() const {
  return counts_.gt(0).all().item<bool>();
}

InceptionScore::Score InceptionScore::score() const {
  if (!has_score())
    throw ConfigError(fmt::format(
        "inception score: each of {} splits needs an image", splits_));
  const auto marginal = probabilities_ / counts_.unsqueeze(1);
  // A class without any probability adds nothing: 0 log 0 is 0.
  const auto entropy = -at::xlogy(marginal, marginal).sum(1);
  const auto scores = (log_terms_ / counts_ + entropy).exp();
  return {scores.mean().item<double>(),
          scores.std(/*unbiased=*/false).item<double>()};
}

}  // namespace calotype
