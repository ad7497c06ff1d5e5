#include <gmock/gmock.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "core/error.h"
#include "core/note.h"
#include "models/codec.h"
#include "nn/model_folder.h"
#include "store/latent_store.h"
#include "tests/support/message_of.h"
#include "tests/tools/training_runs.h"
#include "tools/decode.h"
#include "tools/encode.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

class Distill : public TrainingRuns {
 protected:
  void SetUp() override {
    TrainingRuns::SetUp();
    save_images("d", 8, {{16, 16}});
    auto teacher = vae();
    teacher["scaling_factor"] = 0.5;
    run(config(teacher, "d"), "teacher");
    take_notes();
  }

  static Json tiny() {
    return {{"_class_name", "AutoencoderTiny"},
            {"encoder_block_out_channels", {4}},
            {"decoder_block_out_channels", {4}}};
  }

  /// A training of `student` by `teacher`, a codec or a store.
  Json by(const std::string& teacher, const Json& student) const {
    auto json = config(student, "d");
    json["distill"] = {{"teacher", at(teacher).string()}};
    return json;
  }

  /// Of a decoder half as wide beside the teacher's own encoder.
  Json narrower(const std::string& teacher) const {
    auto json = by(teacher, {{"decoder_block_out_channels", {4, 4}}});
    json["init"] = at("teacher").string();
    json["training"]["train"] = {"{decoder,post_quant_conv}.*"};
    return json;
  }

  void encode_set(const std::string& codec, const std::string& out,
                  const std::string& data = "d") const {
    EncodeJob job;
    job.codec = at(codec);
    job.data = at(data).string();
    job.out = at(out);
    job.dtype = "fp32";
    encode(job);
  }

  Json decode_by(const std::string& codec, const std::string& store) const {
    DecodeJob job;
    job.codec = at(codec);
    job.store = at(store);
    job.out = at(codec + "_of_" + store);
    return decode(job);
  }

  std::string refusal(const Json& json) const {
    return message_of<ConfigError>([&] { run(json, "refused"); });
  }
};

TEST_F(Distill, AKeptEncoderGivesTheTeachersLatentsToTheBit) {
  run(narrower("teacher"), "student");
  encode_set("teacher", "theirs");
  encode_set("student", "ours");
  const StoreReader theirs(at("theirs")), ours(at("ours"));
  const auto rows = torch::arange(8);
  EXPECT_TRUE(
      torch::equal(theirs.read(rows).grid.mean, ours.read(rows).grid.mean));
  EXPECT_TRUE(
      torch::equal(theirs.read(rows).grid.logvar, ours.read(rows).grid.logvar));
  const auto codec = load_codec(at("student"), at::kCPU);
  EXPECT_EQ(codec.config["decoder_block_out_channels"], Json({4, 4}));
  EXPECT_EQ(codec.config["scaling_factor"], 0.5);
  EXPECT_THAT(codec.latents_of,
              ElementsAre(weights_sha256(open_model_folder(at("teacher")))));
  EXPECT_EQ(decode_by("student", "theirs")["images"], 8);
}

TEST_F(Distill, AStoreAndItsImagesTeachWhatItsCodecTeaches) {
  encode_set("teacher", "store");
  auto json = by("store", tiny());
  json["data"]["train"] = "";  // as the store says
  run(by("teacher", tiny()), "of_codec");
  run(json, "of_store");
  EXPECT_THAT(take_notes(), Contains(HasSubstr("its images are taken from")));
  EXPECT_EQ(weights("of_store"), weights("of_codec"));
  // Without the codec, a store is enough.
  fs::rename(at("teacher"), at("moved"));
  json["model"]["num_encoder_blocks"] = json["model"]["num_decoder_blocks"] =
      Json({1, 1});
  json["model"]["encoder_block_out_channels"] =
      json["model"]["decoder_block_out_channels"] = Json({4, 4});
  json["model"]["in_channels"] = json["model"]["out_channels"] = 1;
  EXPECT_EQ(run(json, "alone")["step"], 4);
  json["distill"]["target"] = "teacher";
  EXPECT_THAT(refusal(json), HasSubstr("needs the teacher itself"));
}

// TAESD's convention: what it decodes is what a diffusion model sees.
TEST_F(Distill, ATinyStudentDecodesTheTeachersStoreInItsOwnScale) {
  run(by("teacher", tiny()), "student");
  const auto codec = load_codec(at("student"), at::kCPU);
  EXPECT_EQ(codec.config["scaling_factor"], 1.0);
  EXPECT_EQ(codec.config["num_decoder_blocks"], Json({3, 1}));
  encode_set("teacher", "store");
  take_notes();
  EXPECT_EQ(decode_by("student", "store")["images"], 8);
  EXPECT_THAT(take_notes(),
              Contains(HasSubstr("its latents are scaled by 0.5 and shifted by "
                                 "0, those of")));
}

// It has no shift_factor, which its teacher has.
TEST_F(Distill, AStudentOfAnotherClassHasWhatItKnowsOfItsTeachersKeys) {
  run(by("teacher",
         {{"_class_name", "AsymmetricAutoencoderKL"},
          {"down_block_types", {"DownEncoderBlock2D", "DownEncoderBlock2D"}},
          {"up_block_types", {"UpDecoderBlock2D", "UpDecoderBlock2D"}},
          {"down_block_out_channels", {4, 4}},
          {"up_block_out_channels", {4, 4}},
          {"norm_num_groups", 4}}),
      "student");
  const auto config = load_codec(at("student"), at::kCPU).config;
  EXPECT_EQ(config["scaling_factor"], 0.5);
  EXPECT_EQ(config["in_channels"], 1);
}

TEST_F(Distill, StoppingAndGoingOnIsNotStoppingBitForBit) {
  run(narrower("teacher"), "whole");
  run(narrower("teacher"), "parts", 1);
  run(narrower("teacher"), "parts", 2);
  run(narrower("teacher"), "parts");
  EXPECT_EQ(weights("parts"), weights("whole"));
  EXPECT_EQ(read_json_file(at("parts") / "config.json"),
            read_json_file(at("whole") / "config.json"));
}

TEST_F(Distill, WhatCannotBeIsRefusedBeforeAnythingIsWritten) {
  auto vq = vae();
  vq["_class_name"] = "VQModel";
  EXPECT_THAT(refusal(by("teacher", vq)),
              HasSubstr("a student is a codec of latents, got a VQModel"));
  auto shallow = vae();
  for (const char* key :
       {"down_block_types", "up_block_types", "block_out_channels"})
    shallow[key].erase(0);
  EXPECT_THAT(refusal(by("teacher", shallow)),
              HasSubstr("the student must have a downsampling of 2"));
  auto deep = tiny();
  deep["latent_channels"] = 3;
  EXPECT_THAT(refusal(by("teacher", deep)),
              HasSubstr("the student must have latent channels 4"));
  auto lossy = by("teacher", tiny());
  lossy["loss"] = {{"kl_weight", 1}};
  EXPECT_THAT(refusal(lossy), HasSubstr("unknown key \"kl_weight\""));
  auto nobody = by("teacher", tiny());
  nobody["distill"]["teacher"] = "";
  EXPECT_THAT(refusal(nobody), HasSubstr("teacher is missing"));

  auto scaled = narrower("teacher");
  scaled["model"]["scaling_factor"] = 1;
  EXPECT_THAT(refusal(scaled),
              HasSubstr("model.scaling_factor and shift_factor must be 0.5 and "
                        "0, those of"));

  encode_set("teacher", "store");
  auto json = by("store", tiny());
  json["data"]["preprocessing"] = {{"flip", true}};
  EXPECT_THAT(refusal(json), HasSubstr("data.preprocessing must be that of"));
  save_images("others", 8, {{16, 16}}, 50);
  json = by("store", tiny());
  json["data"]["train"] = at("others").string();
  EXPECT_THAT(refusal(json), HasSubstr("its latents are of"));
  EXPECT_FALSE(fs::exists(at("refused")));
}

}  // namespace
}  // namespace calotype
