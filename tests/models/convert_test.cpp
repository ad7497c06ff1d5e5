#include "models/convert/convert.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <string>

#include "core/note.h"
#include "models/registry.h"
#include "tests/models/conversions.h"
#include "tests/models/original_networks.h"
#include "tests/support/fixtures.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;
using original::Weights;
using testing::HasSubstr;

constexpr const char* kVqConfig = R"(
model:
  target: {}
  params:
    embed_dim: 3
    n_embed: 20
    ddconfig: {{double_z: false, z_channels: 4, resolution: 16, in_channels: 3,
               out_ch: 3, ch: 32, ch_mult: [1, 2], num_res_blocks: 2}}
)";

struct CodedPicture {
  at::Tensor x, latents, indices, decoded;
};

enum class Choice { kNearest, kSmallestAngle, kLargestProduct };

/// A VQ autoencoder of any of the projects, with what it makes of a picture.
CodedPicture vq_picture(Weights& w, const original::Autoencoder& c,
                        Choice choice, const std::string& prefix = "") {
  CodedPicture p{.x = at::rand({2, 3, 16, 12}) * 2 - 1};
  const auto e = w.get(prefix + "quantize.embedding.weight", {20, 3});
  p.latents =
      original::conv(w, prefix + "quant_conv",
                     original::encoder(w, c, p.x, 4, prefix), 3, 1, 1, 0);
  const auto unit = [](const at::Tensor& rows) {
    return rows / rows.norm(2, 1, true);
  };
  auto z = p.latents.permute({0, 2, 3, 1}).reshape({-1, 3}), codes = e;
  if (choice == Choice::kSmallestAngle) z = unit(z), codes = unit(e);
  p.indices =
      choice == Choice::kLargestProduct
          ? z.matmul(codes.t()).argmax(1)
          : at::cdist(z.to(at::kDouble), codes.to(at::kDouble)).argmin(1);
  const auto grid = codes.index_select(0, p.indices)
                        .reshape({2, p.latents.size(2), p.latents.size(3), 3})
                        .permute({0, 3, 1, 2});
  p.indices = p.indices.reshape({2, p.latents.size(2), p.latents.size(3)});
  p.decoded = original::decoder(
      w, c, original::conv(w, prefix + "post_quant_conv", grid, 4, 1, 1, 0),
      prefix);
  return p;
}

void expect_codes(const AnyModel& model, const CodedPicture& picture) {
  const auto latents = model.codec->encode(picture.x).mean;
  EXPECT_TRUE(close_to_fixture(latents.narrow(1, 0, 3), picture.latents));
  EXPECT_TRUE(torch::equal(model.tokenizer->tokenize(picture.x).squeeze(1),
                           picture.indices));
  EXPECT_TRUE(close_to_fixture(model.codec->decode(latents), picture.decoded));
}

const original::Autoencoder kSmall{
    .widths = {32, 64}, .num_blocks = 2, .attention = {false, true}};

TEST_F(Conversions, OfLdmsKlAutoencoder) {
  Weights w(1);
  auto c = kSmall;
  c.attention = {true, false};
  c.mid_attention = false;
  const auto x = at::rand({2, 3, 16, 12}) * 2 - 1;
  const auto moments = original::conv(
      w, "quant_conv", original::encoder(w, c, x, 10), 10, 1, 1, 0);
  const auto mean = moments.narrow(1, 0, 5);
  const auto decoded = original::decoder(
      w, c, original::conv(w, "post_quant_conv", mean, 5, 1, 1, 0));
  w.tensors["loss.logvar"] = at::zeros({});
  w.tensors["loss.discriminator.main.3.num_batches_tracked"] = at::arange(1);
  save(w);
  const auto conversion = convert({.scaling_factor = 0.2});
  EXPECT_EQ(conversion.kind.name, "ldm_autoencoder_kl");
  EXPECT_EQ(conversion.num_used, int64_t(w.tensors.size()) - 2);
  EXPECT_EQ(conversion.aside.size(), 1u);
  const auto model = model_of(conversion.models.front().second);
  EXPECT_EQ(model.config["scaling_factor"], 0.2);
  const auto grid = model.codec->encode(x);
  EXPECT_TRUE(close_to_fixture(grid.mean, mean));
  EXPECT_TRUE(close_to_fixture(grid.logvar, moments.narrow(1, 5, 5)));
  EXPECT_TRUE(close_to_fixture(model.codec->decode(grid.mean), decoded));
}

// Those of Stable Diffusion 3 and FLUX.
TEST_F(Conversions, OfAKlAutoencoderWithoutConvolutionsAroundItsLatents) {
  Weights w(2);
  const auto x = at::rand({1, 3, 8, 8}) * 2 - 1;
  const auto moments = original::encoder(w, kSmall, x, 32);
  const auto decoded = original::decoder(w, kSmall, moments.narrow(1, 0, 16));
  save(w);
  const auto model = converted();
  EXPECT_EQ(model.config["use_quant_conv"], false);
  const auto grid = model.codec->encode(x);
  EXPECT_TRUE(close_to_fixture(grid.mean, moments.narrow(1, 0, 16)));
  EXPECT_TRUE(close_to_fixture(model.codec->decode(grid.mean), decoded));
}

TEST_F(Conversions, OfVqAutoencoders) {
  for (const char* target :
       {"ldm.models.autoencoder.VQModel", "taming.models.vqgan.VQModel"}) {
    Weights w(3);
    const auto picture = vq_picture(w, kSmall, Choice::kNearest);
    w.tensors["quantize.embedding.cluster_size"] = at::ones({20});
    w.tensors["quantize.embedding.embed_avg"] = at::ones({20, 3});
    save(w, fmt::format(fmt::runtime(kVqConfig), target));
    const auto model = converted();
    EXPECT_EQ(model.config["sample_size"], 16);
    EXPECT_EQ(model.config["vq_embed_dim"], 3);
    expect_codes(model, picture);
  }
}

TEST_F(Conversions, OfMovingAveragesUnlessPlainWeightsAreAskedFor) {
  Weights w(4);
  const auto picture = vq_picture(w, kSmall, Choice::kNearest);
  add_averages(w, "", "model_ema.");
  save(w,
       fmt::format(fmt::runtime(kVqConfig), "ldm.models.autoencoder.VQModel"));
  expect_codes(converted(), picture);
  const auto plain = convert({.weights = "plain"}).models.front().second;
  EXPECT_TRUE(torch::equal(plain.weights.tensors.at("quant_conv.weight"),
                           w.tensors.at("quant_conv.weight")));
}

TEST_F(Conversions, OfIbqTakeTheCodeOfTheLargestProduct) {
  Weights w(5);
  const auto picture = vq_picture(w, kSmall, Choice::kLargestProduct);
  const auto nearest = vq_picture(w, kSmall, Choice::kNearest);
  ASSERT_FALSE(torch::equal(picture.indices, nearest.indices));
  save(w, fmt::format(fmt::runtime(kVqConfig), "src.IBQ.models.ibqgan.IBQ"));
  const auto model = converted();
  EXPECT_EQ(model.config["vq_embed_dim"], 4);
  expect_codes(model, picture);
  EXPECT_TRUE(torch::equal(model.codec->encode(picture.x).mean.select(1, 3),
                           at::zeros({2, 8, 6})));
}

TEST_F(Conversions, OfAVqAutoencoderWithoutAConfigurationAreAGuess) {
  Weights w(12);
  vq_picture(w, kSmall, Choice::kNearest);
  save(w);
  EXPECT_EQ(convert().kind.name, "ldm_vq");
  EXPECT_THAT(take_notes(),
              testing::Contains(HasSubstr("have the same names")));
  const auto said = convert({.kind = "seed_ibq"});
  EXPECT_EQ(said.models.front().second.config["vq_embed_dim"], 4);
  EXPECT_THAT(take_notes(),
              testing::Not(testing::Contains(HasSubstr("same names"))));
  EXPECT_THAT(refusal<ConfigError>({.heads = 4}),
              HasSubstr("is converted without --heads and --head-channels"));
  Weights encoder(13);
  original::taesd_encoder(encoder, at::rand({1, 3, 8, 8}), 4, {1, 1}, 2);
  save(encoder);
  EXPECT_THAT(refusal<ConfigError>({.kind = "seed_ibq"}),
              HasSubstr("which --kind seed_ibq cannot change"));
}

TEST_F(Conversions, OfLlamaGenCompareByAngle) {
  Weights w(6);
  auto c = kSmall;
  c.is_llamagen = true;
  const auto picture = vq_picture(w, c, Choice::kSmallestAngle);
  w.tensors["quantize.codebook_used"] = at::zeros({65536});
  save(w);
  expect_codes(converted(), picture);
  EXPECT_THAT(take_notes(), testing::Contains(HasSubstr("codebook_l2_norm")));
}

TEST_F(Conversions, OfTaesdAreOfTwoFiles) {
  Weights encoder(7), decoder(8);
  const auto x = at::rand({2, 3, 8, 12});
  const auto latents = original::taesd_encoder(encoder, x, 6, {1, 2, 1}, 5);
  const auto decoded =
      original::taesd_decoder(decoder, latents * 4, 4, {2, 1, 3});
  save(encoder, "", "taesd_encoder.safetensors");
  save(decoder, "", "taesd_decoder.safetensors");
  const auto alone = folder_.path() / "taesd_decoder.safetensors";
  for (const auto& path : {folder_.path(), alone}) {
    const auto conversion = convert_checkpoint(path, {});
    const auto model = model_of(conversion.models.front().second);
    EXPECT_EQ(model.config["num_encoder_blocks"], Json({1, 2, 1}));
    EXPECT_TRUE(close_to_fixture(model.codec->encode(x * 2 - 1).mean, latents));
    EXPECT_TRUE(
        close_to_fixture(model.codec->decode(latents * 4), decoded * 2 - 1));
  }
  fs::remove(folder_.path() / "taesd_encoder.safetensors");
  EXPECT_EQ(refusal<ConfigError>(),
            "taesd_decoder.safetensors: is TAESD's decoder alone; its encoder "
            "must lie beside it, its name alike but for that word");
}

TEST_F(Conversions, OfDitKeepTheFrequenciesOfItsTime) {
  Weights w(9);
  const auto x = at::randn({2, 4, 6, 6});
  const auto t = at::tensor({3, 700}), labels = at::tensor({10, 4});
  const auto out =
      original::dit(w, {.width = 32, .depth = 2, .heads = 4, .num_classes = 10},
                    x, t, labels);
  save(w);
  EXPECT_THAT(refusal<ConfigError>(),
              HasSubstr("the number of heads is not in the file; say --heads"));
  const auto model = converted({.heads = 4});
  EXPECT_EQ(model.config["freq_shift"], 0);
  EXPECT_EQ(model.denoiser->num_classes(), 10);
  EXPECT_TRUE(close_to_fixture(
      model.denoiser->forward(x, t.to(at::kFloat), labels), out));

  w.tensors["pos_embed"] = w.tensors["pos_embed"] + 0.1;
  save(w);
  EXPECT_THAT(refusal<NoClassHere>({.heads = 4}),
              HasSubstr("whose pos_embed is not that of sines and cosines"));
}

TEST_F(Conversions, RefuseWhatNoClassIs) {
  Weights w(10);
  vq_picture(w, kSmall, Choice::kNearest);
  const auto vq = w.tensors;
  const auto with = [&](const std::string& name,
                        const std::vector<int64_t>& shape) {
    w.tensors = vq;
    w.tensors[name] = at::randn(shape);
    save(w);
    return refusal<NoClassHere>();
  };
  EXPECT_THAT(
      with("encoder.mid.attn_2.q.weight", {64, 64, 1, 1}),
      HasSubstr("VQModel has no place for encoder.mid.attn_2.q.weight"));
  EXPECT_THAT(with("encoder.conv_in.weight", {48, 3, 3, 3}),
              HasSubstr("whose first convolution has 48 channels and whose "
                        "first level 32"));
  EXPECT_THAT(with("encoder.down.0.attn.0.to_qkv.weight", {96, 32, 1, 1}),
              HasSubstr("with linear attention"));
  w.tensors = vq;
  w.tensors.erase("encoder.down.0.downsample.conv.weight");
  save(w);
  EXPECT_THAT(refusal<NoClassHere>(),
              HasSubstr("without convolutions that halve the grid"));
  w.tensors = {{"layers.0.weight", at::zeros({2, 2})}};
  save(w);
  EXPECT_THAT(refusal<NoClassHere>(), HasSubstr("such as layers.0.weight"));
}

TEST_F(Conversions, RefuseWhatIsDamagedOrOfAnotherModel) {
  Weights w(11);
  vq_picture(w, kSmall, Choice::kNearest);
  const auto config =
      fmt::format(fmt::runtime(kVqConfig), "ldm.models.autoencoder.VQModel");
  auto vq = w.tensors;
  w.tensors.erase("decoder.up.1.block.2.norm2.bias");
  save(w, config);
  EXPECT_EQ(refusal<DataError>(),
            "model.safetensors: decoder.up.1.block.2.norm2.bias is missing");
  w.tensors = vq;
  w.tensors["encoder.norm_out.bias"] = at::zeros({3});
  save(w);
  EXPECT_THAT(refusal<DataError>(),
              HasSubstr("encoder.conv_norm_out.bias must be [64], got [3]"));
  w.tensors = vq;
  w.tensors["encoder.mid.attn_1.q.weight"] = at::zeros({64, 64, 3, 3});
  save(w);
  EXPECT_THAT(refusal<DataError>(),
              HasSubstr("encoder.mid.attn_1.q.weight must be a matrix or a "
                        "convolution of one element"));
  // A small file that asks for a large model.
  w.tensors = vq;
  w.tensors["encoder.down.1.block.0.conv1.weight"] = at::zeros({60000, 1});
  save(w);
  EXPECT_EQ(refusal<DataError>(),
            "model.safetensors: encoder.down.1.block.0.conv2.weight must be "
            "[60000, 60000, 3, 3], got [64, 64, 3, 3]");
  w.tensors = vq;
  auto other = config;
  other.replace(other.find("n_embed: 20"), 11, "n_embed: 21");
  save(w, other);
  EXPECT_EQ(refusal<ConfigError>(),
            "config.yaml: n_embed is 21, but model.safetensors holds 20; name "
            "the model's own configuration with --config");
}

}  // namespace
}  // namespace calotype
