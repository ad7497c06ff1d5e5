#include "models/pipeline_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include "core/error.h"
#include "models/codec.h"
#include "models/diffusion_model.h"
#include "tests/support/message_of.h"
#include "tests/support/small_pipelines.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class PipelineFolders : public testing::Test {
 protected:
  /// `index` with other keys.
  void change_index(const Json& keys) {
    auto index = read_json_file(folder_ / "dit" / "model_index.json");
    index.update(keys);
    write_file_atomic(folder_ / "dit" / "model_index.json",
                      std::string_view(index.dump()));
  }

  template <class Error = ConfigError>
  std::string refusal() {
    return message_of<Error>(
        [&] { load_latent_diffusion(folder_ / "dit", at::kCPU); });
  }

  void SetUp() override { write_dit_pipeline(folder_ / "dit"); }

  TempFolder folder_;
};

TEST_F(PipelineFolders, NameTheirPartsAndClasses) {
  const auto pipeline = open_pipeline_folder(folder_ / "dit");
  EXPECT_TRUE(pipeline.is_dit());
  EXPECT_EQ(pipeline.denoiser, folder_ / "dit" / "transformer");
  EXPECT_EQ(pipeline.codec, folder_ / "dit" / "vae");
  EXPECT_EQ(pipeline.class_names.at(0), "tench, Tinca tinca");
  EXPECT_EQ(pipeline.class_names.size(), 5);
  write_ldm_pipeline(folder_ / "ldm");
  EXPECT_EQ(open_pipeline_folder(folder_ / "ldm").denoiser,
            folder_ / "ldm" / "unet");
  EXPECT_EQ(codec_folder(folder_ / "ldm"), folder_ / "ldm" / "vqvae");
  EXPECT_FALSE(is_pipeline_folder(folder_ / "ldm" / "unet"));
  EXPECT_EQ(codec_folder(folder_ / "ldm" / "unet"), folder_ / "ldm" / "unet");
}

TEST_F(PipelineFolders, ScaleLatentsByOneNumberAndDrawWhatTheNetworkLearnt) {
  const auto model = load_latent_diffusion(folder_ / "dit", at::kCPU);
  const auto& space = model->space();
  EXPECT_THAT(space.grid_shape, ElementsAre(4, 8, 8));
  EXPECT_THAT(space.mean, testing::Each(0.0));
  EXPECT_THAT(space.std, testing::Each(testing::DoubleEq(1 / 0.18215)));
  EXPECT_THAT(space.class_names, ElementsAre("tench, Tinca tinca", "goldfish",
                                             "crane", "hen", "4", "crane"));
  EXPECT_EQ(space.codec.class_name(), "AutoencoderKL");
  EXPECT_EQ(model->sampler_of({}), "dpmpp_2m");
}

TEST_F(PipelineFolders, AreCodecsTooWhateverTheirClass) {
  const auto codec = load_codec(folder_ / "dit", at::kCPU);
  EXPECT_EQ(codec.path, folder_ / "dit" / "vae");
  change_index({{"_class_name", "StableDiffusionPipeline"},
                {"text_encoder", {"transformers", "CLIPTextModel"}}});
  EXPECT_EQ(load_codec(folder_ / "dit", at::kCPU).sha256, codec.sha256);
}

TEST_F(PipelineFolders, RefuseByNameWhatHasNoClassHere) {
  change_index({{"safety_checker", {"stable_diffusion", "Checker"}}});
  EXPECT_THAT(refusal(), HasSubstr("model_index.json: has a safety_checker "
                                   "(Checker), which has no class here"));
  change_index({{"safety_checker", {nullptr, nullptr}},
                {"_class_name", "StableDiffusionPipeline"}});
  EXPECT_THAT(refusal(), HasSubstr("there is no StableDiffusionPipeline here; "
                                   "known are LDMPipeline, DiTPipeline"));
  change_index({{"_class_name", "LDMPipeline"}});
  EXPECT_THAT(refusal(),
              HasSubstr("LDMPipeline needs a part unet, which is not"));
  change_index({{"_class_name", "DiTPipeline"}, {"vae", {"my_code", "Codec"}}});
  EXPECT_THAT(refusal(), HasSubstr("its vae is a Codec of my_code"));
  change_index({{"vae", {"diffusers", "AutoencoderKL"}}});
  const auto scheduler =
      folder_ / "dit" / "scheduler" / "scheduler_config.json";
  write_file_atomic(scheduler,
                    std::string_view(R"({"_class_name": "PNDMScheduler"})"));
  EXPECT_THAT(refusal(), HasSubstr("unknown _class_name \"PNDMScheduler\""));
  write_file_atomic(scheduler,
                    std::string_view(R"({"_class_name": "DDIMScheduler"})"));
  fs::rename(folder_ / "dit" / "vae", folder_ / "away");
  EXPECT_THAT(refusal(), HasSubstr("vae is not there"));
  fs::copy(fixtures_folder() / "unet2d", folder_ / "dit" / "vae");
  EXPECT_THAT(refusal(), HasSubstr("expected a codec"));
}

TEST_F(PipelineFolders, AreDrawnFromByTheirOwnKindOfNetwork) {
  fs::remove_all(folder_ / "dit" / "transformer");
  copy_part(folder_ / "dit", "transformer", "unet2d");
  EXPECT_THAT(refusal(), HasSubstr("a DiTPipeline is drawn from a "
                                   "DiTTransformer2DModel, got a UNet2DModel"));
}

TEST_F(PipelineFolders, RefuseNamesOfClassesThatCannotBe) {
  for (const auto& labels :
       {Json{{"ten", "x"}}, Json{{"-1", "x"}}, Json{{"01", "x"}},
        Json{{"1", 5}}, Json::array({"x"})}) {
    change_index({{"id2label", labels}});
    EXPECT_THAT(refusal<DataError>(),
                HasSubstr("id2label must be names by number of the class"));
  }
  change_index({{"id2label", {{"10", "x"}}}});
  EXPECT_THAT(refusal<DataError>(),
              HasSubstr("id2label names class 10, its network has 10 classes"));
}

}  // namespace
}  // namespace calotype
