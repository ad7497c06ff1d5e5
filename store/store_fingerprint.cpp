#include "store/store_fingerprint.h"

#include "core/hash.h"
#include "store/store_info.h"

namespace calotype {

std::string store_fingerprint(const StoreReader& store) {
  const auto& info = store.info();
  const auto weights = info.codec.sha256();
  const Json seen{{"kind", info.kind},
                  {"dtype", info.dtype},
                  {"flips", info.flips},
                  {"codec", weights.empty() ? Json() : Json(weights)},
                  {"class_names", info.class_names},
                  {"rows", store.row_hashes()}};
  return hex64(
      xxh64(seen.dump(-1, ' ', false, Json::error_handler_t::replace)));
}

}  // namespace calotype
