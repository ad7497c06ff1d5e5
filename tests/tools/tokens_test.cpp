#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include "core/error.h"
#include "core/files.h"
#include "core/progress.h"
#include "evaluation/evaluate.h"
#include "evaluation/token_use.h"
#include "images/image_io.h"
#include "models/codec.h"
#include "store/latent_store.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"
#include "tools/decode.h"
#include "tools/encode.h"
#include "tools/generate.h"
#include "tools/inspect.h"
#include "tools/train.h"
#include "tools/verify.h"
#include "training/checkpoint.h"
#include "training/run_folder.h"
#include "vqvae/vq_model.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

/// A tokenizer of drawn 16-pixel images, trained for a few steps.
TrainJob tokenizer_job(const fs::path& out, const std::string& quantizer,
                       int64_t num_codes = 32, int64_t stop_after = 0) {
  set_quiet(true);
  TrainJob job{.out = out, .stop_after = stop_after};
  auto json = Json::parse(R"({
      "model": {"_class_name": "VQModel", "in_channels": 1, "out_channels": 1,
                "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D"],
                "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D"],
                "block_out_channels": [8, 8], "norm_num_groups": 4,
                "latent_channels": 4, "mid_block_add_attention": false},
      "data": {"train": "synthetic:64:16:1:1"},
      "training": {"steps": 12, "batch_size": 8, "checkpoint_every": 5}
    })");
  json["model"]["quantizer"] = {{"kind", quantizer}, {"restart_after", 3}};
  json["model"]["num_vq_embeddings"] = num_codes;
  read_config(json, job.config, "test");
  return job;
}

class Tokens : public testing::Test {
 protected:
  void SetUp() override { train(tokenizer_job(codec_, "ema")); }

  TempFolder folder_;
  fs::path codec_ = folder_ / "codec", store_ = folder_ / "store",
           out_ = folder_ / "out";
  const std::string data_ = "synthetic:24:16:1:2";
};

TEST_F(Tokens, GoThroughTheStoreAndBack) {
  encode({.codec = codec_, .data = data_, .out = store_});
  const StoreReader reader(store_);
  EXPECT_EQ(reader.info().kind, "tokens");
  EXPECT_EQ(reader.info().dtype, "uint8");
  EXPECT_EQ(reader.info().codec.num_codes(), 32);
  EXPECT_TRUE(verify(store_)["sound"].get<bool>());
  const auto result = decode({.codec = codec_, .store = store_, .out = out_});
  EXPECT_EQ(result["images"], 24);

  const auto codec = load_codec(codec_, at::kCPU);
  const auto rows = reader.gather(torch::arange(24));
  const auto source = open_source(data_);
  const auto image = to_tensor(source->load(3).image).unsqueeze(0);
  EXPECT_TRUE(
      torch::equal(codec.tokenizer->tokenize(image)[0], rows.tokens[3]));
}

TEST_F(Tokens, InspectTellsTheCodebooksUse) {
  encode({.codec = codec_, .data = data_, .out = store_});
  const auto use = inspect(store_);
  EXPECT_EQ(use["codes"], 32);
  EXPECT_EQ(use["codes_in_use"].get<int>() + use["dead_codes"].get<int>(), 32);
  EXPECT_LE(use["perplexity"].get<double>(), use["codes_in_use"].get<double>());
  EXPECT_NEAR(use["rate_bpp"].get<double>(), 5 * 64 / 256.0, 1e-9);
  EXPECT_LE(use["entropy_coded_bpp"].get<double>(),
            use["rate_bpp"].get<double>());
  const auto fidelity = evaluate({.model = codec_, .data = data_});
  EXPECT_NEAR(fidelity["perplexity"].get<double>(),
              use["perplexity"].get<double>(), 1e-9);
  EXPECT_NEAR(fidelity["rate_bpp"].get<double>(), 5 * 64 / 256.0, 1e-9);
  EXPECT_THAT(message_of<ConfigError>([&] {
                evaluate({.model = codec_, .data = data_, .dtype = "bf16"});
              }),
              HasSubstr("--dtype needs a codec that stores latents"));
}

TEST_F(Tokens, LatentsAreStoredWhereAsked) {
  encode({.codec = codec_, .data = data_, .out = store_, .kind = "latents"});
  EXPECT_EQ(StoreReader(store_).info().kind, "latents");
  decode({.codec = codec_, .store = store_, .out = out_});
}

TEST_F(Tokens, AnotherCodebookIsRefused) {
  encode({.codec = codec_, .data = data_, .out = store_});
  const auto other = folder_ / "other";
  train(tokenizer_job(other, "ema", 16));
  EXPECT_THAT(message_of<ConfigError>([&] {
                decode({.codec = other, .store = store_, .out = out_});
              }),
              HasSubstr("its latents are of codec"));
  EXPECT_THAT(
      message_of<ConfigError>([&] {
        decode(
            {.codec = other, .store = store_, .out = out_, .any_codec = true});
      }),
      HasSubstr("are of a codebook of 32 codes"));
}

TEST_F(Tokens, TrainingLogsTheCodebooksHealth) {
  const auto lines = read_metrics(codec_ / "metrics.jsonl");
  for (const char* name :
       {"perplexity", "usage", "dead_codes", "commitment", "mse"})
    EXPECT_TRUE(lines.back().contains(name)) << name;
  EXPECT_THAT(read_text_file(codec_ / "codebook.svg"), HasSubstr("dead codes"));
}

/// A masked generator of what `store` holds, trained for a few steps.
TrainJob generator_job(const fs::path& out, const fs::path& store) {
  TrainJob job{.out = out};
  auto json = Json::parse(R"({
      "model": {"_class_name": "CalotypeMaskedGenerator", "width": 24,
                "num_layers": 2, "num_attention_heads": 2},
      "training": {"steps": 6, "batch_size": 8}
    })");
  json["data"] = {{"train", store.string()}};
  read_config(json, job.config, "test");
  return job;
}

TEST_F(Tokens, AreDrawnByAMaskedGenerator) {
  encode({.codec = codec_, .data = data_, .out = store_});
  const auto generator = generator_job(folder_ / "generator", store_);
  train(generator);
  generate({.model = generator.out, .out = out_, .count = 6, .steps = 4});
  const auto other = folder_ / "other";
  generate({.model = generator.out,
            .out = other,
            .count = 1,
            .first = 4,
            .steps = 4,
            .batch_size = 1});
  const auto classes = open_source(data_)->class_names();
  const auto file = fs::path(classes[4]) / "00004.png";
  // The recipes tell the calls apart; what is drawn is the same.
  EXPECT_EQ(decode_image(read_file(out_ / file), "").pixels,
            decode_image(read_file(other / file), "").pixels);
  const auto tokens = folder_ / "tokens";
  generate(
      {.model = generator.out, .out = tokens, .latents = true, .count = 3});
  const StoreReader reader(tokens);
  EXPECT_EQ(reader.info().kind, "tokens");
  EXPECT_EQ(decode({.codec = codec_,
                    .store = tokens,
                    .out = folder_ / "decoded"})["images"],
            3);
}

TEST_F(Tokens, PackedOnesAreTheSame) {
  encode({.codec = codec_, .data = data_, .out = store_});
  const auto all = [](const fs::path& store) {
    return StoreReader(store).gather(torch::arange(24)).tokens;
  };
  for (const char* packing : {"bits", "entropy"}) {
    const auto packed = folder_ / packing;
    encode({.codec = codec_, .data = data_, .out = packed, .packing = packing});
    EXPECT_TRUE(torch::equal(all(packed), all(store_))) << packing;
    EXPECT_TRUE(verify(packed)["sound"].get<bool>()) << packing;
    EXPECT_EQ(inspect(packed)["perplexity"], inspect(store_)["perplexity"]);
  }
  EXPECT_THAT(message_of<ConfigError>([&] {
                encode({.codec = codec_,
                        .data = data_,
                        .out = out_,
                        .kind = "latents",
                        .packing = "bits"});
              }),
              HasSubstr("--packing packs tokens"));
}

TEST_F(Tokens, ALatentDiffusionModelLearnsTheVectorsBeforeThem) {
  encode({.codec = codec_, .data = data_, .out = store_, .kind = "latents"});
  TrainJob job{.out = folder_ / "diffusion"};
  auto json = Json::parse(R"({
      "model": {"_class_name": "UNet2DModel", "block_out_channels": [8],
                "down_block_types": ["DownBlock2D"],
                "up_block_types": ["UpBlock2D"], "layers_per_block": 1,
                "norm_num_groups": 4},
      "diffusion": {},
      "training": {"steps": 2, "batch_size": 8}
    })");
  json["data"] = {{"train", store_.string()}};
  read_config(json, job.config, "test");
  train(job);
  generate({.model = job.out, .out = out_, .count = 2, .steps = 2});
  const auto latents = folder_ / "drawn";
  generate({.model = job.out,
            .out = latents,
            .latents = true,
            .count = 2,
            .steps = 2});
  // Decoding rounds what was drawn to codes.
  auto model = load_vq_model(open_model_folder(codec_));
  const auto rows = StoreReader(latents).gather(torch::arange(2));
  const torch::NoGradGuard no_grad;
  EXPECT_TRUE(torch::allclose(
      model->decode(rows.grid.mean),
      model->detokenize(model->quantize(rows.grid.mean).indices), 1e-4, 1e-5));
}

TEST_F(Tokens, LatentsAreLearnedByTransformersToo) {
  encode({.codec = codec_, .data = data_, .out = store_, .kind = "latents"});
  for (const char* model :
       {R"({"_class_name": "DiTTransformer2DModel", "patch_size": 1,
            "num_attention_heads": 2, "attention_head_dim": 4,
            "num_layers": 1})",
        R"({"_class_name": "CalotypeDiT", "patch_size": 1, "hidden_size": 8,
            "num_attention_heads": 2, "num_layers": 1})"}) {
    SCOPED_TRACE(model);
    const auto run = folder_ / "run", drawn = folder_ / "drawn";
    TrainJob job{.out = run};
    job.config.model = Json::parse(model);
    job.config.data.train = store_.string();
    job.config.training.steps = 2;
    job.config.training.batch_size = 8;
    train(job);
    const auto told = inspect(run);
    EXPECT_EQ(told["class"], job.config.model["_class_name"]);
    EXPECT_EQ(told["config"]["in_channels"], told["config"]["out_channels"]);
    const auto result = generate(
        {.model = run, .out = drawn, .count = 2, .steps = 2, .guidance = 2});
    EXPECT_EQ(result["images"], 2);
    fs::remove_all(run);
    fs::remove_all(drawn);
  }
}

/// Several tokens to a cell: of a residual quantizer, and of both levels of a
/// VQ-VAE-2.
TrainJob several_levels(const fs::path& out, const std::string& kind) {
  auto job = tokenizer_job(out, "residual");
  job.config.model["quantizer"]["num_quantizers"] = 3;
  if (kind == "residual") return job;
  job.config.model = {{"_class_name", kind},    {"in_channels", 1},
                      {"out_channels", 1},      {"block_out_channels", {8, 8}},
                      {"norm_num_groups", 4},   {"latent_channels", 4},
                      {"num_vq_embeddings", 32}};
  return job;
}

class SeveralLevels : public testing::TestWithParam<const char*> {};

TEST_P(SeveralLevels, GoThroughStoreGeneratorAndDecoder) {
  const TempFolder folder;
  const auto codec = folder / "codec", store = folder / "store";
  const std::string data = "synthetic:24:16:1:2";
  train(several_levels(codec, GetParam()));
  encode({.codec = codec, .data = data, .out = store, .packing = "entropy"});
  const auto use = inspect(store);
  const auto loaded = load_codec(codec, at::kCPU);
  const auto num_codebooks = loaded.tokenizer->codebooks().back() + 1;
  EXPECT_EQ(use["codes"], 32 * num_codebooks);
  EXPECT_EQ(use["perplexity"].size(), size_t(num_codebooks));
  // 5 bits for each of 3 tokens in 64 cells, or for 16 tokens and 64.
  EXPECT_NEAR(use["rate_bpp"].get<double>(),
              5 * (num_codebooks == 3 ? 192 : 80) / 256.0, 1e-9);
  const auto fidelity = evaluate({.model = codec, .data = data});
  EXPECT_EQ(fidelity["perplexity"], use["perplexity"]);
  EXPECT_EQ(fidelity["rate_bpp"], use["rate_bpp"]);
  EXPECT_EQ(decode({.codec = codec,
                    .store = store,
                    .out = folder / "decoded"})["images"],
            24);

  const auto generator = generator_job(folder / "generator", store);
  train(generator);
  const auto drawn = folder / "drawn";
  generate({.model = generator.out,
            .out = drawn,
            .latents = true,
            .count = 3,
            .steps = 4});
  EXPECT_EQ(StoreReader(drawn).info().grid_shapes,
            StoreReader(store).info().grid_shapes);
  EXPECT_EQ(
      decode(
          {.codec = codec, .store = drawn, .out = folder / "images"})["images"],
      3);
}

INSTANTIATE_TEST_SUITE_P(Kinds, SeveralLevels,
                         testing::Values("residual", "CalotypeVQVAE2"));

TEST_F(Tokens, AGeneratorRefusesACodecWithoutTokens) {
  encode({.codec = codec_, .data = data_, .out = store_});
  const auto generator = generator_job(folder_ / "generator", store_);
  train(generator);
  const auto other = folder_ / "other";
  TrainJob job{.out = other};
  read_config(Json::parse(R"({
        "model": {"_class_name": "CalotypeAutoencoder", "sample_size": 16,
                  "hidden": [8], "latent_channels": 2},
        "data": {"train": "synthetic:16:16:1:1"},
        "training": {"steps": 1, "batch_size": 8}
      })"),
              job.config, "test");
  train(job);
  EXPECT_THAT(message_of<ConfigError>([&] {
                generate({.model = generator.out,
                          .out = out_,
                          .codec = other,
                          .any_codec = true,
                          .count = 1});
              }),
              HasSubstr("draws tokens, and a CalotypeAutoencoder has none"));
}

TEST_F(Tokens, ACountOfCodesInTheQuantizerIsRefused) {
  auto job = tokenizer_job(out_, "ema");
  job.config.model["quantizer"]["num_codes"] = 64;  // num_vq_embeddings decides
  EXPECT_THAT(message_of<ConfigError>([&] { train(job); }),
              HasSubstr("num_codes"));
}

TEST_F(Tokens, ADiffusionModelRefusesThem) {
  encode({.codec = codec_, .data = data_, .out = store_});
  auto job = generator_job(out_, store_);
  job.config.model = {{"_class_name", "UNet2DModel"}};
  EXPECT_THAT(message_of<ConfigError>([&] { train(job); }),
              HasSubstr("encode with --kind latents"));
}

TEST(TokenizerTraining, StoppingAndGoingOnIsNotStoppingBitForBit) {
  for (const char* kind : {"ema", "learned", "residual", "cosine"}) {
    SCOPED_TRACE(kind);
    const TempFolder folder;
    const auto whole = tokenizer_job(folder / "whole", kind);
    train(whole);
    train(tokenizer_job(folder / "parts", kind, 32, 4));
    const auto parts = tokenizer_job(folder / "parts", kind);
    train(parts);
    const auto state = [](const TrainJob& job) {
      return read_checkpoint(job.out / "state" / "state.safetensors").tensors;
    };
    const auto other = state(parts);
    for (const auto& [name, tensor] : state(whole))
      EXPECT_TRUE(torch::equal(tensor, other.at(name))) << name;
  }
}

TEST(TokenUse, RefusesACodeOutsideTheCodebook) {
  TokenUse use(8, {0});
  EXPECT_THAT(message_of<DataError>([&] {
                use.add(torch::tensor({0, 8}).view({1, 1, 1, 2}));
              }),
              HasSubstr("8 is outside the codebook of 8 codes"));
}

TEST(TokenUse, CountsBitsRawAndEntropyCoded) {
  TokenUse use(4, {0});
  use.add(torch::tensor({0, 0, 1, 1}).view({2, 1, 1, 2}));
  Json result;
  use.write(result, 16);
  EXPECT_EQ(result["dead_codes"], 2);
  EXPECT_NEAR(result["perplexity"].get<double>(), 2, 1e-9);
  EXPECT_NEAR(result["rate_bpp"].get<double>(), 4 * 2 / 16.0, 1e-9);
  EXPECT_NEAR(result["entropy_coded_bpp"].get<double>(), 4 * 1 / 16.0, 1e-9);
  EXPECT_EQ(result["histogram"], "██  ");
}

TEST(TokenUse, KeepsCodebooksApart) {
  TokenUse use(4, {0, 1, 1});
  // Level 0 uses one code, levels 1 and 2 together all four.
  use.add(torch::tensor({3, 3, 0, 1, 2, 3}).view({1, 3, 1, 2}));
  Json result;
  use.write(result, 12);
  EXPECT_EQ(result["codes"], 8);
  EXPECT_EQ(result["codes_in_use"], 5);
  EXPECT_NEAR(result["perplexity"][0].get<double>(), 1, 1e-9);
  EXPECT_NEAR(result["perplexity"][1].get<double>(), 4, 1e-9);
  EXPECT_NEAR(result["rate_bpp"].get<double>(), 6 * 2 / 12.0, 1e-9);
  EXPECT_NEAR(result["entropy_coded_bpp"].get<double>(), 4 * 2 / 12.0, 1e-9);
}

}  // namespace
}  // namespace calotype
