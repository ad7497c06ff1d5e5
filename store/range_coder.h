#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

// Adaptive binary range coding (G. N. N. Martin, "Range encoding", 1979): each
// yes or no costs -log2 of the probability that was expected of it. Integers
// alone, so that every machine makes the same bytes.
namespace calotype {

/// What is expected of one decision, learnt from those before it.
class BitModel {
 public:
  /// Of a 0, in 65,536ths; never below kLeast or above 65,536 - kLeast.
  uint32_t probability() const { return probability_; }

  /// The n-th decision moves the estimate by 1 / (n + 1) of the way (R. E.
  /// Krichevsky and V. K. Trofimov, IEEE Transactions on Information Theory 27,
  /// 1981); from the 256th on always by as much as that one.
  void learn(bool bit) {
    const uint32_t old = probability_, divisor = seen_ + 2u;
    const auto moved =
        bit ? old - old / divisor : old + (65536 - old) / divisor;
    probability_ = uint16_t(std::clamp(moved, kLeast, 65536 - kLeast));
    if (seen_ < 255) ++seen_;
  }

  /// What was learnt counts as no more than `most` decisions from here on.
  void forget(uint16_t most) { seen_ = std::min(seen_, most); }

 private:
  static constexpr uint32_t kLeast = 16;
  uint16_t probability_ = 32768;
  uint16_t seen_ = 0;
};

class RangeEncoder {
 public:
  void encode(bool bit, BitModel& model);

  /// The bytes of all that was encoded, without zeros at their end.
  std::vector<uint8_t> finish();

 private:
  void shift();

  std::vector<uint8_t> bytes_;
  uint64_t low_ = 0;  // bit 32 is a carry into what waits
  uint32_t range_ = ~uint32_t{0};
  uint8_t waiting_ = 0;       // the last byte that a carry may still raise
  int64_t num_waiting_ = -1;  // bytes 0xff behind it; -1: there is none yet
};

/// Reads zeros behind the end of `bytes`, which must outlive it.
class RangeDecoder {
 public:
  explicit RangeDecoder(std::span<const uint8_t> bytes);

  bool decode(BitModel& model);

 private:
  uint8_t next() { return at_ < bytes_.size() ? bytes_[at_++] : uint8_t{0}; }

  std::span<const uint8_t> bytes_;
  size_t at_ = 0;
  uint32_t code_ = 0, range_ = ~uint32_t{0};
};

}  // namespace calotype
