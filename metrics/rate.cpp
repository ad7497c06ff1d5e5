#include "metrics/rate.h"

#include <limits>

#include "core/check.h"

namespace calotype {

Rate measure_rate(double stored_bytes, int64_t num_pixels, int64_t raw_bytes) {
  constexpr double kAny = std::numeric_limits<double>::infinity();
  const auto pixels = static_cast<double>(num_pixels);
  const auto raw = static_cast<double>(raw_bytes);
  check_range("rate", "stored_bytes", stored_bytes, 1, kAny);
  check_range("rate", "num_pixels", pixels, 1, kAny);
  check_range("rate", "raw_bytes", raw, 1, kAny);
  return {.rate_bpp = 8 * stored_bytes / pixels,
          .compression_ratio = raw / stored_bytes};
}

}  // namespace calotype
