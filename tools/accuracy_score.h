#pragma once

#include <vector>

#include "datasets/loader.h"
#include "tools/evaluate.h"
#include "tools/feature_network.h"

namespace calotype {

/// Classification accuracy score (CAS, arXiv:1905.10887, section 3): trains a
/// fresh classifier on the images of `job.data` alone, by the recipe that
/// trained `network`, the classifier of the job (its run.json: network, steps,
/// batch, learning rate), and `job.seed`, and tests it on the real images
/// `job.cas`. The number of steps does not depend on the number of images, so
/// that the scores of two sets compare.
///
/// Writes into `result`: cas, cas_per_class, real_accuracy (of `network` on the
/// same images, for scale), cas_test, cas_test_images and cas_training; into
/// `skipped` what could not be read. Returns what the score depends on beside
/// the images, for the protocol. The run is kept in `job.cas_run` and goes
/// on there, or is in a temporary folder that is removed. Throws ConfigError if
/// `job.data` lacks a class of the test set, if the classifier has no run.json,
/// or if `job.cas_run` was trained on other images.
Json add_accuracy_score(const EvaluateJob& job, const FeatureNetwork& network,
                        Json& result, std::vector<SkippedImage>& skipped);

/// Throws what add_accuracy_score() would, as far as that can be told before
/// any work is done.
void expect_scorable(const EvaluateJob& job, const FeatureNetwork& network);

}  // namespace calotype
