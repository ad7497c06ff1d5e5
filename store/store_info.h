#pragma once

#include <string>

#include "store/latent_store.h"

// store.json as text, and when two of them speak of the same store.
namespace calotype {

/// Throws DataError if `version` is newer than this library reads.
void check_format_version(int64_t version, const std::string& where);

/// Throws DataError for a newer version, unknown keys or values out of range.
StoreInfo parse_store_info(const std::string& text, const std::string& where);

std::string store_info_text(const StoreInfo& info);

/// Throws ConfigError if `info` asks for a store that cannot be.
void check_store_info(const StoreInfo& info);

/// What was decided before the first row: all but shapes, statistics and
/// counts.
StoreInfo identity_of(const StoreInfo& info);

/// Where `wanted` differs from `stored` in what the rows depend on, such as
/// `codec.sha256 is "ab" in the store, "cd" now`; empty if nowhere. Where the
/// codec and the source lie and how they were named does not count, and a
/// setting that one of them did not know yet had its default.
std::string first_difference(const StoreInfo& stored, const StoreInfo& wanted);

}  // namespace calotype
