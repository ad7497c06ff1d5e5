#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "datasets/image_source.h"
#include "evaluation/evaluate.h"
#include "evaluation/reconstructor.h"

namespace calotype {

/// Images of a set, as evaluated, beside what became of them.
struct Examples {
  std::vector<uint8_t> originals, reconstructions, errors;  // PNG strips
  double largest_error = 0;  // of the map's white, in [0,1]
};

/// `indices`: places in `source`, in the order of the strips.
Examples draw_examples(const EvaluateJob& job,
                       std::shared_ptr<const ImageSource> source,
                       Reconstructor& reconstructor,
                       const std::vector<int64_t>& indices);

/// Images of `source`, as they are, as a strip; one that cannot be read is a
/// blank. Empty for no indices.
std::vector<uint8_t> draw_images(const ImageSource& source,
                                 const std::vector<int64_t>& indices);

}  // namespace calotype
