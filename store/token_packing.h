#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

// Tokens in less room than whole bytes each (docs/latent_store.md).
namespace calotype {

/// Bits that hold every token in [0, num_codes); at least 1.
int bits_per_token(int64_t num_codes);

/// Bytes of `num_tokens` tokens of `bits` bits, filled up at the end.
int64_t packed_bytes(int64_t num_tokens, int bits);

/// One row of tokens behind the other, the lowest bit first, in
/// packed_bytes(T, bits) bytes each. `tokens`: int64 [n,T] in [0, 2^bits).
std::vector<uint8_t> pack_bits(const at::Tensor& tokens, int bits);

/// A row of `num_tokens` tokens from its packed bytes; `out(i, token)` gets
/// each.
template <class Out>
void unpack_bits(const uint8_t* packed, int64_t num_tokens, int bits,
                 Out&& out) {
  uint64_t waiting = 0;
  int num_waiting = 0;
  for (int64_t i = 0; i < num_tokens; ++i) {
    for (; num_waiting < bits; num_waiting += 8)
      waiting |= uint64_t(*packed++) << num_waiting;
    out(i, int64_t(waiting & ((uint64_t{1} << bits) - 1)));
    waiting >>= bits;
    num_waiting -= bits;
  }
}

/// Up to here a token's bits are coded one by one, each in the light of those
/// before it.
constexpr int kMaxCodedBits = 16;

/// Codes `tokens`, int64 [n,T] in [0, 2^bits), column by column: a position's
/// tokens in all rows have much in common. At a new column what was learnt
/// weighs little, and is soon overruled. `bits` must be in [1, kMaxCodedBits].
/// At least one byte.
std::vector<uint8_t> code_tokens(const at::Tensor& tokens, int bits);

/// int64 [n,T] again. Damaged bytes give wrong tokens, in [0, 2^bits).
at::Tensor decode_tokens(std::span<const uint8_t> bytes, int64_t num_rows,
                         int64_t num_columns, int bits);

}  // namespace calotype
