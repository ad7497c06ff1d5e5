#include "images/transforms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <opencv2/core.hpp>

#include "core/config.h"
#include "images/resample.h"
#include "tests/images/image_files.h"

namespace calotype {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Image grey_row(FileBytes pixels) {
  return {1, int64_t(pixels.size()), 1, std::move(pixels)};
}

/// Columns 0 and 255 by turns: as fine as detail can be.
Image stripes(int64_t size) {
  Image image{size, size, 1, {}};
  for (int64_t i = 0; i < size * size; ++i)
    image.pixels.push_back(i % 2 ? 255 : 0);
  return image;
}

TEST(Resample, ShrinkingWidensTheTriangle) {
  // 4 to 2: the centre of the first is at 1.0, its support 2 pixels on either
  // side; pixels at 0.5, 1.5 and 2.5 weigh 0.75, 0.75 and 0.25: (0.75 * 0 +
  // 0.75 * 70 + 0.25 * 140) / 1.75 = 50.
  const auto small =
      resample(grey_row({0, 70, 140, 210}), 1, 2, Kernel::kTriangle);
  EXPECT_THAT(small.pixels, ElementsAre(50, 160));
}

TEST(Resample, EnlargingInterpolates) {
  const auto large = resample(grey_row({0, 100}), 1, 4, Kernel::kTriangle);
  EXPECT_THAT(large.pixels, ElementsAre(0, 25, 75, 100));
}

TEST(Resample, TheCubicOvershootsAndIsClamped) {
  // Keys' weights at a quarter pixel: -0.0234375, 0.2265625, 0.8671875,
  // -0.0703125. Output 3 lies at 1.75: 0.8671875 of pixel 1, 0.2265625 of
  // pixel 2.
  const auto large =
      resample(grey_row({100, 100, 200, 200}), 1, 8, Kernel::kCubic);
  EXPECT_EQ(large.pixels[3],
            120);  // 100 + 100 * (0.2265625 - 0.0234375) = 120.3
  EXPECT_EQ(large.pixels[2], 93);  // 100 - 100 * 0.0703125 = 92.97
  const auto clamped =
      resample(grey_row({0, 0, 255, 255}), 1, 8, Kernel::kCubic);
  EXPECT_EQ(clamped.pixels[2], 0);
  EXPECT_EQ(clamped.pixels[5], 255);
}

TEST(Transforms, NoResizeAliases) {
  for (const char* how : {"area", "bilinear", "bicubic"}) {
    const auto small = preprocess(stripes(64), {.size = 8, .resize = how});
    // Away from the border, where the kernel is cut off.
    for (int64_t x = 2; x < 6; ++x)
      EXPECT_NEAR(small.pixels[size_t(3 * 8 + x)], 127.5, 1.5) << how;
  }
}

TEST(Transforms, AreaIsTheMeanOfWhatAPixelCovers) {
  // 3 to 2: each takes one pixel and half of the middle one.
  const auto small =
      preprocess({3, 3, 1, {0, 90, 240, 0, 90, 240, 0, 90, 240}}, {.size = 2});
  EXPECT_THAT(small.pixels, ElementsAre(30, 190, 30, 190));
}

TEST(Transforms, AreaEnlargesBilinearly) {
  const auto large = preprocess({2, 2, 1, {0, 100, 0, 100}}, {.size = 4});
  EXPECT_EQ(large.height, 4);
  EXPECT_THAT(FileBytes(large.pixels.begin(), large.pixels.begin() + 4),
              ElementsAre(0, 25, 75, 100));
}

TEST(Transforms, CropsLieInTheMiddleOrWhereTheDrawSays) {
  const auto row = gradient(2, 6, 1);
  Preprocessing how{.size = 2, .resize = "none"};
  EXPECT_EQ(preprocess(row, how).pixels[0], row.pixels[2]);
  how.crop = "random";
  EXPECT_EQ(preprocess(row, how, {.crop_x = 0.01}).pixels[0], row.pixels[0]);
  EXPECT_EQ(preprocess(row, how, {.crop_x = 0.99}).pixels[0], row.pixels[4]);
}

TEST(Transforms, SquashKeepsEverythingAndIgnoresTheShape) {
  const auto squashed = preprocess({2, 4, 1, {0, 0, 200, 200, 0, 0, 200, 200}},
                                   {.size = 2, .crop = "squash"});
  EXPECT_THAT(squashed.pixels, ElementsAre(0, 200, 0, 200));
}

TEST(Transforms, TheShorterSideIsFitted) {
  const auto image = preprocess(gradient(30, 50, 3), {.size = 12});
  EXPECT_EQ(image.height, 12);
  EXPECT_EQ(image.width, 12);
  EXPECT_EQ(image.channels, 3);
}

TEST(Transforms, SizeZeroChangesNothing) {
  const auto image = gradient(3, 5, 3);
  EXPECT_EQ(preprocess(image, {}).pixels, image.pixels);
}

TEST(Transforms, GreyIsLumaAndBackIsThreeTimesGrey) {
  // 0.299 * 10 + 0.587 * 200 + 0.114 * 50 = 126.09
  const auto grey = preprocess({1, 1, 3, {10, 200, 50}}, {.channels = 1});
  EXPECT_THAT(grey.pixels, ElementsAre(126));
  EXPECT_THAT(preprocess(grey, {.channels = 3}).pixels,
              ElementsAre(126, 126, 126));
}

TEST(Transforms, AFlipMirrorsPixelsNotChannels) {
  const Image image{1, 2, 3, {1, 2, 3, 4, 5, 6}};
  EXPECT_THAT(preprocess(image, {.flip = true}, {.flip = 0.49}).pixels,
              ElementsAre(4, 5, 6, 1, 2, 3));
  EXPECT_EQ(preprocess(image, {.flip = true}, {.flip = 0.51}).pixels,
            image.pixels);
  EXPECT_EQ(preprocess(image, {.flip = false}, {.flip = 0.49}).pixels,
            image.pixels);
}

TEST(Transforms, ImagesThatDoNotFitAreRefused) {
  EXPECT_EQ(
      data_error_of(
          [] { preprocess(gradient(4, 9, 1), {.size = 8, .resize = "none"}); }),
      "an image of 9x4 pixels is smaller than size 8, and resize is none");
  EXPECT_THAT(
      data_error_of([] { preprocess(gradient(1, 500, 1), {.size = 64}); }),
      HasSubstr("too narrow for a square crop"));
}

TEST(Transforms, ImpossibleSettingsAreRefused) {
  const auto refusal = [](Preprocessing how) {
    return config_error_of([&] { how.validate(); });
  };
  EXPECT_EQ(refusal({}), "");
  EXPECT_EQ(refusal({.channels = 2}),
            "preprocessing: channels must be 0, 1 or 3, got 2");
  EXPECT_THAT(refusal({.resize = "lanczos"}),
              HasSubstr("resize must be one of"));
  EXPECT_THAT(refusal({.crop = "left"}), HasSubstr("crop must be one of"));
  EXPECT_THAT(refusal({.size = -1}), HasSubstr("size must be in"));
  EXPECT_THAT(refusal({.size = 8, .resize = "none", .crop = "squash"}),
              HasSubstr("needs a resize"));
}

TEST(Transforms, ARecordSaysWhatAnOlderVersionWouldUnlessMoreIsAsked) {
  EXPECT_EQ(preprocessing_record({.size = 32}).dump(),
            R"({"size":32,"resize":"area","crop":"center","channels":0,)"
            R"("flip":false})");
  const auto more =
      preprocessing_record({.max_pixels = 200'000'000, .icc = "convert"});
  EXPECT_EQ(more["max_pixels"], 200'000'000);
  EXPECT_EQ(more["icc"], "convert");
  EXPECT_THAT(config_error_of([] { Preprocessing{.icc = "srgb"}.validate(); }),
              HasSubstr("icc must be one of"));
  EXPECT_THAT(
      config_error_of([] { Preprocessing{.max_pixels = 0}.validate(); }),
      HasSubstr("max_pixels must be in"));
}

TEST(Transforms, OnlyAnAntialiasedResizeLetsFilesBeReadSmaller) {
  EXPECT_EQ(limits_of({.size = 32}).least_side, 32);
  EXPECT_EQ(limits_of({}).least_side, 0);
  EXPECT_EQ(limits_of({.size = 32, .resize = "none"}).least_side, 0);
  EXPECT_EQ(limits_of({.size = 32, .resize = "aliased"}).least_side, 0);
  EXPECT_EQ(limits_of({.max_pixels = 7}).max_pixels, 7);
  EXPECT_TRUE(limits_of({.icc = "convert"}).convert_to_srgb);
}

TEST(Transforms, ResizingLeavesTheProcessesThreadsAlone) {
  cv::setNumThreads(3);
  preprocess(gradient(64, 64, 3), {.size = 16});
  EXPECT_EQ(cv::getNumThreads(), 3);
  resize_on_calling_thread();
  EXPECT_EQ(cv::getNumThreads(), 1);
}

TEST(Transforms, SettingsComeBackFromJson) {
  const Preprocessing how{
      .size = 64, .resize = "bicubic", .crop = "random", .flip = true};
  Preprocessing read;
  read_config(write_config(how), read, "test");
  EXPECT_EQ(write_config(read), write_config(how));
}

}  // namespace
}  // namespace calotype
