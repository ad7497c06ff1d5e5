#include "store/store_size.h"

#include <algorithm>

#include "store/token_packing.h"

namespace calotype {
namespace {

/// Of one number or token of a row, its log-variance and mirror image included.
double bytes_per_number(const StoreInfo& info) {
  if (info.packing == "entropy") return 0;  // nobody knows
  if (info.packing == "bits")
    return double(bits_per_token(info.codec.num_codes())) / 8;
  if (info.dtype == "uint8") return 1;
  const double wide = info.dtype == "fp32" || info.dtype == "uint32" ? 4 : 2;
  return wide * (info.kind == "moments" ? 2 : 1) * (info.flips ? 2 : 1);
}

}  // namespace

int64_t least_store_bytes(const StoreInfo& info, int64_t count, int64_t cells,
                          int64_t depth) {
  constexpr double kFacts_bytes =
      8 + 8 + 2 * 4 + 8;  // label, index, size, hash
  const auto row_bytes =
      double(cells) * double(depth) * bytes_per_number(info) + kFacts_bytes;
  return int64_t(std::min(row_bytes * double(count), 9e18));
}

}  // namespace calotype
