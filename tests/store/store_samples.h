#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "store/latent_store.h"
#include "tests/support/message_of.h"

// Small stores for tests.
namespace calotype {

StoreInfo sample_info(const std::string& dtype = "fp32",
                      const std::string& kind = "moments");

/// Rows whose every field is a function of their index [first, first + count)
/// alone, in a grid of [2,height,3].
StoreRows sample_rows(int64_t first, int64_t count, int64_t height = 2,
                      const std::string& kind = "moments");

/// Appends every index of [0, count) that is not stored yet in batches of
/// `batch`. If `mixed`, indices that leave 0 or 3 when divided by 5 have a
/// taller grid: then shards of both shapes end at different places.
void append_missing(StoreWriter& writer, int64_t count, int64_t batch = 4,
                    bool mixed = false);

/// Name and content of every file.
std::map<std::string, std::string> folder_content(
    const std::filesystem::path& folder);

}  // namespace calotype
