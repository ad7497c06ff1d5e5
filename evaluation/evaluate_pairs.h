#pragma once

#include "evaluation/evaluate.h"

namespace calotype {

/// evaluate() of a codec, or of reconstructions that are there already: how far
/// they are from the images, and what they cost to store.
Json evaluate_pairs(const EvaluateJob& job);

}  // namespace calotype
