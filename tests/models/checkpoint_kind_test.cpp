#include "models/checkpoint_kind.h"

#include <gmock/gmock.h>
#include <torch/utils.h>

#include <string>
#include <vector>

#include "core/files.h"
#include "tests/support/temp_folder.h"
#include "tests/support/torch_files.h"

namespace calotype {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Named {
  const char* name;
  std::vector<int64_t> shape = {1};
};

TensorFile tensors_of(const std::vector<Named>& names,
                      const std::string& prefix = "") {
  TensorFile file;
  for (const auto& [name, shape] : names)
    file.tensors[prefix + name] = torch::zeros(shape);
  return file;
}

class CheckpointKinds : public testing::Test {
 protected:
  /// The kind of a safetensors file of these.
  CheckpointKind of(const TensorFile& file) {
    write_safetensors(folder_ / "a.safetensors", file);
    return kind_of(Checkpoint::open(folder_ / "a.safetensors"));
  }
  CheckpointKind of(std::vector<Named> names,
                    const std::vector<Named>& more = {},
                    const std::string& prefix = "") {
    names.insert(names.end(), more.begin(), more.end());
    return of(tensors_of(names, prefix));
  }
  void write_config(const char* text) {
    write_file_atomic(folder_ / "config.yaml", std::string_view(text));
  }

  TempFolder folder_;
};

// Of the layouts of the projects: what their autoencoders share, 3 channels to
// 4 of a latent.
const std::vector<Named> kAutoencoder{
    {"encoder.conv_in.weight", {32, 3, 3, 3}},
    {"encoder.down.0.block.0.norm1.weight", {32}},
    {"encoder.down.0.block.0.conv1.weight", {32, 32, 3, 3}},
    {"encoder.mid.block_1.norm1.weight", {32}},
    {"decoder.conv_in.weight", {32, 4, 3, 3}},
    {"post_quant_conv.weight", {4, 4, 1, 1}}};
const std::vector<Named> kKl{{"quant_conv.weight", {8, 8, 1, 1}}};

std::vector<Named> codes(int64_t width) {
  return {{"quant_conv.weight", {width, 4, 1, 1}},
          {"quantize.embedding.weight", {64, width}}};
}

TEST_F(CheckpointKinds, TellKlAndVqAutoencoders) {
  const auto kl = of(kAutoencoder, kKl);
  EXPECT_EQ(kl.name, "ldm_autoencoder_kl");
  EXPECT_THAT(kl.classes, ElementsAre("AutoencoderKL"));
  EXPECT_THAT(kl.remarks, IsEmpty());
  const auto narrow = of(kAutoencoder, codes(4));
  EXPECT_EQ(narrow.name, "ldm_vq");
  EXPECT_THAT(narrow.classes, ElementsAre("VQModel"));
  EXPECT_THAT(narrow.remarks, Contains(HasSubstr("by the width of the code")));
  EXPECT_EQ(of(kAutoencoder, codes(256)).name, "taming_vqgan");
}

TEST_F(CheckpointKinds, AskTheConfigurationBesideIt) {
  write_config("model:\n  target: taming.models.vqgan.VQModel\n");
  const auto taming = of(kAutoencoder, codes(4));
  EXPECT_EQ(taming.name, "taming_vqgan");
  EXPECT_THAT(taming.remarks, IsEmpty());
  write_config("model:\n  target: ldm.models.autoencoder.VQModelInterface\n");
  EXPECT_EQ(of(kAutoencoder, codes(256)).name, "ldm_vq");
  write_config("model:\n  class_path: src.IBQ.models.ibqgan.IBQ\n");
  EXPECT_EQ(of(kAutoencoder, codes(256)).name, "seed_ibq");
}

// {"loops": {}, "state_dict": {...}}, as Lightning 2 leaves it.
TEST_F(CheckpointKinds, GuessIbqByWhatWroteIt) {
  auto names = kAutoencoder;
  for (const auto& name : codes(256)) names.push_back(name);
  const auto file = tensors_of(names);
  const auto kind = [&](const TorchBeside& beside) {
    write_file_atomic(folder_ / "a.ckpt",
                      torch_zip(file, "state_dict", beside));
    return kind_of(Checkpoint::open(folder_ / "a.ckpt"));
  };
  EXPECT_EQ(kind({}).name, "taming_vqgan");
  EXPECT_EQ(kind({}).wrapper, "state_dict");
  EXPECT_EQ(kind({"loops"}).name, "seed_ibq");
  EXPECT_THAT(kind({"loops"}).remarks, ElementsAre(HasSubstr("Lightning 2")));
}

TEST_F(CheckpointKinds, SayWhyAnAutoencoderHasNoClass) {
  const auto no_class = [&](std::vector<Named> more) {
    const auto kind = of(kAutoencoder, more);
    EXPECT_THAT(kind.classes, IsEmpty());
    return kind.remarks.empty() ? "" : kind.remarks.back();
  };
  EXPECT_THAT(no_class({{"quant_conv.weight", {6, 8, 1, 1}},
                        {"post_quant_conv.weight", {4, 3, 1, 1}}}),
              HasSubstr("embed_dim is not z_channels"));
  EXPECT_THAT(
      no_class({{"encoder.down.0.block.0.conv1.weight", {64, 32, 3, 3}}}),
      HasSubstr("ch_mult[0] is not 1"));
  EXPECT_THAT(no_class({{"encoder.mid.attn_1.to_qkv.weight"}}),
              HasSubstr("attention is linear"));
  const auto gumbel =
      of(kAutoencoder, {{"quantize.proj.weight"}, {"quantize.embed.weight"}});
  EXPECT_EQ(gumbel.name, "taming_gumbel");
  EXPECT_THAT(gumbel.classes, IsEmpty());
  const auto ema =
      of(kAutoencoder, {{"quantize.embedding.weight", {64, 256}},
                        {"quantize.embedding.cluster_size", {64}}});
  EXPECT_EQ(ema.name, "taming_ema");
  EXPECT_THAT(ema.classes, ElementsAre("VQModel"));
}

TEST_F(CheckpointKinds, TakeAPrefixOff) {
  const auto kind = of(kAutoencoder, kKl, "module.");
  EXPECT_EQ(kind.name, "ldm_autoencoder_kl");
  EXPECT_EQ(kind.prefix, "module.");
}

TEST_F(CheckpointKinds, TellWhatALatentDiffusionIsTold) {
  std::vector<Named> names = kAutoencoder;
  for (const auto& name : codes(4)) names.push_back(name);
  auto file = tensors_of(names, "first_stage_model.");
  const std::string unet = "model.diffusion_model.";
  file.tensors[unet + "input_blocks.0.0.weight"] = torch::zeros({32, 4, 3, 3});
  file.tensors[unet + "out.2.weight"] = torch::zeros({4, 32, 3, 3});
  file.tensors["betas"] = torch::zeros({1000});
  const auto plain = of(file);
  EXPECT_EQ(plain.name, "ldm_unconditional");
  EXPECT_THAT(plain.classes, ElementsAre("VQModel", "UNet2DModel"));
  EXPECT_THAT(plain.remarks, IsEmpty());

  auto super_resolution = file;
  super_resolution.tensors[unet + "input_blocks.0.0.weight"] =
      torch::zeros({32, 7, 3, 3});
  EXPECT_EQ(of(super_resolution).name, "ldm_concat_conditional");

  file.tensors[unet + "middle_block.1.transformer_blocks.0.attn2.to_k.weight"] =
      torch::zeros({1});
  EXPECT_EQ(of(file).name, "ldm_text_conditional");
  file.tensors["cond_stage_model.embedding.weight"] = torch::zeros({1000, 512});
  const auto by_class = of(file);
  EXPECT_EQ(by_class.name, "ldm_class_conditional");
  EXPECT_THAT(by_class.classes, ElementsAre("VQModel"));
  EXPECT_THAT(by_class.remarks, Contains(HasSubstr("cross-attention")));
}

TEST_F(CheckpointKinds, TellTaesdFromItsRelatives) {
  const std::vector<Named> encoder{{"0.weight", {64, 3, 3, 3}},
                                   {"0.bias"},
                                   {"2.weight", {64, 64, 3, 3}},
                                   {"3.conv.0.weight"},
                                   {"14.bias", {4}}};
  const std::vector<Named> decoder{{"1.weight", {64, 4, 3, 3}},
                                   {"1.bias"},
                                   {"3.conv.0.weight"},
                                   {"19.bias", {3}}};
  const auto first = of(encoder);
  EXPECT_EQ(first.name, "taesd");
  EXPECT_EQ(first.part, "encoder");
  EXPECT_THAT(first.classes, ElementsAre("AutoencoderTiny"));
  EXPECT_EQ(of(decoder).part, "decoder");
  EXPECT_EQ(of(encoder, {{"4.pool.0.weight"}}).name, "taesd_flux2");
  EXPECT_EQ(of(encoder, {{"2.bias"}}).name, "taesd_sana");
  EXPECT_EQ(of(decoder, {{"29.bias"}}).name, "taesd_sana");
  EXPECT_THAT(of(decoder, {{"29.bias"}}).classes, IsEmpty());
  auto both = tensors_of(encoder, "encoder.");
  both.tensors.merge(tensors_of(decoder, "decoder.").tensors);
  EXPECT_EQ(of(both).name, "taesd");
  EXPECT_EQ(of(both).part, "");
  EXPECT_EQ(of(encoder, {{"head.weight"}}).name, "unknown");
}

TEST_F(CheckpointKinds, TellTheOthers) {
  const std::vector<Named> dit{{"x_embedder.proj.weight"},
                               {"blocks.0.adaLN_modulation.1.weight"},
                               {"blocks.0.attn.qkv.weight"},
                               {"blocks.0.mlp.fc1.weight"},
                               {"y_embedder.embedding_table.weight"}};
  EXPECT_EQ(of(dit).name, "dit");
  EXPECT_THAT(of(dit).classes, ElementsAre("DiTTransformer2DModel"));
  EXPECT_EQ(of(dit, {{"blocks.0.attn.q_norm.weight"}}).name, "unknown");
  EXPECT_EQ(of({{"encoder.conv_blocks.0.res.0.norm1.weight"}}).name,
            "llamagen_vq");
  const std::vector<Named> magvit{{"encoder.mid_block.0.conv1.weight"},
                                  {"encoder.down.0.block.0.norm1.weight"},
                                  {"decoder.adaptive.0.gamma.weight"}};
  EXPECT_EQ(of(magvit).name, "seed_open_magvit2");
  EXPECT_THAT(of(magvit, {{"model_ema.encoderconv_inweight"}}).remarks,
              Contains(HasSubstr("moving average")));
  const std::vector<Named> codec{
      {"encoder.down_blocks.0.resnets.0.norm1.weight"}};
  EXPECT_EQ(of(codec).name, "diffusers");
  EXPECT_EQ(of(codec, {{"encoder.mid_block.attentions.0.query.weight"}}).name,
            "diffusers_old_attention");
  EXPECT_EQ(of({{"lin0.model.1.weight", {1, 64, 1, 1}}}).name, "lpips_linear");
  EXPECT_EQ(of({{"lins.0.model.1.weight"}, {"net.slice1.0.weight"}}).name,
            "lpips");
  const std::vector<Named> inception{{"Conv2d_1a_3x3.conv.weight"},
                                     {"Mixed_7c.branch_pool.conv.weight"}};
  EXPECT_EQ(of(inception, {{"fc.weight", {1008, 2}}}).name, "fid_inception");
  EXPECT_EQ(of(inception, {{"fc.weight", {1000, 2}}}).name, "inception_v3");
  EXPECT_EQ(of({{"features.2.weight"}, {"features.28.weight"}}).name, "vgg16");
  const auto unknown = of({{"weight"}});
  EXPECT_EQ(unknown.name, "unknown");
  EXPECT_THAT(unknown.classes, IsEmpty());
}

}  // namespace
}  // namespace calotype
