#include "metrics/rate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace calotype {
namespace {

TEST(Rate, CountsStoredBitsPerPixelAndRawBytesPerStoredByte) {
  // 10 RGB images of 8x8: 640 pixels, 1920 raw bytes.
  const auto rate = measure_rate(160, 640, 1920);
  EXPECT_DOUBLE_EQ(rate.rate_bpp, 2);
  EXPECT_DOUBLE_EQ(rate.compression_ratio, 12);
}

TEST(Rate, OfRawPixelsIsEightBitsPerChannelAndRatioOne) {
  const auto rate = measure_rate(784, 784, 784);
  EXPECT_DOUBLE_EQ(rate.rate_bpp, 8);
  EXPECT_DOUBLE_EQ(rate.compression_ratio, 1);
}

TEST(Rate, CountsFractionsOfAByte) {
  // 3 images of 4x4 pixels, each of 4 tokens of 9 bits.
  EXPECT_DOUBLE_EQ(measure_rate(13.5, 48, 144).rate_bpp, 2.25);
}

TEST(Rate, RefusesAnEmptyStore) {
  EXPECT_THAT([] { measure_rate(0, 784, 1); },
              testing::ThrowsMessage<ConfigError>(
                  "rate: stored_bytes must be in [1, inf], got 0"));
}

}  // namespace
}  // namespace calotype
