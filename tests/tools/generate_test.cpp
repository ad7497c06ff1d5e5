#include "tools/generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/files.h"
#include "core/progress.h"
#include "datasets/image_source.h"
#include "diffusion/samplers.h"
#include "images/image_io.h"
#include "models/codec.h"
#include "nn/model_folder.h"
#include "outputs/image_files.h"
#include "tests/tools/small_generator.h"
#include "tools/encode.h"
#include "tools/generate_output.h"
#include "tools/inspect.h"
#include "tools/train.h"
#include "vae/autoencoder_kl.h"

namespace calotype {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

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
