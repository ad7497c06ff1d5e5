#include <fmt/format.h>

#include <numeric>

#include "core/error.h"
#include "core/hash.h"
#include "core/stop_signal.h"
#include "datasets/image_source.h"

namespace calotype {

std::vector<uint64_t> ImageSource::content_hashes(
    const std::vector<int64_t>& indices) const {
  std::vector<uint64_t> hashes;
  for (const auto index : indices) {
    throw_if_stopped();
    try {
      hashes.push_back(load(index).hash);
    } catch (const DataError&) {  // told when its turn comes
      hashes.push_back(0);
    }
  }
  return hashes;
}

std::string ImageSource::fingerprint() const {
  std::vector<int64_t> all(static_cast<size_t>(size()));
  std::iota(all.begin(), all.end(), 0);
  const auto hashes = content_hashes(all);
  const auto classes = class_names();
  std::string text;
  for (const auto& name : classes) text.append(name).append(1, '\0');
  for (const auto index : all) {
    const auto label = this->label(index);
    text.append(name(index)).append(1, '\0');
    text.append(label < 0 ? "" : classes[size_t(label)]).append(1, '\0');
    text.append(hex64(hashes[size_t(index)]));
  }
  return hex64(xxh64(text));
}

}  // namespace calotype
