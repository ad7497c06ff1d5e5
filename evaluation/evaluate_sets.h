#pragma once

#include "evaluation/evaluate.h"

namespace calotype {

/// evaluate() in the features of a network, or of rows that the user brings:
/// how `data` compares with the reference, and of a classifier how often images
/// show the class that their folder names.
Json evaluate_sets(const EvaluateJob& job);

}  // namespace calotype
