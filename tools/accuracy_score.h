#pragma once

#include "evaluation/accuracy_scorer.h"

namespace calotype {

/// Classification accuracy score (CAS, arXiv:1905.10887, section 3): trains a
/// fresh classifier on the images of `job.data` alone, by the recipe that
/// trained the network of the job (its run.json: network, steps, batch,
/// learning rate), and `job.seed`, and tests it on the real images `job.cas`.
/// The number of steps does not depend on the number of images, so that the
/// scores of two sets compare.
///
/// Its results are cas, cas_per_class, real_accuracy (of the job's network on
/// the same images, for scale), cas_test, cas_test_images and cas_training. The
/// run is kept in `job.cas_run` and goes on there, or is in a temporary folder
/// that is removed. Refuses `job.data` that lacks a class of the test set, a
/// classifier without run.json, and a `job.cas_run` of other images.
const AccuracyScorer& accuracy_scorer();

}  // namespace calotype
