#include "metrics/distortion.h"

#include <ATen/Functions.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <limits>

#include "core/config.h"
#include "core/error.h"
#include "core/files.h"
#include "images/image_io.h"
#include "metrics/ssim.h"
#include "tests/support/fixtures.h"

namespace calotype {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Bytes as the float image in [-1,1] that shows them.
at::Tensor image_of(std::vector<float> bytes, at::IntArrayRef shape) {
  return at::tensor(bytes).view(shape) / 127.5 - 1;
}

at::Tensor drawn_images(int64_t count, int64_t size) {
  const auto pixels = at::arange(count * 3 * size * size, at::kFloat);
  return pixels.mul(0.37).sin().view({count, 3, size, size});
}

TEST(Distortion, OfTwoByTwoPixelsIsWhatAHandComputes) {
  // Differences 51, 0, 0, 102 of 255: 0.2, 0, 0, 0.4.
  Distortion distortion;
  distortion.add(image_of({0, 10, 20, 200}, {1, 1, 2, 2}),
                 image_of({51, 10, 20, 98}, {1, 1, 2, 2}));
  const auto summary = distortion.summary();
  EXPECT_NEAR(summary.mse, (0.04 + 0.16) / 4, 1e-12);
  EXPECT_NEAR(summary.mae, 0.6 / 4, 1e-12);
  EXPECT_NEAR(summary.mean_psnr_db, 13.010299956639813, 1e-9);  // 10 log10(20)
}

TEST(Distortion, TellsTheMeanPsnrFromThePsnrOfTheMean) {
  // Squared errors 0.01 and 0.0001: 20 dB and 40 dB.
  Distortion distortion({.rounding = Rounding::kNone});
  const auto reference = at::zeros({2, 1, 1, 1});
  const auto error = at::tensor({0.2f, 0.02f}).view({2, 1, 1, 1});
  distortion.add(reference, reference + error);
  const auto summary = distortion.summary();
  EXPECT_NEAR(summary.mean_psnr_db, 30, 1e-5);
  EXPECT_NEAR(summary.psnr_db_of_mean_mse, -10 * std::log10(0.00505), 1e-5);
}

TEST(Distortion, ComparesWhatAViewerSees) {
  const auto white = at::ones({1, 1, 2, 2});
  Distortion seen, raw({.rounding = Rounding::kNone});
  seen.add(white, white * 1.5);           // clamped to white
  seen.add(white, white - 0.49 / 127.5);  // rounded to white
  raw.add(white, white * 1.5);
  EXPECT_EQ(seen.summary().num_identical, 2);
  EXPECT_NEAR(raw.summary().mse, 0.0625, 1e-9);
}

// A cast cuts off what rounding would have kept: 0.6 of a step becomes a whole
// one.
TEST(Distortion, TruncatesReconstructionsIfAsked) {
  const auto reference = image_of({0, 100, 200, 255}, {1, 1, 2, 2});
  Distortion cut({.rounding = Rounding::kTruncate}), seen;
  const auto above = reference + 0.4 / 127.5, below = reference - 0.4 / 127.5;
  for (auto* distortion : {&cut, &seen}) {
    distortion->add(reference, above);
    distortion->add(reference, below);
  }
  EXPECT_EQ(cut.images()[0].mse, 0);
  EXPECT_DOUBLE_EQ(cut.images()[1].mae, 3 / 4. / 255);  // black stays black
  EXPECT_EQ(seen.images()[1].mse, 0);
  Distortion bytes({.rounding = Rounding::kTruncate});  // each stays what it is
  const auto all = at::arange(256, at::kFloat).view({1, 1, 16, 16});
  bytes.add(all / 127.5 - 1, all / 127.5 - 1);
  EXPECT_EQ(bytes.summary().mse, 0);
  EXPECT_TRUE(rounded(below, Rounding::kRound).allclose(reference, 0, 1e-6));
  EXPECT_TRUE(at::equal(rounded(below, Rounding::kNone), below));
}

TEST(Distortion, MeasuresManyScalesWhereTheyFit) {
  Distortion distortion;
  const auto large = drawn_images(2, kSmallestMultiScaleSide);
  distortion.add(large, large * 0.9);
  EXPECT_GT(distortion.summary().ms_ssim, 0.5);
  EXPECT_LT(distortion.summary().ms_ssim, 1);
  const auto small = drawn_images(1, kSmallestMultiScaleSide - 1);
  distortion.add(small, small);
  EXPECT_TRUE(std::isnan(distortion.images().back().ms_ssim));
  EXPECT_TRUE(std::isnan(distortion.summary().ms_ssim));
}

TEST(Distortion, LeavesIdenticalImagesOutOfTheMeanPsnr) {
  Distortion distortion;
  const auto reference = image_of({0, 0}, {2, 1, 1, 1});
  distortion.add(reference, reference);
  EXPECT_EQ(distortion.summary().mean_psnr_db, kInfinity);
  EXPECT_EQ(distortion.summary().psnr_db_of_mean_mse, kInfinity);
  distortion.add(reference, image_of({0, 51}, {2, 1, 1, 1}));
  const auto summary = distortion.summary();
  EXPECT_EQ(summary.num_images, 4);
  EXPECT_EQ(summary.num_identical, 3);
  EXPECT_NEAR(summary.mean_psnr_db, 13.979400086720377, 1e-9);  // 20 log10(5)
}

TEST(Distortion, InPiecesEqualsAllAtOnce) {
  const auto reference = drawn_images(7, 20);
  const auto reconstruction = reference * 0.9 + 0.03;
  Distortion whole, pieces;
  whole.add(reference, reconstruction);
  for (int64_t begin = 0; begin < 7; begin += 3)
    pieces.add(reference.slice(0, begin, begin + 3),
               reconstruction.slice(0, begin, begin + 3));
  const auto a = whole.summary(), b = pieces.summary();
  EXPECT_EQ(a.num_images, b.num_images);
  EXPECT_DOUBLE_EQ(a.mse, b.mse);
  EXPECT_DOUBLE_EQ(a.mae, b.mae);
  EXPECT_DOUBLE_EQ(a.ssim, b.ssim);
  EXPECT_DOUBLE_EQ(a.mean_psnr_db, b.mean_psnr_db);
}

TEST(Distortion, OfALargeImageCountsEveryPixel) {
  auto reference = at::full({1, 1, 1100, 1000}, -1, at::kFloat);  // black
  auto made = reference.clone();
  made.slice(2, 1050).fill_(1);  // its last rows are white, the error 1
  Distortion distortion;
  distortion.add(reference, made);
  EXPECT_DOUBLE_EQ(distortion.summary().mse, 50 / 1100.);
  EXPECT_DOUBLE_EQ(distortion.summary().mae, 50 / 1100.);
}

TEST(Distortion, DoesNotDependOnTheOrderOfBatches) {
  const auto reference = drawn_images(5, 16), made = reference * 0.9;
  const auto places = at::tensor({8, 3, 5, 1, 9});
  Distortion one, other;
  for (const int64_t i : {0, 1, 2, 3, 4}) {
    one.add(reference.narrow(0, i, 1), made.narrow(0, i, 1), {},
            places.narrow(0, i, 1));
    other.add(reference.narrow(0, 4 - i, 1), made.narrow(0, 4 - i, 1), {},
              places.narrow(0, 4 - i, 1));
  }
  EXPECT_EQ(one.summary().mse, other.summary().mse);
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(one.images()[i].sample, (std::array{1, 3, 5, 8, 9}[i]));
    EXPECT_EQ(one.images()[i].mse, other.images()[i].mse);
  }
}

TEST(Distortion, RanksImagesByTheirError) {
  Distortion distortion;
  const auto reference = image_of({0, 0, 0}, {3, 1, 1, 1});
  distortion.add(reference, image_of({10, 30, 20}, {3, 1, 1, 1}),
                 at::tensor({4, 5, 6}), at::tensor({70, 80, 90}));
  const auto ranked = distortion.ranked();
  ASSERT_EQ(ranked.size(), 3u);
  EXPECT_EQ(ranked[0].sample, 80);
  EXPECT_EQ(ranked[0].label, 5);
  EXPECT_EQ(ranked[1].sample, 90);
  EXPECT_EQ(ranked[2].sample, 70);
}

TEST(Distortion, RefusesShapesThatDiffer) {
  Distortion distortion;
  EXPECT_THAT(
      [&] {
        distortion.add(at::zeros({2, 1, 4, 4}), at::zeros({2, 3, 4, 4}));
      },
      testing::ThrowsMessage<ShapeError>(
          "distortion: reconstruction must be [2, 1, 4, 4], got [2, 3, 4, 4]"));
}

TEST(Distortion, RefusesNothing) {
  Distortion distortion;
  const auto none = at::zeros({0, 1, 4, 4});
  EXPECT_THAT([&] { distortion.add(none, none); },
              testing::ThrowsMessage<ShapeError>(
                  "distortion: images must not be empty, got [0, 1, 4, 4]"));
  EXPECT_THAT([&] { distortion.summary(); },
              testing::ThrowsMessage<ConfigError>(
                  "distortion: there must be an image to measure, got none"));
}

TEST(Distortion, RefusesAnImageThatIsNotFiniteAndNamesIt) {
  Distortion distortion;
  const auto reference = at::zeros({3, 1, 2, 2});
  const auto broken = reference.clone();
  broken[2][0][1][1] = std::nan("");
  EXPECT_THAT([&] { distortion.add(reference, broken); },
              testing::ThrowsMessage<DataError>(
                  "distortion: reconstruction of image 2 must be finite, got "
                  "NaN or infinity"));
  EXPECT_TRUE(distortion.images().empty());
}

// tests/fixtures/metrics: scikit-image 0.25 on pairs of RGB images of 72x80
// pixels.
TEST(Distortion, AgreesWithScikitImage) {
  const auto folder = fixtures_folder() / "metrics";
  const auto expected = read_json_file(folder / "metrics.json");
  const auto pixels = [&](const std::string& name) {
    const auto path = folder / name;
    return to_tensor(decode_image(read_file(path), path.string())).unsqueeze(0);
  };
  for (size_t i = 0; i < expected["psnr"].size(); ++i) {
    Distortion distortion;
    distortion.add(pixels(fmt::format("a{}.png", i)),
                   pixels(fmt::format("b{}.png", i)));
    const auto image = distortion.images()[0];
    EXPECT_NEAR(image.mse, expected["mse"][i].get<double>(), 1e-8);
    EXPECT_NEAR(image.psnr_db(), expected["psnr"][i].get<double>(), 1e-5);
    EXPECT_NEAR(image.ssim, expected["ssim_gaussian_11_1.5"][i].get<double>(),
                1e-8);
  }
}

}  // namespace
}  // namespace calotype
