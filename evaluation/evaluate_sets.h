#pragma once

#include "evaluation/evaluate.h"
#include "evaluation/measured_blocks.h"

namespace calotype {

/// evaluate() in the features of a network, or of rows that the user brings:
/// how `data` compares with the reference, and of a classifier how often images
/// show the class that their folder names.
Json evaluate_sets(const EvaluateJob& job);

/// The network's answers to the images of both sets, in blocks: first of
/// `data`, then of the reference. Throws ConfigError for a job that is no work
/// of blocks.
BlockWork sets_in_blocks(const EvaluateJob& job);

}  // namespace calotype
