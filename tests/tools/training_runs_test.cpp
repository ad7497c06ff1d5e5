#include "tests/tools/training_runs.h"

#include <gmock/gmock.h>

#include "core/error.h"
#include "datasets/image_source.h"
#include "diffusion/latent_space.h"
#include "tests/support/message_of.h"
#include "tools/encode.h"
#include "tools/generate.h"
#include "training/run_folder.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

TEST_F(TrainingRuns, OfTwoShapesEndWithTheSameBitsWhereverTheyWereStopped) {
  save_images("d", 22, {{16, 16}, {18, 18}});
  auto json = config(vae(), "d");
  json["training"]["steps"] = 8;
  run(json, "whole");
  for (int64_t k = 1; k < 8; ++k) {
    const auto out = fmt::format("parts{}", k);
    run(json, out, k);
    run(json, out);
    EXPECT_EQ(weights(out), weights("whole")) << k;
  }
}

TEST_F(TrainingRuns, DoNotDependOnHowOftenTheyAreLookedAt) {
  save_images("d", 22, {{16, 16}, {18, 18}});
  auto json = config(vae(), "d");
  json["training"]["batch_size"] = 8;  // a row of a preview
  run(json, "rarely");
  json["training"]["sample_every"] = 1;
  run(json, "often");
  EXPECT_EQ(weights("often"), weights("rarely"));
  EXPECT_TRUE(fs::exists(at("often") / "samples" / "step-00000003.png"));
}

TEST_F(TrainingRuns, TakeFewerImagesThanABatch) {
  save_images("d", 3, {{16, 16}});
  auto json = config(vae(), "d");
  json["training"]["batch_size"] = 8;
  EXPECT_EQ(run(json, "run")["step"], 4);
  EXPECT_FALSE(weights("run").empty());
}

TEST_F(TrainingRuns, WriteAModelThatIsMissingAtTheEnd) {
  save_images("d", 8, {{16, 16}});
  const auto json = config(vae(), "d");
  const auto first = run(json, "run");
  const auto before = weights("run");
  for (const char* name :
       {"config.json", "diffusion_pytorch_model.safetensors", "curves.svg"})
    fs::remove(at("run") / name);
  const auto second = run(json, "run");
  EXPECT_EQ(weights("run"), before);
  EXPECT_TRUE(fs::exists(at("run") / "config.json"));
  EXPECT_TRUE(fs::exists(at("run") / "curves.svg"));
  EXPECT_EQ(second["last"], first["last"]);
}

Json vq() {
  return {{"_class_name", "VQModel"},
          {"in_channels", 1},
          {"out_channels", 1},
          {"down_block_types",
           {"DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"}},
          {"up_block_types",
           {"UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"}},
          {"block_out_channels", {8, 8, 8}},
          {"norm_num_groups", 4},
          {"latent_channels", 4},
          {"num_vq_embeddings", 16},
          {"mid_block_add_attention", false}};
}

TEST_F(TrainingRuns, TakeImagesOfOddSizesAsEncodingDoes) {
  save_images("d", 8, {{15, 13}});
  auto deep = vae();
  deep["block_out_channels"] = {8, 8, 8};
  deep["down_block_types"].push_back("DownEncoderBlock2D");
  deep["up_block_types"].push_back("UpDecoderBlock2D");
  const std::vector<Json> models = {deep,
                                    vq(),
                                    vqvae2(),
                                    magvit2(),
                                    {{"_class_name", "CalotypeAutoencoder"},
                                     {"network", "conv"},
                                     {"hidden", {8, 8}},
                                     {"latent_channels", 2},
                                     {"code_grid", true}}};
  for (size_t i = 0; i < models.size(); ++i) {
    const auto out = fmt::format("run{}", i);
    auto json = config(models[i], "d");
    json["data"]["validation"] = at("d").string();
    const auto result = run(json, out);
    EXPECT_TRUE(result["last"]["val_loss"].is_number()) << models[i];
    EncodeJob encoding;
    encoding.codec = at(out);
    encoding.data = at("d").string();
    encoding.out = at(out + "_store");
    EXPECT_EQ(encode(encoding)["images"], 8) << models[i];
  }
}

TEST_F(TrainingRuns, RefuseASizeThatTheModelDoesNotTake) {
  save_images("d", 8, {{16, 16}});
  auto json = config({{"_class_name", "CalotypeAutoencoder"},
                      {"sample_size", 12},
                      {"latent_channels", 4}},
                     "d");
  json["data"]["preprocessing"] = {{"size", 15}};
  EXPECT_EQ(message_of<ConfigError>([&] { run(json, "run"); }),
            "config: data.preprocessing.size must be 12, the size of images "
            "that the model takes, got 15");
  EXPECT_FALSE(fs::exists(at("run")));
}

class StoreRuns : public TrainingRuns {
 protected:
  /// A store of `data`, by a codec whose weights are those of `seed`.
  void make_store(const std::string& store, const std::string& data,
                  int64_t seed = 1) {
    const auto codec = fmt::format("codec{}", seed);
    if (!fs::exists(at(codec))) {
      save_images("codec_data", 4, {{16, 16}});
      auto json = config(vae(), "codec_data");
      json["training"]["steps"] = 1;
      json["seed"] = seed;
      run(json, codec);
    }
    fs::remove_all(at(store));
    EncodeJob job;
    job.codec = at(codec);
    job.data = at(data).string();
    job.out = at(store);
    encode(job);
  }

  Json diffusion(const std::string& store,
                 const std::string& validation = "") const {
    auto json = config(unet(), store);
    json["diffusion"] = {{"preview", {{"count", 1}, {"num_steps", 1}}}};
    if (!validation.empty())
      json["data"]["validation"] = at(validation).string();
    return json;
  }
};

TEST_F(StoreRuns, DrawImagesOfTheSizeThatTheyLearntFrom) {
  save_images("d", 8, {{15, 13}});
  make_store("store", "d");
  run(diffusion("store"), "run");
  const auto space = read_latent_space(at("run") / "latent_space.json");
  EXPECT_EQ(space.image_size, (std::vector<int64_t>{15, 13}));
  GenerateJob job{
      .model = at("run"), .out = at("drawn"), .count = 2, .steps = 1};
  generate(job);
  const auto drawn = open_source(at("drawn").string());
  ASSERT_EQ(drawn->size(), 2);
  EXPECT_EQ(drawn->load(0).image.height, 15);
  EXPECT_EQ(drawn->load(0).image.width, 13);
}

TEST_F(StoreRuns, KnowNoSizeOfImagesThatDiffer) {
  save_images("d", 8, {{15, 13}, {16, 13}});
  make_store("store", "d");
  run(diffusion("store"), "run");
  EXPECT_TRUE(
      read_latent_space(at("run") / "latent_space.json").image_size.empty());
}

TEST_F(StoreRuns, AreNotGoneOnWithOnAnotherStore) {
  save_images("d", 8, {{16, 16}});
  save_images("other", 8, {{16, 16}}, 100);
  make_store("store", "d");
  const auto json = diffusion("store");
  run(json, "run", 2);
  EXPECT_NO_THROW(run(json, "run", 1));
  make_store("store", "other");
  EXPECT_THAT(message_of<ConfigError>([&] { run(json, "run"); }),
              HasSubstr("data.train has changed since the run began"));
  EXPECT_EQ(run(json, "run", 0, /*fresh=*/true)["step"], 4);
}

TEST_F(TrainingRuns, AreNotGoneOnWithOnOtherImages) {
  save_images("d", 8, {{16, 16}});
  const auto json = config(vae(), "d");
  run(json, "run", 2);
  save_image(at("d") / "003.png", 16, 16, 1000);
  EXPECT_THAT(message_of<ConfigError>([&] { run(json, "run"); }),
              HasSubstr("data.train has changed since the run began"));
}

TEST_F(StoreRuns, RefuseAValidationStoreOfAnotherCodec) {
  save_images("d", 8, {{16, 16}});
  make_store("store", "d");
  make_store("other", "d", 2);
  EXPECT_THAT(
      message_of<ConfigError>([&] { run(diffusion("store", "other"), "run"); }),
      HasSubstr("the codec is"));
  EXPECT_FALSE(fs::exists(at("run")));
}

TEST_F(StoreRuns, MatchTheClassesOfValidationByTheirNames) {
  for (const char* name : {"ape", "bear", "cat"})
    save_images(std::string("d/") + name, 4, {{16, 16}}, name[0] * 7);
  for (int64_t i = 0; i < 4; ++i)  // the cats alone, whose label is then 0
    save_image(at("cats/cat") / fmt::format("{:03}.png", i), 16, 16,
               'c' * 7 + i);
  make_store("store", "d");
  make_store("cats_store", "cats");
  auto json = diffusion("store", "cats_store");
  json["diffusion"]["objective"] = {{"label_dropout", 0}};
  json["training"]["learning_rate"] = {{"peak", 0.01}, {"warmup_steps", 0}};
  json["training"]["ema_decay"] = 0;
  const auto by_name = run(json, "by_name")["last"];

  // Renamed, they would be unknown and judged without a label.
  fs::rename(at("cats/cat"), at("cats/lion"));
  make_store("cats_store", "cats");
  testing::internal::CaptureStderr();
  const auto unknown = run(json, "unknown")["last"];
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("does not have the classes lion"));
  EXPECT_NE(by_name["val_loss"], unknown["val_loss"]);
  EXPECT_EQ(by_name["loss"], unknown["loss"]);
}

Json classifier(int64_t num_classes) {
  return {{"_class_name", "CalotypeClassifier"},
          {"sample_size", 16},
          {"channels", {8, 8}},
          {"num_classes", num_classes}};
}

TEST_F(TrainingRuns, JudgeAClassifierByTheNamesOfClasses) {
  for (const char* name : {"ape", "bear", "cat"})
    save_images(std::string("d/") + name, 4, {{16, 16}}, name[0] * 7);
  save_images("cats/cat", 4, {{16, 16}}, 'c' * 7);
  auto json = config(classifier(3), "d");
  json["training"]["steps"] = 150;
  json["training"]["ema_decay"] = 0;
  json["training"]["learning_rate"] = {{"peak", 0.01}, {"warmup_steps", 0}};
  json["data"]["validation"] = at("cats").string();
  const auto last = run(json, "run")["last"];
  EXPECT_EQ(last["val_accuracy"], 1);

  fs::rename(at("cats/cat"), at("cats/lion"));
  EXPECT_THAT(message_of<ConfigError>([&] { run(json, "other"); }),
              HasSubstr("has classes that " + at("d").string() +
                        " has not: lion; leave them out with [class!=...]"));
}

TEST_F(TrainingRuns, RefuseAClassifierOfFewerClassesThanThereAre) {
  for (const char* name : {"ape", "bear", "cat"})
    save_images(std::string("d/") + name, 4, {{16, 16}});
  EXPECT_THAT(
      message_of<ConfigError>([&] { run(config(classifier(2), "d"), "run"); }),
      HasSubstr("model.num_classes must be at least the 3 classes"));
  save_images("flat", 4, {{16, 16}});
  EXPECT_THAT(message_of<ConfigError>(
                  [&] { run(config(classifier(3), "flat"), "run"); }),
              HasSubstr("has no classes, which a classifier learns"));
}

TEST_F(TrainingRuns, RefuseFoldersWhereTheyWouldMixWithOtherFiles) {
  save_images("d", 8, {{16, 16}});
  const auto json = config(vae(), "d");
  EXPECT_THAT(message_of<ConfigError>([&] { run(json, "d"); }),
              HasSubstr("cannot be written over"));
  EXPECT_THAT(message_of<ConfigError>([&] { run(json, "d/run"); }),
              HasSubstr("lies inside of"));
  EXPECT_FALSE(fs::exists(at("d/run")));
  make_folder(at("other"));
  write_file_atomic(at("other/mine.txt"), "mine");
  EXPECT_THAT(message_of<ConfigError>([&] { run(json, "other"); }),
              HasSubstr("and no run; choose an empty folder"));
}

TEST_F(StoreRuns, RefuseANetworkThatDoesNotTakeTheGrid) {
  save_images("d", 8, {{16, 16}});
  make_store("store", "d");
  auto json = diffusion("store");
  json["model"]["in_channels"] = 5;
  EXPECT_THAT(message_of<ConfigError>([&] { run(json, "run"); }),
              HasSubstr("the model does not take latents of [4, 8, 8]"));
  EXPECT_FALSE(fs::exists(at("run")));
}

TEST_F(StoreRuns, RefuseAGeneratorOfOtherTokensThanTheStores) {
  save_images("d", 8, {{16, 16}});
  run(config(vq(), "d"), "vq");
  EncodeJob encoding;
  encoding.codec = at("vq");
  encoding.data = at("d").string();
  encoding.out = at("tokens");
  encode(encoding);
  const auto refusal = [&](const char* key, int64_t value) {
    auto json = config({{"_class_name", "CalotypeMaskedGenerator"},
                        {"width", 16},
                        {"num_layers", 1},
                        {"num_attention_heads", 2},
                        {key, value}},
                       "tokens");
    return message_of<ConfigError>([&] { run(json, "run"); });
  };
  EXPECT_THAT(refusal("num_codes", 8), HasSubstr("model.num_codes must be 16"));
  EXPECT_THAT(refusal("num_codes", 32),
              HasSubstr("model.num_codes must be 16"));
  EXPECT_THAT(refusal("grid_width", 2),
              HasSubstr("model.grid_width must be 4"));
  EXPECT_FALSE(fs::exists(at("run")));
}

TEST_F(StoreRuns, SayWhereTheCodecIsAnotherNow) {
  save_images("d", 8, {{16, 16}});
  make_store("store", "d");
  make_store("of_another", "d", 2);
  fs::remove_all(at("codec1"));
  fs::rename(at("codec2"), at("codec1"));
  testing::internal::CaptureStderr();
  run(diffusion("store"), "run");
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("which has other weights now: previews are of no "
                        "images"));
}

TEST_F(TrainingRuns, ValidateByTheWholeObjective) {
  save_images("d", 8, {{16, 16}});
  auto json = config(vae(), "d");
  json["data"]["validation"] = at("d").string();
  json["training"]["validate_every"] = 1;
  json["loss"] = {
      {"adversarial", {{"weight", 0.5}, {"start", 2}, {"channels", 8}}}};
  run(json, "run");
  const auto lines = read_metrics(at("run") / "metrics.jsonl");
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_FALSE(lines[0].contains("val_fooling"));  // it has not begun to learn
  EXPECT_TRUE(lines[3].contains("val_fooling"));
  const auto lambda = lines[3]["val_adversarial_lambda"].get<double>();
  EXPECT_GT(lambda, 0);
  EXPECT_NE(lambda, 1);  // a ratio of gradients, as in training
}

}  // namespace
}  // namespace calotype
