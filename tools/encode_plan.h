#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "datasets/image_source.h"
#include "store/latent_store.h"
#include "tools/known_rows.h"

namespace calotype {

/// What an encode finds where its store is to be, and what is left to do.
struct EncodePlan {
  std::filesystem::path store;   // what the user named
  std::filesystem::path folder;  // where rows are written: the store, or beside
                                 // it what will take its place
  std::optional<int64_t> complete_rows;  // nothing is left to do
  std::shared_ptr<const KnownRows>
      known;  // of the store that is there; or null

  bool replaces() const { return folder != store; }
};

/// `wanted`: the store of all of `source`. Where the set changed since the
/// store was written, or the store is of an older format, its rows are matched
/// by name and content. Throws ConfigError, which names the difference, for a
/// store of another codec or other settings; DataError for one that cannot be
/// read.
EncodePlan plan_encode(const std::filesystem::path& store,
                       const StoreInfo& wanted, const ImageSource& source);

}  // namespace calotype
