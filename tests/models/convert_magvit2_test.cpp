#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <string>

#include "core/note.h"
#include "tests/models/conversions.h"
#include "tests/models/original_magvit2.h"
#include "tests/support/fixtures.h"

// The tokenizer of Open-MAGVIT2.
namespace calotype {
namespace {

using original::Weights;
using testing::HasSubstr;

constexpr const char* kMagvitConfig = R"(
model:
  class_path: src.Open_MAGVIT2.models.lfqgan.VQModel
  init_args:
    ddconfig: {double_z: false, z_channels: 5, resolution: 16, in_channels: 3,
               out_ch: 3, ch: 32, ch_mult: [1, 2, 2], num_res_blocks: 2}
    n_embed: 32
    embed_dim: 5
    use_ema: true
)";

const original::Autoencoder kMagvitShape{.widths = {32, 64, 64},
                                         .num_blocks = 2};

/// A picture with what the project makes of it.
struct MagvitPicture {
  at::Tensor x, latents, indices, decoded;
};

MagvitPicture magvit_picture(Weights& w) {
  MagvitPicture p{.x = at::rand({2, 3, 16, 12}) * 2 - 1};
  p.latents = original::magvit2_encoder(w, kMagvitShape, p.x, 5);
  const auto bits = p.latents > 0;
  p.indices = (bits.to(at::kLong) *
               at::tensor({1, 2, 4, 8, 16}, at::kLong).view({5, 1, 1}))
                  .sum(1, /*keepdim=*/true);
  p.decoded =
      original::magvit2_decoder(w, kMagvitShape, bits.to(at::kFloat) * 2 - 1);
  return p;
}

void expect_magvit_codes(const AnyModel& model, const MagvitPicture& picture) {
  const auto latents = model.codec->encode(picture.x).mean;
  EXPECT_TRUE(close_to_fixture(latents, picture.latents));
  EXPECT_TRUE(
      torch::equal(model.tokenizer->tokenize(picture.x), picture.indices));
  EXPECT_TRUE(close_to_fixture(model.codec->decode(latents), picture.decoded));
  EXPECT_TRUE(close_to_fixture(model.tokenizer->detokenize(picture.indices),
                               picture.decoded));
}

class OpenMagvit2 : public Conversions {
 protected:
  /// The refusal of the checkpoint with one tensor more, or another one.
  template <class Error>
  std::string refusal_with(const std::string& name,
                           const std::vector<int64_t>& shape) {
    Weights w(31);
    magvit_picture(w);
    w.tensors[name] = at::randn(shape);
    save(w, kMagvitConfig);
    return refusal<Error>();
  }
};

TEST_F(OpenMagvit2, BecomesAClassOfItsOwn) {
  Weights w(30);
  const auto picture = magvit_picture(w);
  const auto num_used = int64_t(w.tensors.size());
  w.tensors["loss.discriminator.main.0.weight"] = at::zeros({4, 3, 4, 4});
  w.tensors["loss.logvar"] = at::zeros({});
  save(w, kMagvitConfig);
  const auto conversion = convert();
  EXPECT_EQ(conversion.kind.name, "seed_open_magvit2");
  EXPECT_EQ(conversion.num_used, num_used);
  EXPECT_EQ(conversion.aside.size(), 1u);
  EXPECT_THAT(conversion.left_over, testing::IsEmpty());
  const auto& converted = conversion.models.front().second;
  EXPECT_EQ(converted.class_name, "CalotypeMAGVIT2");
  EXPECT_EQ(converted.config["block_out_channels"], Json({32, 64, 64}));
  EXPECT_EQ(converted.config["layers_per_block"], 2);
  EXPECT_EQ(converted.config["latent_channels"], 5);
  EXPECT_EQ(converted.config["quantizer"]["kind"], "lfq");
  expect_magvit_codes(model_of(converted), picture);
}

TEST_F(OpenMagvit2, IsConvertedWithoutAConfiguration) {
  Weights w(30);
  const auto picture = magvit_picture(w);
  save(w);
  expect_magvit_codes(converted(), picture);
}

// use_ema: averages of the discriminator, too, which are not taken.
TEST_F(OpenMagvit2, IsOfMovingAveragesUnlessPlainWeightsAreAskedFor) {
  Weights w(32);
  const auto picture = magvit_picture(w);
  w.tensors["loss.discriminator.main.0.weight"] = at::zeros({4, 3, 4, 4});
  add_averages(w, "", "model_ema.");
  save(w, kMagvitConfig);
  expect_magvit_codes(converted(), picture);
  EXPECT_THAT(take_notes(),
              testing::Contains(HasSubstr("moving averages are taken")));
  const auto plain = convert({.weights = "plain"}).models.front().second;
  EXPECT_TRUE(torch::equal(plain.weights.tensors.at("encoder.conv_in.weight"),
                           w.tensors.at("encoder.conv_in.weight")));
}

TEST_F(OpenMagvit2, IsRefusedWhereItIsAVariant) {
  EXPECT_THAT(
      refusal_with<NoClassHere>("encoder.mid_block.1.conv1.bias", {64}),
      HasSubstr(
          "CalotypeMAGVIT2 has no place for encoder.mid_block.1.conv1.bias"));
  EXPECT_THAT(refusal_with<NoClassHere>("quant_conv.weight", {5, 5, 1, 1}),
              HasSubstr("has no place for quant_conv.weight"));
  EXPECT_THAT(
      refusal_with<NoClassHere>("encoder.conv_in.weight", {64, 3, 3, 3}),
      HasSubstr("whose first convolution has 64 channels and whose "
                "first level 32"));
  EXPECT_THAT(refusal_with<DataError>("decoder.mid_block.2.conv1.weight",
                                      {64, 64, 3, 3}),
              HasSubstr("decoder.mid_block.2.conv2.weight is missing"));
  Weights w(33);
  magvit_picture(w);
  for (const char* name : {"conv1.weight", "conv2.weight"})
    w.tensors.erase(std::string("decoder.mid_block.1.") + name);
  save(w, kMagvitConfig);
  EXPECT_THAT(refusal<NoClassHere>(),
              HasSubstr("with 1 blocks in decoder.mid_block* and 2 elsewhere"));
}

TEST_F(OpenMagvit2, IsRefusedWhereItIsDamagedOrAnotherModel) {
  EXPECT_EQ(refusal_with<DataError>("decoder.up.1.upsample.conv1.bias", {255}),
            "model.safetensors: decoder.up.1.upsample.conv1.bias must have "
            "four rows a channel");
  EXPECT_THAT(
      refusal_with<DataError>("decoder.adaptive.2.gamma.weight", {64}),
      HasSubstr("decoder.up_blocks.0.norm.scale.weight must be [64, 5], "
                "got [64]"));
  // A small file that asks for a large model.
  EXPECT_THAT(refusal_with<DataError>("encoder.down.2.block.0.conv1.weight",
                                      {60000, 1}),
              HasSubstr("encoder.down.2.block.0.conv2.weight must be [60000, "
                        "60000, 3, 3], got [64, 64, 3, 3]"));
  Weights w(34);
  magvit_picture(w);
  std::string other = kMagvitConfig;
  other.replace(other.find("n_embed: 32"), 11, "n_embed: 64");
  save(w, other);
  EXPECT_THAT(refusal<ConfigError>(),
              HasSubstr("n_embed is 64, but model.safetensors holds 32"));
  save(w, kMagvitConfig);
  EXPECT_THAT(refusal<ConfigError>({.scaling_factor = 0.5}),
              HasSubstr("is converted without --scaling-factor"));
}

}  // namespace
}  // namespace calotype
