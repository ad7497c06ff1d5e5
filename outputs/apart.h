#pragma once

#include <filesystem>
#include <vector>

namespace calotype {

/// Nothing is written over what is being read. Throws ConfigError if `out` is
/// one of the inputs, by whatever path or link. Empty paths are none.
void expect_other_than(const std::filesystem::path& out,
                       const std::vector<std::filesystem::path>& inputs);

/// Throws ConfigError if `out` is one of the inputs or around one of them, or
/// lies inside of one of `sets`: what is written into a set of images or a
/// store would be of it the next time.
void expect_apart(const std::filesystem::path& out,
                  const std::vector<std::filesystem::path>& sets,
                  const std::vector<std::filesystem::path>& models = {});

}  // namespace calotype
