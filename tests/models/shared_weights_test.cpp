#include "models/shared_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "core/error.h"
#include "core/note.h"
#include "nn/model_folder.h"
#include "tests/support/message_of.h"
#include "vqvae/quantizer.h"

namespace calotype {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

AnyModel made(const std::string& class_name, const Json& keys) {
  return find_model_class(class_name)->make(keys);
}

AnyModel codec(const std::string& class_name, const Json& more = {}) {
  Json keys{{"block_out_channels", {8}},
            {"norm_num_groups", 4},
            {"mid_block_add_attention", false}};
  if (!more.is_null()) keys.update(more);
  return made(class_name, keys);
}

AnyModel vq(int64_t num_codes, const char* kind) {
  return codec("VQModel", {{"num_vq_embeddings", num_codes},
                           {"quantizer", {{"kind", kind}}}});
}

AnyModel unet(int64_t num_classes) {
  Json keys{{"block_out_channels", {8}},
            {"down_block_types", {"DownBlock2D"}},
            {"up_block_types", {"UpBlock2D"}},
            {"layers_per_block", 1},
            {"norm_num_groups", 4},
            {"in_channels", 2},
            {"out_channels", 2}};
  if (num_classes > 0) keys["num_class_embeds"] = num_classes + 1;
  return made("UNet2DModel", keys);
}

InitialModel initial(const char* class_name, const AnyModel& model,
                     const std::vector<std::string>& class_names = {}) {
  return {.where = "old",
          .known = find_model_class(class_name),
          .model = model,
          .class_names = class_names};
}

at::Tensor tensor(const AnyModel& model, const std::string& name) {
  return weights_of(*model.module).tensors.at(name);
}

at::Tensor images(int64_t channels) {
  torch::manual_seed(3);
  return torch::rand({2, channels, 8, 8});
}

TEST(SharedWeights, OfOneShapeAreTheSameModel) {
  const auto old = codec("AutoencoderKL");
  auto now = codec("AutoencoderKL");
  const auto result = share_weights(now, initial("AutoencoderKL", old), {});
  EXPECT_EQ(result.shared.size(), weights_of(*old.module).tensors.size());
  EXPECT_THAT(result.fresh, IsEmpty());
  EXPECT_THAT(result.left_over, IsEmpty());
  EXPECT_TRUE(result.shares_encoder());
  const torch::NoGradGuard no_grad;
  EXPECT_TRUE(torch::equal(now.codec->encode(images(3)).mean,
                           old.codec->encode(images(3)).mean));
}

TEST(SharedWeights, WhatIsNewLeftOverAndOfAnotherShapeIsTold) {
  const auto old = codec("AutoencoderKL", {{"use_quant_conv", false}});
  auto now = codec("AutoencoderKL",
                   {{"latent_channels", 2}, {"use_post_quant_conv", false}});
  const auto from = initial("AutoencoderKL", old);
  const auto result = share_weights(now, from, {});
  EXPECT_THAT(result.fresh,
              ElementsAre("quant_conv.weight", "quant_conv.bias"));
  EXPECT_THAT(result.misshapen,
              ElementsAre("encoder.conv_out.weight", "encoder.conv_out.bias",
                          "decoder.conv_in.weight"));
  EXPECT_THAT(result.left_over,
              ElementsAre("post_quant_conv.bias", "post_quant_conv.weight"));
  EXPECT_FALSE(result.shares_encoder());
  take_notes();
  tell_shared(result, from);
  EXPECT_THAT(
      take_notes(),
      ElementsAre(
          HasSubstr("--init old: AutoencoderKL, "),
          "--init old: new, at first values: quant_conv.weight, "
          "quant_conv.bias",
          HasSubstr("of another shape here, and so at first values: encoder."),
          "--init old: left over: post_quant_conv.bias, "
          "post_quant_conv.weight"));
}

TEST(SharedWeights, ManyNamesAreGrouped) {
  EXPECT_EQ(grouped_names({"a.b", "a.c"}), "a.b, a.c");
  EXPECT_EQ(grouped_names({"a.x.1", "a.x.2", "a.y.1", "a.y.2", "a.z.1", "b.x.1",
                           "b.x.2"}),
            "a.x.* (2), a.y.* (2), a.z.1, b.x.* (2)");
}

TEST(SharedWeights, ModelsOfNothingInCommonAreRefused) {
  auto now = unet(0);
  const auto old = made("AutoencoderTiny", {{"encoder_block_out_channels", {4}},
                                            {"decoder_block_out_channels", {4}},
                                            {"num_encoder_blocks", {1}},
                                            {"num_decoder_blocks", {1}}});
  EXPECT_THAT(
      message_of<ConfigError>(
          [&] { share_weights(now, initial("AutoencoderTiny", old), {}); }),
      HasSubstr(
          "--init old: AutoencoderTiny, no tensor of which has the name"));
}

// A grey image is the one of three equal channels, both ways.
TEST(SharedWeights, ImageChannelsAreFittedSoThatGreyStaysGrey) {
  const auto colour = codec("AutoencoderKL");
  const Json one{{"in_channels", 1}, {"out_channels", 1}};
  auto grey = codec("AutoencoderKL", one);
  const auto result = share_weights(grey, initial("AutoencoderKL", colour), {});
  EXPECT_THAT(result.fitted,
              ElementsAre("encoder.conv_in.weight", "decoder.conv_out.weight",
                          "decoder.conv_out.bias"));
  const torch::NoGradGuard no_grad;
  const auto image = images(1);
  const auto latent = grey.codec->encode(image).mean;
  EXPECT_TRUE(torch::allclose(
      latent, colour.codec->encode(image.expand({2, 3, 8, 8})).mean, 1e-4,
      1e-5));
  EXPECT_TRUE(torch::allclose(
      grey.codec->decode(latent),
      colour.codec->decode(latent).mean(1, /*keepdim=*/true), 1e-4, 1e-5));

  auto colour_again = codec("AutoencoderKL");
  share_weights(colour_again, initial("AutoencoderKL", grey), {});
  EXPECT_TRUE(torch::allclose(
      colour_again.codec->encode(image.expand({2, 3, 8, 8})).mean, latent, 1e-4,
      1e-5));
}

TEST(SharedWeights, MoreCodesBeginNearThoseThatAreThere) {
  for (const char* kind : {"learned", "ema"}) {
    SCOPED_TRACE(kind);
    const auto old = vq(4, kind);
    auto more = vq(10, kind), fewer = vq(3, kind);
    const auto result = share_weights(more, initial("VQModel", old), {});
    EXPECT_THAT(result.fitted, ElementsAre("quantize.embedding.weight"));
    const auto codes = tensor(old, "quantize.embedding.weight");
    const auto grown = tensor(more, "quantize.embedding.weight");
    EXPECT_TRUE(torch::equal(grown.narrow(0, 0, 4), codes));
    EXPECT_FALSE(torch::equal(grown[4], codes[0]));
    EXPECT_TRUE(torch::allclose(grown[9], codes[1], 0.1, 0.1));
    share_weights(fewer, initial("VQModel", old), {});
    EXPECT_TRUE(torch::equal(tensor(fewer, "quantize.embedding.weight"),
                             codes.narrow(0, 0, 3)));
  }
}

// Neither k-means of the first batch nor sums that are not theirs.
TEST(SharedWeights, CodesThatAreTakenAreNotReplacedByTheFirstBatch) {
  for (const char* kind : {"learned", "ema"}) {
    SCOPED_TRACE(kind);
    const auto old = vq(4, kind);
    auto now = vq(4, kind);
    share_weights(now, initial("VQModel", old), {});
    for (const auto& module : now.module->modules())
      if (auto* quantizer = dynamic_cast<Quantizer*>(module.get())) {
        const torch::NoGradGuard no_grad;
        const QuantizerStep step{.seed = 1, .step = 0};
        const auto codes = tensor(old, "quantize.embedding.weight");
        quantizer->quantize(codes.repeat({8, 1}), &step);
        EXPECT_TRUE(torch::allclose(tensor(now, "quantize.embedding.weight"),
                                    codes, 1e-3, 1e-3));
      }
  }
}

TEST(SharedWeights, ClassesAreSharedByNameOrElseByNumber) {
  const auto old = unet(2);
  const auto rows = tensor(old, "class_embedding.weight");
  auto named = unet(3);
  share_weights(named, initial("UNet2DModel", old, {"cat", "dog"}),
                {"dog", "fish", "cat"});
  EXPECT_TRUE(torch::equal(tensor(named, "class_embedding.weight"),
                           torch::stack({rows[1], rows[2], rows[0], rows[2]})));
  // As many, in another order.
  auto swapped = unet(2);
  const auto result = share_weights(
      swapped, initial("UNet2DModel", old, {"cat", "dog"}), {"dog", "cat"});
  EXPECT_THAT(result.fitted, ElementsAre("class_embedding.weight"));
  EXPECT_TRUE(torch::equal(tensor(swapped, "class_embedding.weight"),
                           torch::stack({rows[1], rows[0], rows[2]})));
  auto numbered = unet(3);
  share_weights(numbered, initial("UNet2DModel", old), {"dog", "fish", "cat"});
  EXPECT_TRUE(torch::equal(tensor(numbered, "class_embedding.weight"),
                           torch::stack({rows[0], rows[1], rows[2], rows[2]})));
}

TEST(SharedWeights, AClassifiersNewClassesBeginAtTheirFirstValues) {
  const Json keys{{"channels", {8}}, {"sample_size", 4}, {"num_classes", 2}};
  auto more = keys;
  more["num_classes"] = 3;
  const auto old = made("CalotypeClassifier", keys);
  auto now = made("CalotypeClassifier", more);
  const auto first = tensor(now, "head.weight").clone();
  share_weights(now, initial("CalotypeClassifier", old, {"a", "b"}),
                {"b", "c", "a"});
  const auto rows = tensor(old, "head.weight");
  EXPECT_TRUE(torch::equal(tensor(now, "head.weight"),
                           torch::stack({rows[1], first[1], rows[0]})));
}

TEST(SharedWeights, AGeneratorOfOtherTokensIsRefused) {
  const auto generator = [](int64_t num_codes) {
    return made("CalotypeMaskedGenerator", {{"num_codes", num_codes},
                                            {"num_levels", 1},
                                            {"grid_height", 2},
                                            {"grid_width", 2},
                                            {"width", 8},
                                            {"num_layers", 1},
                                            {"num_attention_heads", 2}});
  };
  auto now = generator(16);
  EXPECT_THAT(message_of<ConfigError>([&] {
                share_weights(
                    now, initial("CalotypeMaskedGenerator", generator(8)), {});
              }),
              HasSubstr("draws tokens of 8 codes, and those to be learnt are "
                        "of 16"));
}

}  // namespace
}  // namespace calotype
