#pragma once

#include <filesystem>

#include "core/config.h"

namespace calotype {

/// Whether the numbers of two evaluations differ by more than chance. `a`, `b`:
/// report folders, or JSON as evaluate prints or a report holds it. Returns for
/// each number that both have: a, b, the difference b - a with its 95 %
/// interval, whether 0 lies outside of it, and how that was found:
///
/// - "paired images": the bootstrap of the images' own differences, where both
///   results hold the values of the same images;
/// - "paired groups": the jackknife of the differences with each group left
///   out, where the groups are of the same images;
/// - "intervals": of the two numbers by themselves, added in squares as if they
///   were independent, which misses small differences of like images.
///
/// Throws ConfigError, naming the first difference, unless both were measured
/// by one protocol, DataError for a file that holds no evaluation.
Json compare_results(const std::filesystem::path& a,
                     const std::filesystem::path& b);

}  // namespace calotype
