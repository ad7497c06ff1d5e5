#pragma once

#include <string>

#include "nn/safetensors.h"

namespace calotype {

/// Weights by the formula of tests/fixtures/metrics/metrics.json, in place of a
/// file: of one of the networks that parameters.json names (lpips_vgg,
/// lpips_alex, lpips_squeeze, inception).
TensorFile formula_weights(const std::string& network);

}  // namespace calotype
