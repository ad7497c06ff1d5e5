#pragma once

#include <string>
#include <vector>

#include "metrics/classifier.h"

// A classifier of 28x28 grey images that is part of the program: sets that are
// compared in its features give numbers that anyone can compare with.
namespace calotype {

/// SHA-256 of its weights, metrics/builtin_classifier.safetensors. They were
/// trained by configs/fashion_classifier.json, which stops early: 91.3 % on
/// Fashion-MNIST's test set. A longer training, 93.5 %, tells training images
/// from test images by their features.
inline constexpr const char* kBuiltinClassifierSha256 =
    "b3a5186588bc1ba1998866ebceaae6c7b3587a8ae0157fd06428569e3a452e75";

/// Ready to be asked. Throws DataError if the program's copy of the weights is
/// damaged.
CalotypeClassifier builtin_classifier();

/// Its classes, those of Fashion-MNIST.
const std::vector<std::string>& builtin_class_names();

}  // namespace calotype
