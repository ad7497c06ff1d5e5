#pragma once

#include <memory>

#include "datasets/image_source.h"
#include "tools/evaluate.h"

namespace calotype {

/// evaluate() with a classifier: how often images show the class that their
/// folder names, and how the set compares with a reference.
Json evaluate_classes(EvaluateJob job,
                      std::shared_ptr<const ImageSource> source);

}  // namespace calotype
