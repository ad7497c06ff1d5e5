#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "core/error.h"
#include "core/files.h"
#include "core/progress.h"
#include "datasets/latent_store.h"
#include "tests/support/temp_folder.h"
#include "tools/codec.h"
#include "tools/decode.h"
#include "tools/encode.h"
#include "tools/evaluate.h"
#include "tools/generate.h"
#include "tools/inspect.h"
#include "tools/token_use.h"
#include "tools/train.h"
#include "tools/verify.h"
#include "training/checkpoint.h"
#include "training/run_folder.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

template <class Error, class Action>
std::string message_of(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing thrown";
}

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
  EXPECT_EQ(reader.info().codec["num_codes"], 32);
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
  EXPECT_EQ(read_file(out_ / file), read_file(other / file));
  const auto tokens = folder_ / "tokens";
  generate(
      {.model = generator.out, .out = tokens, .latents = true, .count = 3});
  const StoreReader reader(tokens);
  EXPECT_EQ(reader.info().kind, "tokens");
  EXPECT_EQ(decode({.codec = codec_, .store = tokens, .out = out_})["images"],
            3);
}

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
  TokenUse use(8);
  EXPECT_THAT(message_of<DataError>([&] {
                use.add(torch::tensor({0, 8}));
              }),
              HasSubstr("8 is outside the codebook of 8 codes"));
}

TEST(TokenUse, CountsBitsRawAndEntropyCoded) {
  TokenUse use(4);
  use.add(torch::tensor({0, 0, 1, 1}));
  Json result;
  use.write(result, 16);
  EXPECT_EQ(result["dead_codes"], 2);
  EXPECT_NEAR(result["perplexity"].get<double>(), 2, 1e-9);
  EXPECT_NEAR(result["rate_bpp"].get<double>(), 4 * 2 / 16.0, 1e-9);
  EXPECT_NEAR(result["entropy_coded_bpp"].get<double>(), 4 * 1 / 16.0, 1e-9);
  EXPECT_EQ(result["histogram"], "██  ");
}

}  // namespace
}  // namespace calotype
