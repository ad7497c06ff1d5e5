#include "report/heat_map.h"

#include <torch/types.h>

namespace calotype {

at::Tensor heat_map(const at::Tensor& values) {
  // Each channel is a ramp over its third of the scale.
  const auto ramp = [&](double begin) {
    return ((values * 3 - begin).clamp(0, 1)) * 2 - 1;
  };
  return torch::cat({ramp(0), ramp(1), ramp(2)}, 0);
}

}  // namespace calotype
