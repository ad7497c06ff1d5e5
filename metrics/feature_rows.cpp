#include "metrics/feature_rows.h"

#include <ATen/Functions.h>
#include <fmt/format.h>

#include "core/check.h"
#include "core/error.h"

namespace calotype {

at::Tensor feature_rows(const char* where, const char* what,
                        const at::Tensor& rows, int64_t width) {
  check_shape(where, what, rows, {-1, width});
  const auto values = rows.detach().to(at::kCPU, at::kDouble).contiguous();
  if (!values.isfinite().all().item<bool>())
    throw DataError(fmt::format(
        "{}: {} must be finite, got a value that is not a number or infinite",
        where, what));
  return values;
}

}  // namespace calotype
