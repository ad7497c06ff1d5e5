#include "evaluation/pairing.h"

#include <fmt/format.h>

#include <functional>
#include <string>
#include <unordered_map>

#include "core/error.h"
#include "core/printable.h"
#include "outputs/output_names.h"

namespace calotype {
namespace {

using Names = std::vector<std::string>;

constexpr int64_t kSeveral = -2;

/// Positions by key; kSeveral where a key stands twice.
std::unordered_map<std::string, int64_t> positions(const Names& keys) {
  std::unordered_map<std::string, int64_t> found;
  for (size_t i = 0; i < keys.size(); ++i)
    if (!found.emplace(keys[i], int64_t(i)).second) found[keys[i]] = kSeveral;
  return found;
}

Names without_endings(const Names& names) {
  Names stems;
  for (const auto& name : names) stems.push_back(without_image_ending(name));
  return stems;
}

Names files_of(const Names& names) {
  Names files;
  for (const auto& file : output_names(names, /*tells=*/false))
    files.push_back(printable(file));
  return files;
}

/// Partners as one rule after the other finds them.
class Pairing {
 public:
  Pairing(size_t num_originals, size_t num_made)
      : partners(num_originals, -1), is_taken(num_made) {}

  /// Those that are still alone and whose keys are equal.
  void pair_equal(const Names& originals, const Names& made) {
    const auto wanted = positions(originals), there = positions(made);
    for (const auto& [key, original] : wanted) {
      const auto found = there.find(key);
      if (original < 0 || found == there.end() || found->second < 0) continue;
      if (partners[size_t(original)] >= 0 || is_taken[size_t(found->second)])
        continue;
      partners[size_t(original)] = found->second;
      is_taken[size_t(found->second)] = true;
    }
  }

  std::vector<int64_t> partners;  // of each original
  std::vector<bool> is_taken;     // each of those made
};

/// Throws ConfigError if one of `names` is alone.
void expect_none_alone(const ImageSource& source, const Names& names,
                       const std::function<bool(size_t)>& is_alone) {
  size_t count = 0, first = 0;
  for (size_t i = 0; i < names.size(); ++i)
    if (is_alone(i) && count++ == 0) first = i;
  if (count == 0) return;
  const auto stems = without_endings(names);
  if (positions(stems)[stems[first]] == kSeveral)
    throw ConfigError(fmt::format(
        "pairs: {} has two images that are called {} but for the ending, and "
        "{} has no partner of its whole name",
        source.spec(), stems[first], names[first]));
  throw ConfigError(fmt::format(
      "pairs: every image needs a partner of its name in the other set: {} of "
      "{} images in {} have none, such as {}",
      count, names.size(), source.spec(), names[first]));
}

}  // namespace

std::vector<int64_t> pair_images(const ImageSource& originals,
                                 const ImageSource& made) {
  const auto wanted = names_of(originals), there = names_of(made);
  const auto stems = without_endings(there);
  Pairing pairing(wanted.size(), there.size());
  pairing.pair_equal(wanted, there);
  pairing.pair_equal(files_of(wanted), there);
  pairing.pair_equal(wanted, stems);
  pairing.pair_equal(without_endings(wanted), stems);
  expect_none_alone(originals, wanted,
                    [&](size_t i) { return pairing.partners[i] < 0; });
  expect_none_alone(made, there,
                    [&](size_t i) { return !pairing.is_taken[i]; });
  return pairing.partners;
}

}  // namespace calotype
