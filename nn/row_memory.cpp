#include "nn/row_memory.h"

#include <c10/core/Allocator.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <vector>

#include "core/memory.h"
#include "nn/libtorch_compat.h"
#include "nn/precision.h"

namespace calotype {

/// LibTorch tells whoever sits in the profiler's place, in all threads that
/// take over this one's modes.
class TensorMemory::Counter : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void*, int64_t size, MemoryTotal, MemoryTotal,
                         c10::Device) override {
    const auto now = held_ += size;
    auto most = peak_.load();
    while (now > most && !peak_.compare_exchange_weak(most, now)) {
    }
  }
  bool memoryProfilingEnabled() const override { return true; }

  int64_t held() const { return held_; }
  int64_t peak() const { return peak_; }

 private:
  std::atomic<int64_t> held_ = 0, peak_ = 0;
};

TensorMemory::TensorMemory()
    : counter_(std::make_shared<Counter>()),
      guard_(c10::DebugInfoKind::PROFILER_STATE, counter_) {}
TensorMemory::~TensorMemory() = default;

int64_t TensorMemory::peak_bytes() const {
  return counter_->peak();
}
int64_t TensorMemory::held_bytes() const {
  return counter_->held();
}

namespace {

std::mutex known_mutex;
std::map<std::vector<int64_t>, int64_t> known_rows;

std::vector<int64_t> key_of(size_t network,
                            const std::vector<at::Tensor>& inputs) {
  std::vector<int64_t> key{int64_t(network), int64_t(current_precision())};
  for (const auto& input : inputs) {
    key.push_back(-1);
    if (!input.defined()) continue;
    const auto sizes = input.sizes().slice(1);
    key.insert(key.end(), sizes.begin(), sizes.end());
  }
  return key;
}

}  // namespace

int64_t with_scratch(int64_t tensor_bytes) {
  constexpr int64_t kLeast = 256 << 10;
  return tensor_bytes + tensor_bytes / 4 * 3 + kLeast;
}

int64_t rows_that_fit(int64_t row_bytes) {
  const auto left = memory_left();
  return std::max<int64_t>(1,
                           (left - left / 4) / std::max<int64_t>(1, row_bytes));
}

int64_t rows_in_flight(int64_t row_bytes, int64_t num_threads,
                       c10::Device device) {
  constexpr int64_t kEnough = 256 << 20;
  const auto fit = rows_that_fit(row_bytes);
  if (!device.is_cpu()) return fit;
  return std::min(
      fit, num_threads *
               std::max<int64_t>(1, kEnough / std::max<int64_t>(1, row_bytes)));
}

int64_t known_row_bytes(size_t network, const std::vector<at::Tensor>& inputs) {
  const std::lock_guard lock(known_mutex);
  const auto found = known_rows.find(key_of(network, inputs));
  return found == known_rows.end() ? 0 : found->second;
}

void know_row_bytes(size_t network, const std::vector<at::Tensor>& inputs,
                    int64_t bytes) {
  const std::lock_guard lock(known_mutex);
  known_rows[key_of(network, inputs)] = bytes;
}

}  // namespace calotype
