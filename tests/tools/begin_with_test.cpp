#include "tools/begin_with.h"

#include <gmock/gmock.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "core/error.h"
#include "core/note.h"
#include "models/codec.h"
#include "nn/model_folder.h"
#include "store/latent_store.h"
#include "tests/support/fixtures.h"
#include "tests/support/message_of.h"
#include "tests/tools/training_runs.h"
#include "tools/decode.h"
#include "tools/encode.h"
#include "training/run_folder.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::HasSubstr;

class BeginWith : public TrainingRuns {
 protected:
  void SetUp() override {
    TrainingRuns::SetUp();
    save_images("d", 8, {{16, 16}});
    take_notes();
  }

  /// Without a model of its own.
  Json like(const std::string& init) const {
    auto json = config(Json::object(), "d");
    json["init"] = at(init).string();
    return json;
  }

  Json decoder_of(const std::string& init) const {
    auto json = like(init);
    json["training"]["train"] = {"{decoder,post_quant_conv}.*"};
    return json;
  }

  TensorFile tensors(const std::string& run) const {
    return read_weights(open_model_folder(at(run)).weights);
  }

  void encode_set(const std::string& codec, const std::string& out) const {
    EncodeJob job;
    job.codec = at(codec);
    job.data = at("d").string();
    job.out = at(out);
    encode(job);
  }
};

TEST_F(BeginWith, ARunIsAsItsInitialModelAndGoesOnWithoutIt) {
  run(config(vae(), "d"), "old");
  run(like("old"), "whole");
  EXPECT_NE(weights("whole"), weights("old"));
  run(like("old"), "parts", 2);
  fs::rename(at("old"), at("moved"));
  run(like("old"), "parts");
  EXPECT_EQ(weights("parts"), weights("whole"));
  const auto json = read_json_file(at("whole") / "run.json");
  EXPECT_EQ(json["config"]["model"]["block_out_channels"], Json({8, 8}));
  EXPECT_EQ(json["data"]["init"]["fingerprint"],
            weights_sha256(open_model_folder(at("moved"))));
  EXPECT_EQ(json["data"]["init"]["new"], "");
}

// With the schedule and the loss that it learnt by, unless others are given.
TEST_F(BeginWith, ARunOfItsClassLearnsByWhatItLearntBy) {
  auto first = config(vae(), "d");
  first["loss"] = {{"kl_weight", 0.25}};
  run(first, "old");
  run(like("old"), "new", 1);
  run(like("old"), "new");  // goes on
  EXPECT_EQ(
      read_json_file(at("new") / "run.json")["config"]["loss"]["kl_weight"],
      0.25);
  encode_set("old", "store");
  auto denoiser = config(unet(), "store");
  denoiser["diffusion"] = {{"scheduler", {{"prediction_type", "v_prediction"}}},
                           {"preview", {{"count", 1}, {"num_steps", 1}}}};
  run(denoiser, "diffusion");
  auto json = like("diffusion");
  json["data"]["train"] = at("store").string();
  run(json, "tuned", 1);
  run(json, "tuned");
  EXPECT_EQ(
      read_json_file(at("tuned") / "scheduler_config.json")["prediction_type"],
      "v_prediction");
}

// A kill may come before the first checkpoint.
TEST_F(BeginWith, ARunWithoutACheckpointBeginsAgainWithTheSameModelAlone) {
  run(config(vae(), "d"), "old");
  run(like("old"), "run");
  const auto before = weights("run");
  fs::remove(at("run") / "state" / "state.safetensors");
  run(like("old"), "run");
  EXPECT_EQ(weights("run"), before);
  fs::remove(at("run") / "state" / "state.safetensors");
  auto other = config(vae(), "d");
  other["seed"] = 1;
  run(other, "old", 0, /*fresh=*/true);
  EXPECT_THAT(message_of<ConfigError>([&] { run(like("old"), "run"); }),
              HasSubstr("init has changed since the run began"));
}

TEST_F(BeginWith, ADecoderAloneKeepsTheLatentsToTheBit) {
  run(config(vae(), "d"), "old");
  encode_set("old", "old_store");
  run(decoder_of("old"), "new");
  EXPECT_THAT(take_notes(), Contains(HasSubstr("images keep its latents")));
  const auto before = tensors("old").tensors, after = tensors("new").tensors;
  for (const auto& [name, tensor] : before)
    EXPECT_EQ(torch::equal(tensor, after.at(name)),
              name.starts_with("encoder.") || name.starts_with("quant_conv."))
        << name;
  encode_set("new", "new_store");
  const StoreReader a(at("old_store")), b(at("new_store"));
  EXPECT_EQ(a.info().mean, b.info().mean);
  const auto rows = torch::arange(a.size());
  EXPECT_TRUE(torch::equal(a.read(rows).grid.mean, b.read(rows).grid.mean));
  EXPECT_TRUE(torch::equal(a.read(rows).grid.logvar, b.read(rows).grid.logvar));

  // What decodes them says so, and is taken at its word.
  DecodeJob job;
  job.codec = at("new");
  job.store = at("old_store");
  job.out = at("decoded");
  EXPECT_EQ(decode(job)["images"], 8);
  run(like("old"), "whole");
  job.codec = at("whole");
  EXPECT_THAT(message_of<ConfigError>([&] { decode(job); }),
              HasSubstr("its latents are of codec"));
}

// The second generation knows the first codec too, also where it was stopped.
TEST_F(BeginWith, DecodersOfDecodersKnowAllOfTheirStores) {
  run(config(vae(), "d"), "old");
  run(decoder_of("old"), "new");
  run(decoder_of("new"), "newest", 2);
  run(decoder_of("new"), "newest");
  const auto codec = load_codec(at("newest"), at::kCPU);
  EXPECT_THAT(
      codec.latents_of,
      testing::ElementsAre(weights_sha256(open_model_folder(at("old"))),
                           weights_sha256(open_model_folder(at("new")))));
}

// Nothing trains its condition_encoder, which must not be lost either.
TEST_F(BeginWith, WhatNothingTrainsIsKeptWhereARunGoesOn) {
  const Json asymmetric{{"_class_name", "AsymmetricAutoencoderKL"},
                        {"in_channels", 1},
                        {"out_channels", 1},
                        {"down_block_out_channels", {8}},
                        {"up_block_out_channels", {4}},
                        {"norm_num_groups", 4}};
  run(config(asymmetric, "d"), "old");
  run(like("old"), "parts", 2);
  run(like("old"), "parts");
  const auto name = "decoder.condition_encoder.layers.0.weight";
  EXPECT_TRUE(torch::equal(tensors("parts").tensors.at(name),
                           tensors("old").tensors.at(name)));
}

TEST_F(BeginWith, AFrozenCodebookOfRunningMeansStays) {
  auto vq = vae();
  vq["_class_name"] = "VQModel";
  vq["num_vq_embeddings"] = 16;
  for (const char* kind : {"ema", "learned"}) {
    SCOPED_TRACE(kind);
    vq["quantizer"] = {{"kind", kind}, {"restart_after", 1}};
    const std::string old = std::string("old_") + kind;
    run(config(vq, "d"), old);
    auto json = like(old);
    json["training"]["freeze"] = {"quantize.*"};
    run(json, std::string("new_") + kind);
    const auto codes = [&](const std::string& of) {
      return tensors(of + kind).tensors.at("quantize.embedding.weight");
    };
    EXPECT_TRUE(torch::equal(codes("old_"), codes("new_")));
    run(like(old), std::string("free_") + kind);
    EXPECT_FALSE(torch::equal(codes("old_"), codes("free_")));
  }
}

TEST_F(BeginWith, TakesCheckpointsAndPipelines) {
  const auto checkpoint = fixtures_folder() / "autoencoder_kl_grey" /
                          "diffusion_pytorch_model.safetensors";
  auto json = config(Json::object(), "d");
  json["init"] = checkpoint.string();
  EXPECT_EQ(run(json, "of_file")["step"], 4);
  fs::create_directories(at("pipeline"));
  fs::copy(checkpoint.parent_path(), at("pipeline") / "vae");
  write_file_atomic(at("pipeline") / "model_index.json",
                    R"({"_class_name": "StableDiffusionPipeline",
                        "vae": ["diffusers", "AutoencoderKL"]})");
  EXPECT_EQ(run(like("pipeline"), "of_pipeline")["step"], 4);
  EXPECT_EQ(weights("of_pipeline"), weights("of_file"));
}

TEST_F(BeginWith, RefusesWhatCannotBe) {
  run(config(vae(), "d"), "old");
  const auto refusal = [&](const Json& json) {
    return message_of<ConfigError>([&] { run(json, "new"); });
  };
  EXPECT_THAT(refusal(like("nowhere")), HasSubstr("no such file or folder"));
  EXPECT_THAT(refusal(config(Json::object(), "d")),
              HasSubstr("model says no _class_name; --init names a model"));
  auto json = decoder_of("old");
  json["training"]["train"] = {"decodr.*"};
  EXPECT_THAT(refusal(json), HasSubstr("did you mean \"decoder.*\"?"));
  json = like("old");
  json["training"]["freeze"] = {"decoder.conv_out.*"};
  json["loss"] = {{"adversarial", {{"weight", 0.1}}}};
  EXPECT_THAT(refusal(json),
              HasSubstr("loss.adversarial.adaptive must be false where "
                        "decoder.conv_out.weight is frozen"));
  EXPECT_FALSE(fs::exists(at("new")));
}

}  // namespace
}  // namespace calotype
