#include "images/lossy_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "images/image_io.h"
#include "images/lossy_codecs.h"
#include "tests/images/image_files.h"
#include "tests/support/message_of.h"

namespace calotype {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// Soft light, an edge, and grain that a hash makes: something of all that a
// photograph has.
Image scene(int64_t height, int64_t width, int64_t channels) {
  Image image{height, width, channels, {}};
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      for (int64_t c = 0; c < channels; ++c) {
        const auto hash = uint32_t(x * 73856093 ^ y * 19349663) * 2654435761u;
        const double light = 110 + 60 * std::sin(0.07 * double(x) + double(c)) +
                             30 * std::cos(0.05 * double(y));
        const double edge = x + y > (height + width) / 2 ? 25 : -25;
        image.pixels.push_back(
            uint8_t(light + edge + double(hash >> 24) / 255 * 24));
      }
  return image;
}

double mean_squared_error(const Image& a, const Image& b) {
  EXPECT_EQ(a.pixels.size(), b.pixels.size());
  double sum = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i)
    sum += std::pow(double(a.pixels[i]) - double(b.pixels[i]), 2);
  return sum / double(a.pixels.size());
}

TEST(LossyFormat, MoreQualityCostsBytesAndRemovesError) {
  for (const auto& format : lossy_formats())
    for (const int64_t channels : {1, 3}) {
      SCOPED_TRACE(format + ", channels " + std::to_string(channels));
      const auto image = scene(64, 96, channels);
      size_t size = 0;
      double error = 1e9;
      // Below 10 JPEG XL halves the picture's size, which may well be better.
      for (const int quality : {10, 25, 50, 75, 95}) {
        const auto file = encode_lossy(format, image, quality);
        const auto got = decode_lossy(format, file, channels);
        EXPECT_GT(file.size(), size) << quality;
        EXPECT_LT(mean_squared_error(got, image), error) << quality;
        size = file.size();
        error = mean_squared_error(got, image);
      }
      EXPECT_LT(size, image.pixels.size());
      EXPECT_LT(error, channels == 1 ? 4 : 40);  // 4:2:0 blurs what 3 have
    }
}

TEST(LossyFormat, ImagesOfAnySizeComeBackWhole) {
  const std::vector<std::pair<int64_t, int64_t>> sizes = {
      {1, 1}, {1, 7}, {9, 1}, {17, 5}, {28, 28}, {33, 64}};
  for (const auto& format : lossy_formats())
    for (const auto& [height, width] : sizes)
      for (const int64_t channels : {1, 3}) {
        SCOPED_TRACE(
            fmt::format("{} {}x{}x{}", format, width, height, channels));
        const Image plain{height, width, channels,
                          FileBytes(size_t(height * width * channels), 77)};
        for (const int quality : {1, 90}) {
          const auto file = encode_lossy(format, plain, quality);
          const auto got = decode_lossy(format, file, channels);
          EXPECT_EQ(got.height, height);
          EXPECT_EQ(got.width, width);
          EXPECT_EQ(got.channels, channels);
          ASSERT_EQ(got.pixels.size(), plain.pixels.size());
          EXPECT_LE(mean_squared_error(got, plain), quality == 90 ? 2 : 256);
        }
      }
}

TEST(LossyFormat, GreyIsStoredAsGreyWhereTheFormatHasIt) {
  const auto image = scene(28, 28, 1);
  for (const auto& format : lossy_formats()) {
    const auto file = encode_lossy(format, image, 60);
    const auto grey = decode_lossy(format, file, 1);
    const auto color = decode_lossy(format, file, 3);
    ASSERT_EQ(color.pixels.size(), 3 * grey.pixels.size());
    // WebP's own conversion may differ by one level between the channels.
    const int slack = format == "webp" ? 1 : 0;
    for (size_t i = 0; i < color.pixels.size(); ++i)
      EXPECT_LE(std::abs(color.pixels[i] - grey.pixels[i / 3]), slack);
  }
}

TEST(LossyFormat, ImageFilesAreReadAsTheyWereWritten) {
  const auto image = scene(21, 30, 3);
  for (const std::string format : {"jpeg", "webp"}) {
    const auto file = encode_lossy(format, image, 70);
    EXPECT_EQ(decode_image(file, "a.img").pixels,
              decode_lossy(format, file, 3).pixels);
  }
}

TEST(LossyFormat, FittedHuffmanTablesSaveBytesAndChangeNoPixel) {
  const auto image = scene(28, 28, 1);
  const auto fitted = encode_lossy("jpeg", image, 50);
  const auto standard = encode_plain_jpeg(image, 50);  // its example tables
  EXPECT_EQ(decode_image(fitted, "a").pixels,
            decode_image(standard, "b").pixels);
  EXPECT_LT(fitted.size() + 100, standard.size());
}

TEST(LossyFormat, JpegKeepsOneChromaOfFour) {
  const auto file = encode_lossy("jpeg", scene(16, 16, 3), 95);
  // The frame's header: marker, size, bits, height, width, number of
  // components, and of the first its name and its factors.
  const FileBytes frame = {0xff, 0xc0, 0, 17, 8, 0, 16, 0, 16, 3, 1, 0x22};
  EXPECT_NE(std::ranges::search(file, frame).begin(), file.end());
}

TEST(LossyFormat, SettingsNameTheLibraryAndItsVersion) {
  EXPECT_THAT(lossy_settings("jpeg"), StartsWith("libjpeg"));
  EXPECT_THAT(lossy_settings("webp"), StartsWith("libwebp "));
  for (const auto& format : lossy_formats())
    EXPECT_THAT(lossy_settings(format),
                testing::ContainsRegex("^lib[a-z-]+ [0-9]+\\.[0-9]+"));
}

TEST(LossyFormat, RefusesWhatItCannotDo) {
  const auto image = gradient(4, 4, 3);
  for (const int quality : {0, 101})
    EXPECT_EQ(
        message_of<ConfigError>([&] { encode_lossy("webp", image, quality); }),
        fmt::format("webp: quality must be in [1, 100], got {}", quality));
  const auto unknown =
      message_of<ConfigError>([&] { encode_lossy("gif", image, 50); });
  EXPECT_THAT(unknown, StartsWith("lossy format: must be one of jpeg, webp"));
  EXPECT_THAT(unknown, HasSubstr(" in this build, got gif"));
  EXPECT_EQ(message_of<ConfigError>([] { lossy_settings("gif"); }), unknown);
  auto torn = image;
  torn.pixels.pop_back();
  EXPECT_EQ(message_of<ShapeError>([&] { encode_lossy("jpeg", torn, 50); }),
            "encode_lossy: expected height*width*(1 or 3) bytes, got 4x4x3 "
            "with 47 bytes");
}

TEST(LossyFormat, RefusesAnImageThatIsTooLargeForTheFormat) {
  EXPECT_EQ(message_of<ConfigError>(
                [] { encode_lossy("webp", gradient(1, 16384, 1), 50); }),
            "webp: cannot encode 16384x1 pixels (sides are at most 16383)");
  EXPECT_THAT(message_of<ConfigError>(
                  [] { encode_lossy("jpeg", gradient(65501, 1, 1), 50); }),
              StartsWith("jpeg: cannot encode 1x65501 pixels (Maximum"));
}

TEST(LossyFormat, RefusesHalfAFile) {
  for (const auto& format : lossy_formats()) {
    auto file = encode_lossy(format, scene(64, 64, 3), 50);
    file.resize(file.size() / 2);
    EXPECT_THAT(message_of<DataError>([&] { decode_lossy(format, file, 3); }),
                StartsWith(format + ": "));
  }
}

}  // namespace
}  // namespace calotype
