// Pipelines of diffusers in the commands, and runs that leave one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/progress.h"
#include "datasets/image_source.h"
#include "models/codec.h"
#include "models/pipeline_folder.h"
#include "store/latent_store.h"
#include "tests/support/message_of.h"
#include "tests/support/small_pipelines.h"
#include "tests/tools/small_generator.h"
#include "tools/decode.h"
#include "tools/inspect.h"

namespace calotype {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  const auto source = open_source(folder.string());
  for (int64_t i = 0; i < source->size(); ++i) names.push_back(source->name(i));
  return names;
}

/// The largest difference of two folders of images, in bytes' steps.
int difference(const fs::path& a, const fs::path& b) {
  const auto ours = open_source(a.string()), theirs = open_source(b.string());
  EXPECT_EQ(ours->size(), theirs->size());
  int largest = 0;
  for (int64_t i = 0; i < ours->size(); ++i) {
    const auto x = ours->load(i).image.pixels, y = theirs->load(i).image.pixels;
    EXPECT_EQ(x.size(), y.size());
    for (size_t p = 0; p < x.size(); ++p)
      largest = std::max(largest, std::abs(int(x[p]) - int(y[p])));
  }
  return largest;
}

class DrawnPipeline : public testing::Test {
 protected:
  void SetUp() override {
    set_quiet(true);
    write_dit_pipeline(dit_);
    write_ldm_pipeline(ldm_);
  }

  GenerateJob job(const fs::path& model, const char* out) const {
    return {.model = model,
            .out = folder_ / out,
            .count = 3,
            .steps = 3,
            .noise = "diffusers",
            .seed = 5};
  }

  TempFolder folder_;
  const fs::path dit_ = folder_ / "dit", ldm_ = folder_ / "ldm";
};

TEST_F(DrawnPipeline, TakesClassesByNumberNameAndEachOfTheirNames) {
  auto drawn = job(dit_, "drawn");
  drawn.classes = "Tinca tinca,7,goldfish";
  const auto recipe = generate(drawn)["recipe"];
  EXPECT_EQ(recipe["sampler"], "dpmpp_2m");
  EXPECT_EQ(recipe["guidance"], 4);
  EXPECT_EQ(recipe["noise"], "diffusers");
  EXPECT_EQ(recipe["count"], 3);
  EXPECT_THAT(names_in(drawn.out),
              ElementsAre("7/00001.png", "goldfish/00002.png",
                          "tench, Tinca tinca/00000.png"));
  drawn.classes = "crane";
  EXPECT_THAT(message_of<ConfigError>([&] { generate(drawn); }),
              HasSubstr("crane is of class 2 and of class 5; give the number"));
  drawn.classes = "10";
  EXPECT_THAT(message_of<ConfigError>([&] { generate(drawn); }),
              HasSubstr("a number below 10 or one of tench, Tinca tinca"));
}

TEST_F(DrawnPipeline, DrawsAllImagesOfACallWhateverTheBatch) {
  auto whole = job(dit_, "whole"), parts = job(dit_, "parts");
  parts.batch_size = 2;
  generate(whole);
  generate(parts);
  EXPECT_LE(difference(whole.out, parts.out), 1);
  auto other = job(dit_, "other");
  other.noise = "calotype";
  generate(other);
  EXPECT_GT(difference(whole.out, other.out), 1);
}

TEST_F(DrawnPipeline, RefusesWhatSuchNoiseDoesNotGoWith) {
  auto drawn = job(dit_, "drawn");
  drawn.first = 1;
  EXPECT_THAT(message_of<ConfigError>([&] { generate(drawn); }),
              HasSubstr("--first must be 0, got 1"));
  drawn.first = 0;
  drawn.to_seed = 7;
  EXPECT_THAT(message_of<ConfigError>([&] { generate(drawn); }),
              HasSubstr("--to-seed goes with noise of each sample"));
}

TEST_F(DrawnPipeline, GuidesNotBelowOne) {
  auto half = job(dit_, "half"), one = job(dit_, "one");
  half.guidance = 0.5;
  one.guidance = 1;
  generate(half);
  generate(one);
  EXPECT_EQ(difference(half.out, one.out), 0);
}

TEST_F(DrawnPipeline, IsACodecForImagesAndStores) {
  EncodeJob encoding{
      .codec = ldm_, .data = "synthetic:4:16:3:1", .out = folder_ / "store"};
  encode(encoding);
  EXPECT_EQ(StoreReader(encoding.out).info().codec.path(),
            (ldm_ / "vqvae").string());
  decode({.codec = ldm_, .store = encoding.out, .out = folder_ / "decoded"});
  EXPECT_EQ(names_in(folder_ / "decoded").size(), 4);
}

TEST_F(DrawnPipeline, SaysWhatItIsMadeOf) {
  const auto found = inspect(dit_);
  EXPECT_EQ(found["kind"], "pipeline");
  EXPECT_EQ(found["class"], "DiTPipeline");
  EXPECT_EQ(found["transformer"]["class"], "DiTTransformer2DModel");
  EXPECT_EQ(found["vae"]["model"], "codec");
  EXPECT_EQ(found["scheduler"]["_class_name"], "DPMSolverMultistepScheduler");
}

/// Runs on the latents of the grey codec, whose channels have means and
/// deviations of their own.
class LeftPipeline : public Generate {
 protected:
  void train_run(const Json& model, const Json& diffusion,
                 const fs::path& out) {
    Json json{{"model", model},
              {"diffusion", diffusion},
              {"data", {{"train", (folder_ / "store").string()}}},
              {"training", {{"steps", 2}, {"batch_size", 4}}}};
    TrainJob job{.out = out, .pipeline = true};
    read_config(json, job.config, "test");
    train(job);
  }

  /// The pipeline that lies in a run, in a folder of its own.
  fs::path pipeline_of(const fs::path& run) {
    const auto pipeline = folder_ / "pipeline";
    fs::create_directories(pipeline);
    for (const char* name : {"model_index.json", "scheduler", "unet",
                             "transformer", "vae", "vqvae"})
      if (fs::exists(run / name))
        fs::copy(run / name, pipeline / name, fs::copy_options::recursive);
    return pipeline;
  }

  void expect_same_pictures(GenerateJob of_run) {
    of_run.noise = "diffusers";
    of_run.sampler = "ddim";
    auto of_pipeline = of_run;
    of_pipeline.model = pipeline_of(of_run.model);
    of_pipeline.out = folder_ / "of_pipeline";
    generate(of_run);
    generate(of_pipeline);
    EXPECT_LE(difference(of_run.out, of_pipeline.out), 1);
  }

  const Json unet_ = Json::parse(R"({
      "_class_name": "UNet2DModel", "block_out_channels": [8, 8],
      "layers_per_block": 1, "down_block_types": ["DownBlock2D", "DownBlock2D"],
      "up_block_types": ["UpBlock2D", "UpBlock2D"], "norm_num_groups": 4})");
  const Json dit_ = Json::parse(R"({
      "_class_name": "DiTTransformer2DModel", "num_attention_heads": 2,
      "attention_head_dim": 8, "num_layers": 1})");
};

TEST_F(LeftPipeline, DrawsWhatTheRunDrawsOfNoClass) {
  train_run(unet_, {{"objective", {{"label_dropout", 0.5}}}}, folder_ / "run");
  auto drawn = job();
  drawn.model = folder_ / "run";
  drawn.classes = "none";
  expect_same_pictures(drawn);
  const auto config =
      read_json_file(folder_ / "pipeline" / "unet" / "config.json");
  EXPECT_TRUE(config["num_class_embeds"].is_null());
}

TEST_F(LeftPipeline, DrawsWhatADitWithClassesDraws) {
  train_run(dit_,
            {{"scheduler",
              {{"_class_name", "DDPMScheduler"},
               {"variance_type", "learned_range"}}}},
            folder_ / "run");
  auto drawn = job();
  drawn.model = folder_ / "run";
  drawn.guidance = 3;
  expect_same_pictures(drawn);
  const auto pipeline = open_pipeline_folder(folder_ / "pipeline");
  EXPECT_TRUE(pipeline.is_dit());
  EXPECT_EQ(pipeline.class_names.size(), 6);
  EXPECT_EQ(read_json_file(pipeline.scheduler)["_class_name"], "DDIMScheduler");
  EXPECT_EQ(
      read_json_file(pipeline.denoiser / "config.json")["num_embeds_ada_norm"],
      1000);
}

TEST_F(LeftPipeline, IsForgottenWithItsRun) {
  const auto run = folder_ / "run";
  train_run(dit_, Json::object(), run);
  write_file_atomic(run / "vae" / "mine.txt", std::string_view("kept"));
  Json json{{"model", dit_},
            {"diffusion", Json::object()},
            {"data", {{"train", (folder_ / "store").string()}}},
            {"training", {{"steps", 1}, {"batch_size", 4}}}};
  TrainJob again{.out = run, .fresh = true};
  read_config(json, again.config, "test");
  train(again);
  EXPECT_FALSE(fs::exists(run / "model_index.json"));
  EXPECT_FALSE(fs::exists(run / "transformer"));
  EXPECT_FALSE(fs::exists(run / "vae" / "config.json"));
  EXPECT_TRUE(fs::exists(run / "vae" / "mine.txt"));
}

TEST_F(LeftPipeline, IsRefusedBeforeTrainingWhereDiffusersHasNone) {
  const auto refusal = [&](const Json& model, const Json& diffusion) {
    return message_of<ConfigError>(
        [&] { train_run(model, diffusion, folder_ / "refused"); });
  };
  EXPECT_THAT(refusal(unet_, {{"objective", {{"label_dropout", 0}}}}),
              HasSubstr("an LDMPipeline shows its network no class"));
  EXPECT_THAT(refusal({{"_class_name", "CalotypeDiT"},
                       {"hidden_size", 16},
                       {"num_attention_heads", 2},
                       {"num_layers", 1}},
                      Json::object()),
              HasSubstr("diffusers has no pipeline for a CalotypeDiT"));
  EXPECT_THAT(
      refusal(dit_,
              {{"scheduler", {{"_class_name", "EulerDiscreteScheduler"}}}}),
      HasSubstr("a DiTPipeline does not draw with a EulerDiscreteScheduler"));
  EXPECT_FALSE(fs::exists(folder_ / "refused"));

  fs::rename(codec_, folder_ / "moved");
  EXPECT_THAT(refusal(dit_, Json::object()),
              HasSubstr("--pipeline: holds the codec that made the latents"));
}

}  // namespace
}  // namespace calotype
