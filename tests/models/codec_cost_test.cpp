#include "models/codec_cost.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "core/error.h"
#include "core/memory.h"
#include "nn/row_memory.h"
#include "tests/support/message_of.h"
#include "tests/support/threads.h"
#include "vae/autoencoder_kl.h"

namespace calotype {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::shared_ptr<AutoencoderKLImpl> small_codec() {
  torch::manual_seed(1);
  return std::make_shared<AutoencoderKLImpl>(
      AutoencoderKLConfig{.down_block_types = {2, "DownEncoderBlock2D"},
                          .up_block_types = {2, "UpDecoderBlock2D"},
                          .block_out_channels = {8, 16},
                          .norm_num_groups = 4});
}

int64_t peak_of(LatentCodec& codec, CodecPass pass, int64_t height,
                int64_t width) {
  const c10::InferenceMode inference;
  const auto images = torch::zeros({1, 3, height, width});
  const auto latents = codec.encode(images).mean;
  const TensorMemory memory;
  if (pass == CodecPass::kEncode)
    codec.encode(images);
  else
    codec.decode(latents);
  return memory.peak_bytes();
}

TEST(CodecCost, IsThatOfLargerImagesFromAbove) {
  const ThreadsFor threads(1);
  const auto codec = small_codec();
  CodecCost cost(codec, at::kCPU);
  for (const auto pass : {CodecPass::kEncode, CodecPass::kDecode})
    for (const auto& [height, width] :
         {std::pair<int64_t, int64_t>{64, 64}, {256, 384}, {30, 500}}) {
      const double share = double(cost.of(pass, height, width).bytes) /
                           double(peak_of(*codec, pass, height, width));
      EXPECT_GE(share, 1.1) << height << "x" << width;
      EXPECT_LE(share, 2.5) << height << "x" << width;
    }
  const auto both = cost.of(CodecPass::kBoth, 256, 256),
             there = cost.of(CodecPass::kEncode, 256, 256),
             back = cost.of(CodecPass::kDecode, 256, 256);
  EXPECT_EQ(both.bytes, std::max(there.bytes, back.bytes));
  EXPECT_EQ(both.seconds, there.seconds + back.seconds);
  EXPECT_GT(back.seconds, cost.of(CodecPass::kDecode, 64, 64).seconds);
}

TEST(CodecCost, RefusesAnImageThatDoesNotFitAndNamesOneThatDoes) {
  CodecCost cost(small_codec(), at::kCPU);
  const auto needs = cost.of(CodecPass::kDecode, 512, 512).bytes;
  EXPECT_NO_THROW(
      cost.expect_fits(CodecPass::kDecode, 1 << 14, 1 << 14, "model"));
  set_memory_limit(memory_in_use() + needs * 11 / 10);
  EXPECT_NO_THROW(cost.expect_fits(CodecPass::kDecode, 512, 512, "model"));
  EXPECT_THAT(
      message_of<ConfigError>(
          [&] { cost.expect_fits(CodecPass::kDecode, 600, 700, "model"); }),
      AllOf(HasSubstr("model: decoding an image of 700x600 needs about "),
            HasSubstr(" of memory, and "), HasSubstr(" are left of "),
            HasSubstr(" (--memory): 53"), HasSubstr(" would fit")));
  set_memory_limit(memory_in_use() + 1000);
  EXPECT_THAT(message_of<ConfigError>([&] {
                cost.expect_fits(CodecPass::kEncode, 64, 64, "model");
              }),
              HasSubstr("no smaller one fits"));
  set_memory_limit(0);
}

TEST(ExpectedCost, CountsRowsInFlight) {
  const RowCost row{.bytes = 1 << 20, .seconds = 0.5};
  auto expected = expected_cost(row, 100, 16);
  EXPECT_EQ(expected["seconds"], 50);
  EXPECT_EQ(expected["rows_in_flight"], 16);
  EXPECT_FALSE(expected.contains("memory_limit_bytes"));
  EXPECT_EQ(expected_cost(row, 3, 16)["rows_in_flight"], 3);
  set_memory_limit(memory_in_use() + (12 << 20));
  expected = expected_cost(row, 100, 16);
  EXPECT_NEAR(expected["rows_in_flight"], 9, 1);  // in three quarters
  EXPECT_EQ(expected["memory_limit_bytes"], memory_limit());
  set_memory_limit(0);
}

}  // namespace
}  // namespace calotype
