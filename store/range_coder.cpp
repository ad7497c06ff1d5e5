#include "store/range_coder.h"

#include <utility>

namespace calotype {
namespace {

constexpr uint32_t kSmallest = uint32_t{1} << 24;  // below it a byte moves out

uint32_t share_of_zero(uint32_t range, const BitModel& model) {
  return (range >> 16) * model.probability();
}

}  // namespace

void RangeEncoder::encode(bool bit, BitModel& model) {
  const auto share = share_of_zero(range_, model);
  if (bit) {
    low_ += share;
    range_ -= share;
  } else {
    range_ = share;
  }
  model.learn(bit);
  while (range_ < kSmallest) {
    range_ <<= 8;
    shift();
  }
}

void RangeEncoder::shift() {
  const auto carry = uint8_t(low_ >> 32);
  const auto top = uint8_t(low_ >> 24);
  if (top == 0xff && carry == 0 && num_waiting_ >= 0) {
    ++num_waiting_;  // a later carry would go through it
  } else {
    if (num_waiting_ >= 0) bytes_.push_back(uint8_t(waiting_ + carry));
    for (; num_waiting_ > 0; --num_waiting_)
      bytes_.push_back(uint8_t(0xff + carry));
    waiting_ = top;
    num_waiting_ = 0;
  }
  low_ = (low_ & 0x00ff'ffff) << 8;
}

std::vector<uint8_t> RangeEncoder::finish() {
  // Any number in [low, low + range) will do: the one with most zeros behind.
  for (int zeros = 31; zeros >= 0; --zeros) {
    const auto mask = (uint64_t{1} << zeros) - 1;
    const auto rounded = (low_ + mask) & ~mask;
    if (rounded - low_ < range_) {
      low_ = rounded;
      break;
    }
  }
  for (int i = 0; i < 5; ++i) shift();
  while (!bytes_.empty() && bytes_.back() == 0) bytes_.pop_back();
  return std::move(bytes_);
}

RangeDecoder::RangeDecoder(std::span<const uint8_t> bytes) : bytes_(bytes) {
  for (int i = 0; i < 4; ++i) code_ = code_ << 8 | next();
}

bool RangeDecoder::decode(BitModel& model) {
  const auto share = share_of_zero(range_, model);
  const bool bit = code_ >= share;
  if (bit) {
    code_ -= share;
    range_ -= share;
  } else {
    range_ = share;
  }
  model.learn(bit);
  while (range_ < kSmallest) {
    range_ <<= 8;
    code_ = code_ << 8 | next();
  }
  return bit;
}

}  // namespace calotype
