#include "tools/generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "core/error.h"
#include "core/files.h"
#include "core/progress.h"
#include "datasets/image_io.h"
#include "datasets/image_source.h"
#include "diffusion/samplers.h"
#include "nn/model_folder.h"
#include "tests/support/temp_folder.h"
#include "tools/codec.h"
#include "tools/encode.h"
#include "tools/generate_output.h"
#include "tools/image_files.h"
#include "tools/inspect.h"
#include "tools/train.h"
#include "vae/autoencoder_kl.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::StartsWith;

/// A codec of grey 16-pixel images and diffusion models of its 8x8 latents,
/// trained for two steps.
class Generate : public testing::Test {
 protected:
  void SetUp() override {
    set_quiet(true);
    torch::manual_seed(1);
    AutoencoderKL codec(AutoencoderKLConfig{
        .in_channels = 1,
        .out_channels = 1,
        .down_block_types = {"DownEncoderBlock2D", "DownEncoderBlock2D"},
        .up_block_types = {"UpDecoderBlock2D", "UpDecoderBlock2D"},
        .block_out_channels = {8, 8},
        .norm_num_groups = 4});
    save_model_folder(codec_, AutoencoderKLImpl::kClassName,
                      write_config(codec->config()), weights_of(*codec));
    EncodeJob encoding;
    encoding.codec = codec_;
    encoding.data = data_;
    encoding.out = folder_ / "store";
    encode(encoding);
    train_model(model_, "DDIMScheduler");
  }

  void train_model(const fs::path& out, const char* scheduler,
                   int64_t channels = 8) {
    auto json = Json::parse(R"({
        "model": {"_class_name": "UNet2DModel",
                  "block_out_channels": [8, 8], "layers_per_block": 1,
                  "down_block_types": ["DownBlock2D", "DownBlock2D"],
                  "up_block_types": ["UpBlock2D", "UpBlock2D"],
                  "norm_num_groups": 4, "num_class_embeds": 9},
        "diffusion": {"scheduler": {}},
        "training": {"steps": 2, "batch_size": 4}
      })");
    json["model"]["block_out_channels"] = {channels, channels};
    json["diffusion"]["scheduler"]["_class_name"] = scheduler;
    json["data"]["train"] = (folder_ / "store").string();
    TrainJob job{.out = out};
    read_config(json, job.config, "test");
    train(job);
  }

  GenerateJob job() const {
    return {.model = model_, .out = out_, .count = 4, .steps = 3};
  }

  template <class Change>
  std::string refusal(Change change) {
    auto changed = job();
    change(changed);
    try {
      generate(changed);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "nothing thrown";
  }

  /// A grey picture, `left` on its left half and `right` on the other.
  fs::path picture(const char* name, uint8_t left, uint8_t right,
                   int64_t edge = 16) {
    Image image{edge, edge, 1, {}};
    for (int64_t i = 0; i < edge * edge; ++i)
      image.pixels.push_back(i % edge < edge / 2 ? left : right);
    const auto path = folder_ / name;
    write_file_atomic(path, encode_png(image));
    return path;
  }

  TempFolder folder_;
  fs::path codec_ = folder_ / "codec", model_ = folder_ / "model",
           out_ = folder_ / "drawn";
  const std::string data_ = "synthetic:16:16:1:2";
};

TEST_F(Generate, WalksWithEverySamplerThatFits) {
  train_model(folder_ / "flow", "FlowMatchEulerDiscreteScheduler");
  train_model(folder_ / "edm", "EDMEulerScheduler");
  for (const auto* name : {"model", "flow", "edm"}) {
    int num_walked = 0;
    for (const auto& sampler : sampler_names()) {
      auto changed = job();
      changed.model = folder_ / name;
      changed.out = folder_ / "samplers" / name / sampler;
      changed.count = 2;
      changed.sampler = sampler;
      try {
        const auto result = generate(changed);
        EXPECT_EQ(result["recipe"]["sampler"], sampler);
        ++num_walked;
      } catch (const ConfigError& error) {
        EXPECT_THAT(error.what(), HasSubstr("cannot walk a network of "
                                            "prediction_type"));
      }
    }
    EXPECT_EQ(num_walked, name == std::string("model")  ? 9
                          : name == std::string("flow") ? 5
                                                        : 7);
  }
}

TEST_F(Generate, TakesTheUsualSamplerOfTheModel) {
  train_model(folder_ / "edm", "EDMEulerScheduler");
  EXPECT_EQ(generate(job())["recipe"]["sampler"], "ddim");
  auto of_edm = job();
  of_edm.model = folder_ / "edm";
  of_edm.out = folder_ / "other";
  EXPECT_EQ(generate(of_edm)["recipe"]["sampler"], "heun");
}

TEST_F(Generate, SpacesLevelsAsTheSamplerNeeds) {
  EXPECT_FALSE(generate(job())["recipe"].contains("spacing"));
  auto changed = job();
  changed.fresh = true;
  changed.sampler = "heun";
  EXPECT_EQ(generate(changed)["recipe"]["spacing"], "karras");
  train_model(folder_ / "of_heun", "HeunDiscreteScheduler");
  changed.model = folder_ / "of_heun";
  EXPECT_FALSE(generate(changed)["recipe"].contains("spacing"));
}

TEST_F(Generate, KeepsAnImageOutsideOfTheMask) {
  auto changed = job();
  changed.init_image = picture("start.png", 40, 200);
  changed.mask = picture("mask.png", 255, 0);
  generate(changed);
  int num_changed = 0;
  const auto source = open_source(out_.string());
  ASSERT_EQ(source->size(), 4);
  for (int64_t i = 0; i < 4; ++i) {
    const auto image = source->load(i).image;
    for (int64_t p = 0; p < 256; ++p) {
      if (p % 16 >= 8)
        ASSERT_EQ(image.pixels[size_t(p)], 200);
      else
        num_changed += image.pixels[size_t(p)] != 40;
    }
  }
  EXPECT_GT(num_changed, 100);
  EXPECT_EQ(inspect(grid_file(out_))["text"]["calotype"]["mask"], "mask.png");
}

TEST_F(Generate, ResizesAnImageToWhatTheModelDraws) {
  auto changed = job();
  changed.init_image = picture("large.png", 40, 200, 48);
  changed.mask = picture("mask.png", 0, 255, 48);
  generate(changed);
  const auto image = open_source(out_.string())->load(0).image;
  EXPECT_EQ(image.height, 16);
  EXPECT_EQ(image.pixels[0], 40);
}

TEST_F(Generate, DrawsTheWayBetweenTwoSeeds) {
  auto changed = job();
  changed.seed = 1;
  changed.to_seed = 2;
  changed.first = 3;
  changed.batch_size = 3;  // the way goes on in the next batch
  generate(changed);
  const auto between = open_source(out_.string());
  EXPECT_EQ(between->size(), 4);
  auto end = job();
  end.seed = 2;
  end.first = 3;
  end.count = 1;
  end.out = folder_ / "end";
  generate(end);
  const auto got = between->load(3).image.pixels,
             want = open_source(end.out.string())->load(0).image.pixels;
  for (size_t p = 0; p < want.size(); ++p)
    ASSERT_LE(std::abs(int(got[p]) - int(want[p])), 1);
}

TEST_F(Generate, TellsHowFarOnTheWayAnImageIs) {
  auto changed = job();
  changed.to_seed = 2;
  generate(changed);
  std::vector<double> ways;
  const auto source = open_source(out_.string());
  for (int64_t i = 0; i < source->size(); ++i)
    ways.push_back(inspect(out_ / source->name(i))["text"]["calotype"]["way"]);
  std::sort(ways.begin(), ways.end());
  EXPECT_THAT(ways,
              testing::ElementsAre(0, testing::DoubleNear(1 / 3.0, 1e-9),
                                   testing::DoubleNear(2 / 3.0, 1e-9), 1));
}

TEST_F(Generate, SeesThinLinesOfAMask) {
  Image line{64, 64, 1, std::vector<uint8_t>(64 * 64, 0)};
  for (size_t x = 0; x < 64; ++x) line.pixels[32 * 64 + x] = 255;
  write_file_atomic(folder_ / "line.png", encode_png(line));
  auto changed = job();
  changed.init_image = picture("large.png", 40, 200, 64);
  changed.mask = folder_ / "line.png";
  generate(changed);
  const auto pixels = open_source(out_.string())->load(0).image.pixels;
  int num_changed = 0;
  for (size_t x = 0; x < 16; ++x) {
    num_changed += pixels[8 * 16 + x] != (x < 8 ? 40 : 200);
    EXPECT_EQ(pixels[4 * 16 + x], x < 8 ? 40 : 200);
  }
  EXPECT_GT(num_changed, 8);
}

TEST_F(Generate, RefusesAheadOfAnyOutput) {
  auto changed = job();
  changed.latents = true;
  changed.sampler = "euler";
  changed.eta = 0.5;
  EXPECT_THROW(generate(changed), ConfigError);
  EXPECT_FALSE(fs::exists(out_));
  changed.eta = 0;
  EXPECT_NO_THROW(generate(changed));
}

TEST_F(Generate, ShowsLatentsOnTheirWayByTheMapOrTheDecoder) {
  const auto drawing = job();
  auto space = read_latent_space(model_ / "latent_space.json");
  ASSERT_EQ(space.preview_matrix.size(), 1u);
  std::vector<std::vector<uint8_t>> shown;
  for (const bool by_map : {true, false}) {
    if (!by_map) space.preview_matrix.clear();
    image_output({.job = drawing,
                  .space = space,
                  .recipe = Json::object(),
                  .codec = load_codec(codec_, at::kCPU)})
        ->preview(torch::ones({2, 4, 8, 8}));
    const auto file = preview_file(out_);
    const auto image = decode_image(read_file(file), file.string());
    EXPECT_EQ(image.height, 2 * 16);  // one row, each pixel drawn twice
    shown.push_back(image.pixels);
  }
  EXPECT_NE(shown[0], shown[1]);
}

TEST_F(Generate, LeavesNoPreviewBehind) {
  auto changed = job();
  changed.preview_every = 1;
  generate(changed);
  EXPECT_TRUE(fs::exists(grid_file(out_)));
  EXPECT_FALSE(fs::exists(preview_file(out_)));
}

TEST_F(Generate, GuidesByAWeakerModel) {
  // Wider, in fact: what is weaker is for the user to say.
  train_model(folder_ / "other", "DDIMScheduler", 16);
  auto changed = job();
  changed.guide = folder_ / "other";
  EXPECT_EQ(generate(changed)["recipe"]["guide"],
            weights_sha256(open_model_folder(changed.guide)));
  train_model(folder_ / "flow", "FlowMatchEulerDiscreteScheduler");
  EXPECT_THAT(refusal([&](auto& j) { j.guide = folder_ / "flow"; }),
              HasSubstr("prediction_type is \"epsilon\" there and "
                        "\"flow_prediction\" here"));
}

TEST_F(Generate, DrawsPixelsWhereTheyAreTheLatents) {
  fs::remove_all(folder_ / "store");
  EncodeJob encoding;
  encoding.codec = "pixels:1";
  encoding.data = data_;
  encoding.out = folder_ / "store";
  encode(encoding);
  train_model(folder_ / "of_pixels", "FlowMatchEulerDiscreteScheduler");
  auto changed = job();
  changed.model = folder_ / "of_pixels";
  generate(changed);
  const auto image = open_source(out_.string())->load(0).image;
  EXPECT_EQ(image.height, 16);
  EXPECT_EQ(image.channels, 1);
}

TEST_F(Generate, GuidesByClassesWhereThereAreSome) {
  EXPECT_EQ(generate(job())["recipe"]["guidance"], 2);
  auto changed = job();
  changed.fresh = true;
  changed.classes = "none";
  EXPECT_EQ(generate(changed)["recipe"]["guidance"], 1);
}

TEST_F(Generate, AddsNothingToTheImagesOfAnotherCall) {
  generate(job());
  generate(job());  // goes on
  EXPECT_THAT(refusal([](auto& j) { j.seed = 1; }),
              HasSubstr("of another call (seed: 0 before, 1 now)"));
  EXPECT_THAT(refusal([](auto& j) { j.count = 2; }),
              HasSubstr("holds 4 files, such as "));
  EXPECT_THAT(refusal([](auto& j) { j.first = 4; }),
              HasSubstr("of another call"));
  EXPECT_EQ(open_source(out_.string())->size(), 4);
  picture("drawn/ring.png", 1, 2);
  EXPECT_THAT(refusal([](auto& j) { j.fresh = true; }),
              HasSubstr("holds 1 file, such as ring.png"));
  fs::remove(out_ / "ring.png");
  EXPECT_EQ(open_source(out_.string())->size(), 4);
}

TEST_F(Generate, GoesOnWithImagesAndLatentsWithoutDrawingAgain) {
  auto changed = job();
  changed.count = 200;
  changed.batch_size = 40;
  changed.steps = 1;
  generate(changed);
  const auto last = open_source(out_.string())->name(199);
  const auto before = read_file(out_ / last);
  fs::remove(grid_file(out_));
  generate(changed);
  EXPECT_TRUE(fs::exists(grid_file(out_)));
  EXPECT_EQ(read_file(out_ / last), before);
  changed.latents = true;
  changed.out = folder_ / "latents";
  generate(changed);
  EXPECT_TRUE(generate(changed)["already_complete"].get<bool>());
  changed.classes = "ring";
  EXPECT_THROW(generate(changed), ConfigError);
}

TEST_F(Generate, KeepsClassesOfAnyNameApart) {
  auto space = read_json_file(model_ / "latent_space.json");
  const std::vector<std::string> names = {"猫", "狗", "C++", "a/b",
                                          "..", "1",  "a,b", ""};
  for (size_t i = 0; i < names.size(); ++i) space["class_names"][i] = names[i];
  space["class_names"].erase(
      space["class_names"].begin() + int64_t(names.size()),
      space["class_names"].end());
  write_file_atomic(model_ / "latent_space.json", space.dump());
  auto changed = job();
  changed.count = int64_t(names.size());
  changed.steps = 1;
  generate(changed);
  const auto drawn = open_source(out_.string());
  EXPECT_EQ(drawn->size(), changed.count);
  EXPECT_THAT(drawn->class_names(), testing::UnorderedElementsAreArray(names));
  for (const auto& entry : fs::directory_iterator(folder_.path()))
    EXPECT_THAT(
        entry.path().filename().string(),
        testing::AnyOf("codec", "store", "model", "drawn", "drawn.png"));
  changed.out = folder_ / "some";
  changed.classes = "a,b,1\n猫";
  changed.count = 3;
  generate(changed);
  EXPECT_THAT(open_source(changed.out.string())->class_names(),
              testing::UnorderedElementsAre("a,b", "1", "猫"));
}

TEST_F(Generate, NeverDrawsOverWhatItStartsFrom) {
  auto changed = job();
  changed.init_image = picture("drawn.png", 40, 200);  // the overview's place
  const auto before = read_file(changed.init_image);
  EXPECT_THROW(generate(changed), ConfigError);
  EXPECT_EQ(read_file(changed.init_image), before);
  EXPECT_FALSE(fs::exists(out_));
}

TEST_F(Generate, NeedsAStoreWithNormalisation) {
  const auto file = folder_ / "store" / "store.json";
  auto info = read_json_file(file);
  info.erase("mean");
  info.erase("std");
  write_file_atomic(file, info.dump());
  try {
    train_model(folder_ / "other", "DDIMScheduler");
    FAIL() << "accepted";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("store.json must have mean and std of 4 channels"));
  }
}

TEST_F(Generate, SaysWhatCannotBeDone) {
  const auto start = picture("start.png", 40, 200);
  const auto message = [&](auto change) {
    return refusal([&](auto& j) {
      j.init_image = start;
      change(j);
    });
  };
  EXPECT_EQ(message([&](auto& j) { j.mask = picture("small.png", 255, 0, 8); }),
            (folder_ / "small.png").string() +
                ": the mask must have the size of " + start.string() +
                ", 16x16 pixels (height x width), got 8x8");
  EXPECT_THAT(message([&](auto& j) { j.mask = picture("black.png", 0, 0); }),
              HasSubstr("no white is left of the mask, cropped and resized to "
                        "16x16; white is what is drawn anew"));
  EXPECT_THAT(message([&](auto& j) { j.init_image = folder_ / "no.png"; }),
              HasSubstr("no.png: there is no such file"));
  EXPECT_EQ(refusal([](auto& j) { j.strength = 0.5; }),
            "generate: --mask and --strength need an --init-image to start "
            "from");
  EXPECT_EQ(refusal([](auto& j) { j.guidance_interval = "5"; }),
            "generate: --guidance-interval must be LOW:HIGH, such as 0.3:5, "
            "got 5");
  EXPECT_EQ(refusal([](auto& j) { j.guidance_interval = "5:2"; }),
            "guidance: the interval must be LOW:HIGH with 0 <= LOW < HIGH, "
            "got 5:2");
  EXPECT_THAT(
      refusal([](auto& j) { j.classes = "99"; }),
      StartsWith("generate: --class must be all, none, a number below"));
  EXPECT_EQ(refusal([](auto& j) {
              j.latents = true;
              j.preview_every = 1;
            }),
            "generate: --preview-every shows images, and --latents makes none");
  EXPECT_EQ(refusal([](auto& j) { j.churn = 3; }),
            "sampler: only edm has a churn, got 3");
}

}  // namespace
}  // namespace calotype
