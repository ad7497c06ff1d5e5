#include "explorer/explorer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>
#include <cstring>

#include "core/base64.h"
#include "core/error.h"
#include "images/image_io.h"
#include "models/round_trip.h"
#include "tests/explorer/small_codec.h"
#include "tests/support/message_of.h"

namespace calotype {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

at::Tensor floats_of(const Json& text) {
  const auto bytes = from_base64(text.get<std::string>());
  auto numbers = torch::empty({int64_t(bytes.size() / 4)});
  std::memcpy(numbers.data_ptr(), bytes.data(), bytes.size());
  return numbers;
}

Image picture_of(const Json& url) {
  const auto text = url.get<std::string>();
  const std::string prefix = "data:image/png;base64,";
  EXPECT_TRUE(text.starts_with(prefix));
  return decode_image(from_base64(text.substr(prefix.size())), "answer");
}

class ExplorerTest : public testing::Test {
 protected:
  ExplorerTest()
      : codec_(small_codec(2)),
        set_(encode_code_set(codec_, {.data = "synthetic:12:8:1:5"})),
        explorer_(codec_, set_, {}, {{"beta", 0.5}}, torch::kCPU) {}

  LoadedCodec codec_;
  CodeSet set_;
  Explorer explorer_;
};

TEST_F(ExplorerTest, SaysWhatItShows) {
  const auto model = explorer_.model();
  EXPECT_EQ(model["class"], "CalotypeAutoencoder");
  EXPECT_THAT(model["code"], ElementsAre(2, 1, 1));
  EXPECT_THAT(model["image"], ElementsAre(1, 8, 8));
  EXPECT_EQ(model["beta"], 0.5);
  EXPECT_EQ(model["set"]["count"], 12);
  EXPECT_EQ(model["set"]["labels"].size(), 12U);
  // KL of a diagonal Gaussian from the standard one, by hand.
  const auto m = set_.mean.to(torch::kDouble),
             v = set_.logvar.to(torch::kDouble);
  EXPECT_NEAR(model["set"]["kl_nats"].get<double>(),
              (0.5 * (m * m + v.exp() - 1 - v)).sum(1).mean().item<double>(),
              1e-9);
}

TEST_F(ExplorerTest, DecodesWhatTheCodecDecodes) {
  const auto answer = explorer_.decode({{"code", {0.25, -1.5}}});
  const torch::InferenceMode inference;
  const auto want = decode_images(
      *codec_.codec, torch::tensor({0.25F, -1.5F}).view({1, 2, 1, 1}), 8, 8);
  EXPECT_EQ(picture_of(answer["decoded"]).pixels, to_image(want[0]).pixels);
  EXPECT_FALSE(answer.contains("error"));
}

TEST_F(ExplorerTest, EncodesAFileAsTheCodecDoes) {
  const auto image = image_of(set_, 4);
  const auto answer =
      explorer_.encode({{"image", base64(encode_png(to_image(image[0])))}});
  const torch::InferenceMode inference;
  const auto grid = encode_images(*codec_.codec, image, torch::kCPU);
  EXPECT_TRUE(floats_of(answer["code"]).equal(grid.mean.flatten()));
  EXPECT_TRUE(floats_of(answer["logvar"]).equal(grid.logvar.flatten()));
  // The same as a row of the set.
  const auto row = explorer_.encode({{"row", 4}});
  EXPECT_TRUE(floats_of(row["code"]).equal(grid.mean.flatten()));
  EXPECT_EQ(row["error"], answer["error"]);
  EXPECT_EQ(row["name"], set_.names[4]);
  // And what a moved code is compared with.
  const auto moved =
      explorer_.decode({{"code", {3, 3}}, {"original", answer["original"]}});
  EXPECT_GT(moved["error"]["mse"].get<double>(),
            answer["error"]["mse"].get<double>());
}

TEST_F(ExplorerTest, MeasuresWhatAViewerSees) {
  const auto row = explorer_.encode({{"row", 0}});
  const auto a = picture_of(row["picture"]), b = picture_of(row["decoded"]);
  double sum = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i)
    sum += std::pow((a.pixels[i] - b.pixels[i]) / 255.0, 2);
  EXPECT_NEAR(row["error"]["mse"].get<double>(), sum / double(a.pixels.size()),
              1e-7);
}

TEST_F(ExplorerTest, LaysPicturesOnOneSheet) {
  const auto sheet = explorer_.sheet({{"codes", {{0, 0}, {1, 0}, {0, 2}}}});
  EXPECT_EQ(sheet["columns"], 2);
  const auto whole = picture_of(sheet["picture"]);
  EXPECT_EQ(whole.width, 16);
  EXPECT_EQ(whole.height, 16);
  const auto third =
      picture_of(explorer_.decode({{"code", {0, 2}}})["decoded"]);
  EXPECT_EQ(whole.pixels[8 * 16], third.pixels[0]);
}

TEST_F(ExplorerTest, FindsTheNearestAndShowsThem) {
  const auto code = set_.mean[7];
  const auto answer = explorer_.nearest(
      {{"code", {code[0].item<float>(), code[1].item<float>()}}, {"count", 2}});
  ASSERT_EQ(answer["nearest"].size(), 2U);
  EXPECT_EQ(answer["nearest"][0]["row"], 7);
  EXPECT_EQ(answer["nearest"][0]["distance"], 0);
  EXPECT_EQ(explorer_.thumbnails({{"rows", {7, 1, 2}}})["count"], 3);
}

TEST_F(ExplorerTest, GivesThePlaneAsFloats) {
  const auto plane = explorer_.plane(Json::object());
  EXPECT_TRUE(floats_of(plane["points"]).equal(set_.mean.flatten()));
  EXPECT_EQ(floats_of(plane["spread"]).size(0), 36);
  EXPECT_GT(plane["usual_distance"].get<double>(), 0);
}

TEST_F(ExplorerTest, RefusesWhatMakesNoSense) {
  const auto refusal = [&](auto&& ask) { return message_of<ConfigError>(ask); };
  EXPECT_THAT(refusal([&] {
                explorer_.decode({{"code", {1, 2, 3}}});
              }),
              HasSubstr("a code has 2 numbers, got 3"));
  EXPECT_THAT(refusal([&] {
                explorer_.decode({{"code", {1, "2"}}});
              }),
              HasSubstr("made of numbers"));
  EXPECT_THAT(refusal([&] {
                explorer_.decode({{"code", {1, 1e300}}});
              }),
              HasSubstr("that a float holds"));
  EXPECT_THAT(refusal([&] { explorer_.decode(Json::object()); }),
              HasSubstr("\"code\" must be a list"));
  EXPECT_THAT(refusal([&] {
                explorer_.encode({{"row", 12}});
              }),
              HasSubstr("\"row\" must be in [0, 11], got 12"));
  EXPECT_THAT(refusal([&] {
                explorer_.encode({{"row", -1}});
              }),
              HasSubstr("got -1"));
  EXPECT_THAT(refusal([&] { explorer_.encode(Json::object()); }),
              HasSubstr("give \"row\""));
  EXPECT_THAT(refusal([&] {
                explorer_.thumbnails({{"rows", {99}}});
              }),
              HasSubstr("got 99"));
  EXPECT_THAT(refusal([&] {
                explorer_.sheet({{"codes", Json::array()}});
              }),
              HasSubstr("a sheet is of 1 to"));
  EXPECT_THROW(explorer_.encode({{"image", "not base64!"}}), DataError);
  EXPECT_THROW(explorer_.encode({{"image", base64(std::vector<uint8_t>(40))}}),
               DataError);
}

TEST(ExplorerWithoutASet, EncodesWhatComes) {
  const auto codec = small_codec(3);
  Explorer explorer(codec, {}, {}, Json::object(), torch::kCPU);
  EXPECT_FALSE(explorer.model().contains("set"));
  const Image grey{.height = 20,
                   .width = 30,
                   .channels = 1,
                   .pixels = std::vector<uint8_t>(600, 128)};
  const auto answer = explorer.encode({{"image", base64(encode_png(grey))}});
  EXPECT_EQ(picture_of(answer["picture"]).width, 8);
  EXPECT_THROW(explorer.nearest({{"code", {0, 0, 0}}}), ConfigError);
}

}  // namespace
}  // namespace calotype
