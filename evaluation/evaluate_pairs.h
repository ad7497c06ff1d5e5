#pragma once

#include "evaluation/evaluate.h"
#include "evaluation/measured_blocks.h"

namespace calotype {

/// evaluate() of a codec, or of reconstructions that are there already: how far
/// they are from the images, and what they cost to store.
Json evaluate_pairs(const EvaluateJob& job);

/// What is measured of the images, in blocks. Throws ConfigError for a job that
/// is no work of blocks.
BlockWork pairs_in_blocks(const EvaluateJob& job);

}  // namespace calotype
