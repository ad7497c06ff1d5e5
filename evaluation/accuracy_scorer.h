#pragma once

#include <vector>

#include "core/config.h"
#include "datasets/loader.h"
#include "evaluation/evaluate.h"
#include "evaluation/feature_network.h"

namespace calotype {

/// Scores a set of images by what a classifier learns from it; measuring does
/// not know how to train one (tools/accuracy_score.h does).
class AccuracyScorer {
 public:
  virtual ~AccuracyScorer() = default;

  /// Throws ConfigError for what cannot be scored, as far as that can be told
  /// before any work is done.
  virtual void expect_scorable(const EvaluateJob& job,
                               const FeatureNetwork& network) const = 0;

  /// Writes the score into `result` and what could not be read into `skipped`;
  /// returns what it depends on beside the images, for the protocol.
  virtual Json add_score(const EvaluateJob& job, const FeatureNetwork& network,
                         Json& result,
                         std::vector<SkippedImage>& skipped) const = 0;
};

}  // namespace calotype
