#include "store/token_packing.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "store/range_coder.h"
#include "tests/store/store_samples.h"

namespace calotype {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// [n,T] of whole numbers that look random, below 2^bits; column t is the more
/// uneven the larger t is.
at::Tensor uneven_tokens(int64_t n, int64_t T, int bits) {
  const auto i = at::arange(n * T, at::kLong).view({n, T});
  const auto uniform =
      (i * 2654435761 % 4294967296).to(at::kDouble) / 4294967296.0;
  const auto power = at::arange(T, at::kDouble) + 1;
  return (uniform.pow(power) * double(int64_t{1} << bits)).to(at::kLong);
}

TEST(TokenPacking, NeedsAsManyBitsAsTheHighestToken) {
  EXPECT_EQ(bits_per_token(1), 1);
  EXPECT_EQ(bits_per_token(2), 1);
  EXPECT_EQ(bits_per_token(3), 2);
  EXPECT_EQ(bits_per_token(512), 9);
  EXPECT_EQ(bits_per_token(513), 10);
  EXPECT_EQ(packed_bytes(49, 9), 56);
}

TEST(TokenPacking, PacksTheLowestBitFirst) {
  // 0b101, 0b011, 0b110 -> 0b10'011'101, 0b1
  const auto packed = pack_bits(at::tensor({5, 3, 6}, at::kLong).view({1, 3}),
                                /*bits=*/3);
  EXPECT_THAT(packed, ElementsAre(0b10011101, 0b1));
}

TEST(TokenPacking, UnpacksWhatItPacked) {
  for (const int bits : {1, 7, 9, 13, 24, 32}) {
    const auto tokens = uneven_tokens(5, 11, bits);
    const auto packed = pack_bits(tokens, bits);
    auto got = at::zeros_like(tokens);
    for (int64_t row = 0; row < 5; ++row)
      unpack_bits(packed.data() + row * packed_bytes(11, bits), 11, bits,
                  [&](int64_t i, int64_t token) { got[row][i] = token; });
    EXPECT_TRUE(at::equal(got, tokens)) << bits;
  }
}

TEST(TokenPacking, DecodesWhatItCoded) {
  for (const int bits : {1, 5, 9, 16})
    for (const int64_t n : {1, 2, 300}) {
      const auto tokens = uneven_tokens(n, 6, bits);
      const auto coded = code_tokens(tokens, bits);
      EXPECT_TRUE(at::equal(decode_tokens(coded, n, 6, bits), tokens))
          << bits << " bits, " << n << " rows";
    }
  const auto zeros = at::zeros({100, 3}, at::kLong);
  const auto coded = code_tokens(zeros, 9);
  EXPECT_LE(coded.size(), 4u);
  EXPECT_TRUE(at::equal(decode_tokens(coded, 100, 3, 9), zeros));
}

TEST(TokenPacking, CarriesRunThroughBytesThatWait) {
  // Likely and unlikely decisions in runs drive the coder's lower end close to
  // its overflow again and again.
  std::vector<bool> bits;
  uint32_t state = 1;
  for (int i = 0; i < 200'000; ++i) {
    state = state * 1664525 + 1013904223;
    bits.push_back((i / 1000) % 2 == 0 ? state >> 31 : (state >> 22) != 0);
  }
  RangeEncoder encoder;
  BitModel model;
  for (const bool bit : bits) encoder.encode(bit, model);
  const auto bytes = encoder.finish();
  RangeDecoder decoder(bytes);
  BitModel same;
  for (size_t i = 0; i < bits.size(); ++i)
    ASSERT_EQ(decoder.decode(same), bits[i]) << i;
}

TEST(TokenPacking, CostsLittleMoreThanTheEntropy) {
  constexpr int64_t kRows = 20'000, kColumns = 4;
  const auto tokens = uneven_tokens(kRows, kColumns, 6);
  double entropy = 0;  // bits of all tokens, each column by its own histogram
  for (int64_t t = 0; t < kColumns; ++t) {
    const auto share =
        at::bincount(tokens.select(1, t), {}, 64).to(at::kDouble) / kRows;
    entropy -= (share * share.clamp_min(1e-300).log2()).sum().item<double>() *
               double(kRows);
  }
  const auto coded = code_tokens(tokens, 6);
  const auto bits = 8 * double(coded.size());
  EXPECT_GT(bits, entropy * 0.999);
  EXPECT_LT(bits, entropy * 1.01);
}

TEST(TokenPacking, KeepsWhatItLearntForThePositionsToCome) {
  // 20 rows are too few to learn 64 codes, 200 columns of them are not.
  const auto tokens = uneven_tokens(20, 1, 6).repeat({1, 200});
  EXPECT_LT(code_tokens(tokens, 6).size(),
            150 * code_tokens(tokens.narrow(1, 0, 1), 6).size());
}

TEST(TokenPacking, MakesTokensOfAnyBytes) {
  const std::vector<uint8_t> bytes(10, 0xff);
  const auto tokens = decode_tokens(bytes, 40, 3, 9);
  EXPECT_GE(tokens.min().item<int64_t>(), 0);
  EXPECT_LT(tokens.max().item<int64_t>(), 512);
}

}  // namespace
}  // namespace calotype
