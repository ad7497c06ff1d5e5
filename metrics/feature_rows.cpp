#include "metrics/feature_rows.h"

#include <ATen/Functions.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/check.h"
#include "core/error.h"

namespace calotype {
namespace {

constexpr int64_t kBlockValues = int64_t{1} << 22;  // 32 MiB of doubles

}  // namespace

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

int64_t rows_per_block(int64_t num_columns) {
  return std::max<int64_t>(1, kBlockValues / std::max<int64_t>(1, num_columns));
}

}  // namespace calotype
