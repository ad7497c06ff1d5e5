#pragma once

#include <fmt/format.h>
#include <torch/types.h>

#include <atomic>
#include <chrono>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "core/error.h"
#include "datasets/loader.h"
#include "tests/images/image_files.h"

namespace calotype {

/// Images of one pixel row; image i is filled with i. Counts what is asked of
/// it.
class FakeSource : public ImageSource {
 public:
  explicit FakeSource(int64_t count)
      : widths(size_t(count), 2), loads(size_t(count)) {}

  int64_t size() const override { return int64_t(widths.size()); }
  SourceImage load(int64_t index) const override {
    ++loads[size_t(index)];
    if (delay_ms > 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms));
    if (index == broken) throw std::logic_error("broken source");
    if (bad.contains(index)) throw DataError(name(index) + ": bad");
    const int64_t width = widths[size_t(index)];
    return {{1, width, channels,
             FileBytes(size_t(width * channels), uint8_t(index))},
            uint64_t(1000 + index)};
  }
  std::string name(int64_t index) const override {
    return fmt::format("i{}", index);
  }
  int64_t label(int64_t index) const override { return index % 3; }
  std::vector<std::string> class_names() const override {
    return {"a", "b", "c"};
  }
  std::string spec() const override { return "fake"; }
  std::string fingerprint() const override { return "0"; }

  int total_loads() const {
    int total = 0;
    for (const auto& count : loads) total += count;
    return total;
  }

  std::vector<int64_t> widths;
  std::set<int64_t> bad;
  int64_t broken = -1;
  int64_t channels = 1;
  int delay_ms = 0;
  mutable std::vector<std::atomic<int>> loads;
};

inline std::vector<int64_t> indices_of(const ImageBatch& batch) {
  const auto* data = batch.indices.data_ptr<int64_t>();
  return {data, data + batch.indices.numel()};
}

inline std::vector<ImageBatch> drain(Loader& loader) {
  std::vector<ImageBatch> batches;
  while (auto batch = loader.next()) batches.push_back(std::move(*batch));
  return batches;
}

inline std::vector<std::vector<int64_t>> indices_of(Loader& loader) {
  std::vector<std::vector<int64_t>> all;
  for (const auto& batch : drain(loader)) all.push_back(indices_of(batch));
  return all;
}

inline bool equal(const ImageBatch& a, const ImageBatch& b) {
  return torch::equal(a.images, b.images) && torch::equal(a.labels, b.labels) &&
         torch::equal(a.indices, b.indices) && a.names == b.names &&
         a.sizes == b.sizes && a.hashes == b.hashes &&
         a.next_position == b.next_position;
}

}  // namespace calotype
