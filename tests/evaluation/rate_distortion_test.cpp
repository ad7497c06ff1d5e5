#include "evaluation/rate_distortion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/random.h"
#include "images/image_io.h"
#include "images/lossy_format.h"
#include "tests/support/message_of.h"

namespace calotype {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr int64_t kSize = 16, kPixels = kSize * kSize;

/// [N,1,16,16] of whole bytes: a ramp under noise, another for each sample.
at::Tensor scenes(int64_t num_images) {
  const auto noise = uniform_rows({1, kSize, kSize}, torch::arange(num_images),
                                  7, Stream::kSynthetic);
  const auto ramp = torch::linspace(40, 170, kSize);
  return (ramp + 60 * noise).round() / 127.5 - 1;
}

at::Tensor bytes_of_each(int64_t num_images, double bytes) {
  return torch::full({num_images}, bytes, torch::kDouble);
}

/// All of `images` through a codec that keeps `bytes` and loses nothing.
Json beside(const std::string& format, const at::Tensor& images, double bytes) {
  const auto N = images.size(0);
  RateDistortion comparison({format}, N, N, 0);
  comparison.add(images, images, bytes_of_each(N, bytes), torch::arange(N));
  return comparison.summary();
}

double size_at(const std::string& format, const at::Tensor& image,
               int quality) {
  return double(encode_lossy(format, to_image(image), quality).size());
}

TEST(RateDistortion, ACodecThatLosesNothingHasItsRateAndNoPsnr) {
  const auto summary = beside("jpeg", scenes(2), 80);
  EXPECT_EQ(summary["images"], 2);
  EXPECT_EQ(summary["codec"]["rate_bpp"], 8 * 80.0 / kPixels);
  EXPECT_EQ(summary["codec"]["mse"], 0);
  EXPECT_TRUE(summary["codec"]["psnr_db_of_mean_mse"].is_null());
  EXPECT_EQ(summary["codec"]["ssim"], 1);
}

TEST(RateDistortion, MeasuresTheCodecAsAViewerSeesIt) {
  RateDistortion comparison({}, 2, 2, 0);
  const auto black = torch::full({2, 3, 4, 4}, -1.0);
  auto decoded = black.clone();
  decoded[0] += 0.4001;  // 51 of 255 levels; what is beyond them rounds away
  decoded[1] -= 5;       // no blacker than black
  comparison.add(black, decoded, torch::tensor({3.5, 4.5}, torch::kDouble),
                 torch::arange(2));
  const auto codec = comparison.summary()["codec"];
  EXPECT_DOUBLE_EQ(codec["mse"].get<double>(), 0.02);  // of 0.2^2 and 0
  EXPECT_NEAR(codec["psnr_db_of_mean_mse"].get<double>(), 16.9897, 1e-4);
  EXPECT_DOUBLE_EQ(codec["rate_bpp"].get<double>(), 2);  // 8 bytes, 32 pixels
}

TEST(RateDistortion, TheLadderIsTheFormatsOwnFiles) {
  const auto images = scenes(2);
  for (const auto& format : lossy_formats()) {
    SCOPED_TRACE(format);
    const auto summary = beside(format, images, 80);
    const auto& entry = summary["formats"][format];
    EXPECT_EQ(entry["settings"], lossy_settings(format));
    EXPECT_EQ(entry["ladder"].front()["quality"], 1);
    EXPECT_EQ(entry["ladder"].back()["quality"], 95);
    for (const auto& point : entry["ladder"]) {
      const int quality = point["quality"];
      double bytes = 0, squares = 0;
      for (int64_t i = 0; i < 2; ++i) {
        const auto image = to_image(images[i]);
        const auto file = encode_lossy(format, image, quality);
        const auto got = decode_lossy(format, file, 1);
        bytes += double(file.size());
        for (size_t p = 0; p < size_t(kPixels); ++p)
          squares += std::pow(image.pixels[p] - got.pixels[p], 2);
      }
      const double mse = squares / (2 * kPixels * 255.0 * 255.0);
      EXPECT_DOUBLE_EQ(point["rate_bpp"].get<double>(),
                       8 * bytes / (2 * kPixels));
      EXPECT_NEAR(point["mse"].get<double>(), mse, 1e-9);
      EXPECT_NEAR(point["psnr_db_of_mean_mse"].get<double>(),
                  -10 * std::log10(mse), 1e-4);
    }
  }
}

TEST(RateDistortion, MatchedBytesAreTheBestThatTheCodecsBytesBuy) {
  const auto image = scenes(1);
  for (const auto& format : lossy_formats())
    for (const int quality : {1, 17, 40, 63, 96, 99}) {
      SCOPED_TRACE(fmt::format("{} {}", format, quality));
      const auto budget = size_at(format, image[0], quality) + 0.5;
      const auto matched =
          beside(format, image, budget)["formats"][format]["at_matched_bytes"];
      const int found = int(matched["quality_mean"].get<double>());
      EXPECT_EQ(matched["images_that_fit"], 1);
      EXPECT_LE(size_at(format, image[0], found), budget);
      if (found < 100) {
        EXPECT_GT(size_at(format, image[0], found + 1), budget);
      }
      EXPECT_DOUBLE_EQ(matched["rate_bpp"].get<double>(),
                       8 * size_at(format, image[0], found) / kPixels);
    }
}

TEST(RateDistortion, MatchedBytesEndAtTheEndsOfTheScale) {
  const auto images = scenes(3);
  const auto most = beside("webp", images, 1e6)["formats"]["webp"];
  EXPECT_EQ(most["at_matched_bytes"]["quality_mean"], 100);
  EXPECT_EQ(most["at_matched_bytes"]["images_that_fit"], 3);
  const auto least = beside("webp", images, 9.5)["formats"]["webp"];
  EXPECT_EQ(least["at_matched_bytes"]["quality_mean"], 1);
  EXPECT_EQ(least["at_matched_bytes"]["images_that_fit"], 0);
  EXPECT_EQ(least["at_matched_bytes"]["mse"], least["ladder"][0]["mse"]);
  EXPECT_EQ(least["at_matched_bytes"]["rate_bpp"],
            least["ladder"][0]["rate_bpp"]);
}

TEST(RateDistortion, ImagesAreDrawnByTheSeedAlone) {
  const auto images = scenes(40);
  const auto drawn = [&](uint64_t seed) {
    RateDistortion comparison({}, 40, 5, seed);
    // Image k is decoded with an error of its own, which names it.
    const auto error = torch::arange(40).view({40, 1, 1, 1}) / 127.5;
    comparison.add(images, images - error, bytes_of_each(40, 1),
                   torch::arange(40));
    return comparison.summary();
  };
  EXPECT_EQ(drawn(1)["images"], 5);
  EXPECT_EQ(drawn(1)["drawn_by_seed"], 1);
  EXPECT_EQ(drawn(1), drawn(1));
  EXPECT_NE(drawn(1)["codec"]["mse"], drawn(2)["codec"]["mse"]);
}

TEST(RateDistortion, NeitherBatchesNorThreadsChangeTheSummary) {
  constexpr int64_t N = 7;
  const auto images = scenes(N), decoded = images * 0.9;
  const auto bytes = torch::linspace(90, 250, N, torch::kDouble);
  const auto summary = [&](int64_t batch_size) {
    RateDistortion comparison({"jpeg", "webp"}, N, 5, 3);
    for (int64_t i = 0; i < N; i += batch_size) {
      const auto count = std::min(batch_size, N - i);
      comparison.add(images.narrow(0, i, count), decoded.narrow(0, i, count),
                     bytes.narrow(0, i, count), torch::arange(i, i + count));
    }
    return comparison.summary().dump();
  };
  const auto whole = summary(N);
  EXPECT_EQ(summary(1), whole);
  EXPECT_EQ(summary(3), whole);
  const int before = at::get_num_threads();
  at::set_num_threads(before == 1 ? 3 : 1);
  EXPECT_EQ(summary(N), whole);
  at::set_num_threads(before);
}

TEST(RateDistortion, RefusesWhatItCannotMeasure) {
  EXPECT_THAT(
      message_of<ConfigError>([] { RateDistortion({"gif"}, 10, 5, 0); }),
      StartsWith("lossy format: must be one of jpeg, webp"));
  EXPECT_EQ(message_of<ConfigError>([] { RateDistortion({}, 10, 0, 0); }),
            "rate-distortion: num_images must be in [1, inf], got 0");
  RateDistortion comparison({"jpeg"}, 2, 2, 0);
  EXPECT_EQ(message_of<ConfigError>([&] { comparison.summary(); }),
            "rate-distortion: there must be a drawn image to measure, got "
            "none");
  const auto images = scenes(2), bytes = bytes_of_each(2, 1);
  EXPECT_EQ(message_of<ShapeError>([&] {
              comparison.add(images, images, bytes, torch::arange(1, 3));
            }),
            "rate-distortion: indices must be in [0, 2), got 2");
  EXPECT_EQ(message_of<ShapeError>([&] {
              comparison.add(images, images.narrow(0, 0, 1), bytes,
                             torch::arange(2));
            }),
            "rate-distortion: reconstruction must be [2, 1, 16, 16], got "
            "[1, 1, 16, 16]");
  EXPECT_THAT(message_of<ConfigError>([&] {
                comparison.add(images, images, bytes * std::nan(""),
                               torch::arange(2));
              }),
              StartsWith("rate-distortion: stored_bytes must be in [0, "));
}

TEST(RateDistortionSvg, DrawsALineForEachFormatAndADotForTheCodec) {
  const auto images = scenes(2);
  RateDistortion comparison({"jpeg", "webp"}, 2, 2, 0);
  comparison.add(images, images * 0.9, bytes_of_each(2, 100), torch::arange(2));
  const auto svg = rate_distortion_svg(comparison.summary());
  for (const char* text : {">jpeg<", ">webp<", ">this codec<", "<circle"})
    EXPECT_THAT(svg, HasSubstr(text));
  // A codec without loss has no place on the chart.
  EXPECT_THAT(rate_distortion_svg(beside("jpeg", images, 100)),
              Not(HasSubstr("<circle")));
}

}  // namespace
}  // namespace calotype
