#include "store/token_packing.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <bit>

#include "store/range_coder.h"

namespace calotype {
namespace {

/// A token as a path through a binary tree, from its highest bit; each node
/// knows how often one went which way.
class TokenModel {
 public:
  explicit TokenModel(int bits) : bits_(bits), nodes_(size_t(1) << bits) {}

  void encode(int64_t token, RangeEncoder& encoder) {
    size_t node = 1;
    for (int bit = bits_ - 1; bit >= 0; --bit) {
      const bool value = (token >> bit) & 1;
      encoder.encode(value, nodes_[node]);
      node = 2 * node + value;
    }
  }

  int64_t decode(RangeDecoder& decoder) {
    size_t node = 1;
    for (int bit = 0; bit < bits_; ++bit)
      node = 2 * node + decoder.decode(nodes_[node]);
    return int64_t(node) - (int64_t{1} << bits_);
  }

  void begin_column() {
    for (auto& node : nodes_) node.forget(kKeptCount);
  }

 private:
  // Measured on 49 positions of 512 codes: 0 and 10 cost 0.4 and 0.2 % more.
  static constexpr uint16_t kKeptCount = 4;

  int bits_;
  std::vector<BitModel> nodes_;  // the root is [1]
};

}  // namespace

int bits_per_token(int64_t num_codes) {
  return std::max(1, int(std::bit_width(uint64_t(num_codes - 1))));
}

int64_t packed_bytes(int64_t num_tokens, int bits) {
  return (num_tokens * bits + 7) / 8;
}

std::vector<uint8_t> pack_bits(const at::Tensor& tokens, int bits) {
  const auto n = tokens.size(0), T = tokens.size(1);
  const auto row_bytes = packed_bytes(T, bits);
  const auto rows = tokens.contiguous();
  std::vector<uint8_t> packed(size_t(n * row_bytes), 0);
  for (int64_t row = 0; row < n; ++row) {
    const auto* token = rows.data_ptr<int64_t>() + row * T;
    auto* out = packed.data() + row * row_bytes;
    uint64_t waiting = 0;
    int num_waiting = 0;
    for (int64_t i = 0; i < T; ++i) {
      waiting |= uint64_t(token[i]) << num_waiting;
      for (num_waiting += bits; num_waiting >= 8; num_waiting -= 8) {
        *out++ = uint8_t(waiting);
        waiting >>= 8;
      }
    }
    if (num_waiting > 0) *out = uint8_t(waiting);
  }
  return packed;
}

std::vector<uint8_t> code_tokens(const at::Tensor& tokens, int bits) {
  const auto columns = tokens.t().contiguous();
  const auto* token = columns.data_ptr<int64_t>();
  TokenModel model(bits);
  RangeEncoder encoder;
  for (int64_t column = 0; column < columns.size(0); ++column) {
    model.begin_column();
    for (int64_t row = 0; row < columns.size(1); ++row)
      model.encode(*token++, encoder);
  }
  auto bytes = encoder.finish();
  if (bytes.empty()) bytes.push_back(0);  // HDF5 has no empty array
  return bytes;
}

at::Tensor decode_tokens(std::span<const uint8_t> bytes, int64_t num_rows,
                         int64_t num_columns, int bits) {
  const auto columns = at::empty({num_columns, num_rows}, at::kLong);
  auto* token = columns.data_ptr<int64_t>();
  TokenModel model(bits);
  RangeDecoder decoder(bytes);
  for (int64_t column = 0; column < num_columns; ++column) {
    model.begin_column();
    for (int64_t row = 0; row < num_rows; ++row)
      *token++ = model.decode(decoder);
  }
  return columns.t().contiguous();
}

}  // namespace calotype
