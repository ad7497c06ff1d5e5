#include "explorer/portable_decoder.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <bit>
#include <cmath>
#include <string>
#include <vector>

#include "core/base64.h"
#include "explorer/answers.h"
#include "tests/explorer/small_codec.h"
#include "vae/autoencoder_kl.h"
#include "vqvae/vq_model.h"

// That a page computes what the program does is seen in a browser
// (given_page_browser_test.py).
namespace calotype {
namespace {

std::vector<std::string> names(const Json& steps) {
  std::vector<std::string> all;
  for (const auto& step : steps) all.push_back(step["do"]);
  return all;
}

AutoencoderKLConfig small_vae() {
  return {.in_channels = 1,
          .out_channels = 1,
          .down_block_types = {"DownEncoderBlock2D", "DownEncoderBlock2D"},
          .up_block_types = {"UpDecoderBlock2D", "UpDecoderBlock2D"},
          .block_out_channels = {8, 8},
          .norm_num_groups = 4,
          .mid_block_add_attention = false};
}

LoadedCodec loaded(std::shared_ptr<LatentCodec> codec) {
  return {.codec = std::move(codec)};
}

TEST(PortableDecoder, IsTheStepsOfItsLayers) {
  using Names = std::vector<std::string>;
  const auto dense = portable_decoder(small_codec(2), {2, 1, 1});
  EXPECT_EQ(names((*dense)["steps"]), (Names{"dense", "activate", "dense"}));
  EXPECT_EQ((*dense)["steps"][2]["shape"], (Json{1, 8, 8}));
  EXPECT_EQ((*dense)["output"], "none");

  const auto vae =
      portable_decoder(loaded(AutoencoderKL(small_vae()).ptr()), {4, 4, 4});
  EXPECT_EQ(names((*vae)["steps"]),
            (Names{"conv", "conv", "add", "add", "add", "add", "double", "conv",
                   "add", "add", "normalise", "activate", "conv"}));
}

TEST(PortableDecoder, IsNoneOfWhatAPageCannotDo) {
  auto config = small_vae();
  config.block_out_channels = {256, 256};
  config.norm_num_groups = 32;
  // As large a network, and as large a picture, as nobody would wait for.
  EXPECT_FALSE(
      portable_decoder(loaded(AutoencoderKL(config).ptr()), {4, 4, 4}));
  EXPECT_FALSE(portable_decoder(loaded(AutoencoderKL(small_vae()).ptr()),
                                {4, 512, 512}));
  VQModelConfig tokens{.in_channels = 1,
                       .out_channels = 1,
                       .norm_num_groups = 4,
                       .quantizer = {.kind = "fsq", .levels = {4, 4, 4}}};
  tokens.num_vq_embeddings = 64;
  EXPECT_FALSE(portable_decoder(loaded(VQModel(tokens).ptr()), {3, 8, 8}));
}

TEST(PackedShort, KeepsTheHighBytes) {
  const auto numbers =
      torch::tensor({1.f, -2.7182817f, 3e-20f, 1234.567f, 0.f});
  for (const auto& [num_bytes, error] :
       {std::pair{3, 1 / 65536.}, std::pair{2, 1 / 256.}}) {
    const auto bytes = from_base64(packed_short(numbers, num_bytes));
    ASSERT_EQ(bytes.size(), size_t(5 * num_bytes));
    for (int64_t i = 0; i < 5; ++i) {
      uint32_t bits = 0;
      for (int k = 0; k < num_bytes; ++k)
        bits |= uint32_t(bytes[size_t(i * num_bytes + k)])
                << (8 * (4 - num_bytes + k));
      const auto want = numbers[i].item<float>();
      EXPECT_LE(std::abs(std::bit_cast<float>(bits) - want),
                error * std::abs(want));
    }
  }
}

}  // namespace
}  // namespace calotype
