#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <string>

#include "nn/precision.h"
#include "tests/support/threads.h"
#include "tests/tools/training_runs.h"
#include "tools/encode.h"
#include "tools/generate.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

class ThreadBits : public TrainingRuns {
 protected:
  void SetUp() override {
    TrainingRuns::SetUp();
    save_images("d", 24, {{16, 16}});
  }

  /// Trains with 1, 2 and 3 threads, and begins with 3 and ends with 2; then
  /// in bf16 likewise, but in two threads.
  void expect_same_bits(const Json& model, const std::string& data,
                        const Json& loss = {}) {
    auto json = config(model, data);
    json["training"]["batch_size"] = 16;  // two slices
    if (!loss.is_null()) json["loss"] = loss;
    const auto trained = [&](const std::string& out, int num_threads,
                             int64_t stop_after = 0) {
      const ThreadsFor threads(num_threads);
      run(json, out, stop_after);
      return weights(out);
    };
    const auto name = model.at("_class_name").get<std::string>() + "_" +
                      std::to_string(num_models_++);
    const auto one = trained(name + "1", 1);
    EXPECT_EQ(trained(name + "2", 2), one) << model;
    EXPECT_EQ(trained(name + "3", 3), one) << model;
    trained(name + "5", 3, /*stop_after=*/2);
    EXPECT_EQ(trained(name + "5", 2), one) << model;
    json["training"]["precision"] = "bf16";
    const auto in_bf16 = trained(name + "6", 1);
    EXPECT_NE(in_bf16, one) << model;
    trained(name + "7", 3, /*stop_after=*/2);
    EXPECT_EQ(trained(name + "7", 2), in_bf16) << model;
  }

  /// Of stores, batches of 1, 7 and 64 images; of pictures, 1 and 5.
  void expect_same_in_any_batch();

  static Json vq(const char* quantizer) {
    auto model = vae();
    model["_class_name"] = "VQModel";
    model["num_vq_embeddings"] = 16;
    model["quantizer"] = {{"kind", quantizer}};
    return model;
  }

  static Json dit() {
    return {{"_class_name", "CalotypeDiT"},
            {"hidden_size", 16},
            {"num_layers", 1},
            {"num_attention_heads", 2},
            {"patch_size", 2}};
  }

  int num_models_ = 0;
};

TEST_F(ThreadBits, AreThoseOfTheSlicesInCodecs) {
  auto attentive = vae();
  attentive["mid_block_add_attention"] = true;
  expect_same_bits(attentive, "d");
  expect_same_bits({{"_class_name", "AutoencoderTiny"},
                    {"in_channels", 1},
                    {"out_channels", 1},
                    {"encoder_block_out_channels", {8, 8}},
                    {"decoder_block_out_channels", {8, 8}},
                    {"num_encoder_blocks", {1, 1}},
                    {"num_decoder_blocks", {1, 1}}},
                   "d");
  expect_same_bits(vq("ema"), "d");
  expect_same_bits(vq("residual"), "d");
  expect_same_bits(vqvae2(), "d");
  expect_same_bits(magvit2(), "d");
  const Json family{{"_class_name", "CalotypeAutoencoder"},
                    {"sample_size", 16},
                    {"hidden", {16}},
                    {"latent_channels", 3}};
  for (const Json& keys :
       {Json{{"variational", true}}, Json{{"network", "conv"}},
        Json{{"network", "masked"},
             {"width", 8},
             {"num_layers", 1},
             {"num_attention_heads", 2},
             {"decoder_width", 8},
             {"decoder_layers", 1}}}) {
    auto model = family;
    model.update(keys);
    expect_same_bits(model, "d");
  }
}

TEST_F(ThreadBits, AreThoseOfTheSlicesWithADiscriminator) {
  expect_same_bits(vae(), "d",
                   {{"adversarial",
                     {{"weight", 0.1}, {"adaptive", false}, {"channels", 8}}}});
}

TEST_F(ThreadBits, AreThoseOfTheSlicesInModelsThatDraw) {
  run(config(vq("ema"), "d"), "codec");
  for (const char* kind : {"latents", "tokens"}) {
    EncodeJob encoding;
    encoding.codec = at("codec");
    encoding.data = at("d").string();
    encoding.kind = kind;
    encoding.out = at(kind);
    encode(encoding);
  }
  auto dropping = unet();
  dropping["dropout"] = 0.2;
  expect_same_bits(dropping, "latents");
  expect_same_bits(dit(), "latents");
  expect_same_bits({{"_class_name", "CalotypeMaskedGenerator"},
                    {"width", 16},
                    {"num_layers", 1},
                    {"num_attention_heads", 2}},
                   "tokens");
}

void ThreadBits::expect_same_in_any_batch() {
  save_images("many", 70, {{16, 16}});
  auto attentive = vae();
  attentive["mid_block_add_attention"] = true;
  run(config(attentive, "many"), "codec");
  run(config(vq("ema"), "many"), "tokenizer");
  for (const char* codec : {"codec", "tokenizer"}) {
    std::map<std::string, std::string> first;
    for (const int num_threads : {1, 2, 3})
      for (const int64_t batch_size : {1, 7, 64}) {
        const ThreadsFor threads(num_threads);
        EncodeJob encoding;
        encoding.codec = at(codec);
        encoding.data = at("many").string();
        encoding.batch_size = batch_size;
        encoding.out =
            at(fmt::format("{}_{}_{}", codec, num_threads, batch_size));
        encode(encoding);
        std::map<std::string, std::string> shards;
        for (const auto& file : fs::directory_iterator(encoding.out))
          if (file.path().extension() == ".h5")
            shards[file.path().filename()] = content(file.path().string());
        EXPECT_FALSE(shards.empty());
        if (first.empty()) first = shards;
        EXPECT_EQ(shards == first, true) << codec << " " << encoding.out;
      }
  }
  for (const auto& model : {unet(), dit()}) {
    const auto name = model["_class_name"].get<std::string>();
    run(config(model, "codec_1_1"), name);
    std::map<std::string, std::string> first;
    for (const int num_threads : {1, 2, 3})
      for (const int64_t batch_size : {1, 5}) {
        const ThreadsFor threads(num_threads);
        const auto out =
            at(fmt::format("{}_{}_{}", name, num_threads, batch_size));
        generate({.model = at(name),
                  .out = out,
                  .count = 5,
                  .steps = 3,
                  .batch_size = batch_size});
        std::map<std::string, std::string> pictures;
        for (const auto& file : fs::recursive_directory_iterator(out))
          if (file.path().extension() == ".png")
            pictures[file.path().filename()] = content(file.path().string());
        EXPECT_EQ(pictures.size(), 5U);
        if (first.empty()) first = pictures;
        EXPECT_EQ(pictures == first, true) << out;
      }
  }
}

TEST_F(ThreadBits, AreTheSameInStoresAndPicturesOfAnyBatch) {
  expect_same_in_any_batch();
}

TEST_F(ThreadBits, AreTheSameOfAnyBatchInBf16) {
  const PrecisionScope bf16(Precision::kBf16);
  expect_same_in_any_batch();
}

}  // namespace
}  // namespace calotype
