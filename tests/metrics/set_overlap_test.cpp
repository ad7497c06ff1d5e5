#include "metrics/set_overlap.h"

#include <ATen/Functions.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "core/config.h"
#include "core/error.h"
#include "core/random.h"
#include "nn/safetensors.h"
#include "tests/metrics/clouds.h"
#include "tests/support/fixtures.h"

namespace calotype {
namespace {

at::Tensor on_a_line(std::vector<double> places) {
  return at::tensor(places, at::kDouble).unsqueeze(1);
}

const SetOverlapConfig kNearest{.precision_neighbours = 1,
                                .density_neighbours = 2};

TEST(SetOverlap, IsWhatTheReferenceImplementationComputes) {
  const auto folder = fixtures_folder() / "metrics";
  const auto features = read_safetensors(folder / "features.safetensors");
  const auto want = read_json_file(folder / "metrics.json");
  const auto got =
      set_overlap(features.tensors.at("x"), features.tensors.at("y"));
  // Counts of 260 and 300 rows: not even one may differ.
  EXPECT_NEAR(got.precision, want["precision_k3"].get<double>(), 1e-12);
  EXPECT_NEAR(got.recall, want["recall_k3"].get<double>(), 1e-12);
  EXPECT_NEAR(got.density, want["density_k5"].get<double>(), 1e-12);
  EXPECT_NEAR(got.coverage, want["coverage_k5"].get<double>(), 1e-12);
}

TEST(SetOverlap, OnALineIsWhatAHandCounts) {
  // Nearest other: 1, 1, 1.5, 4 of the reference; 0.5, 0.5, 6.5 of the
  // generated. Second nearest: 2.5, 1.5, 2.5, 5.5 of the reference.
  const auto real = on_a_line({0, 1, 2.5, 6.5});
  const auto made = on_a_line({-1, -0.5, 6});
  const auto got = set_overlap(real, made, kNearest);
  // -1 and -0.5 lie in the ball of 0, 6 in that of 6.5.
  EXPECT_DOUBLE_EQ(got.precision, 1);
  // [-1.5,-0.5], [-1,0], [-0.5,12.5] hold all: 0 is in the second and third.
  EXPECT_DOUBLE_EQ(got.recall, 1);
  // Balls [-2.5,2.5], [-0.5,2.5], [0,5], [1,12]: 1 around -1, 2 around -0.5, 1
  // around 6.
  EXPECT_DOUBLE_EQ(got.density, 4 / 2. / 3);
  EXPECT_DOUBLE_EQ(got.coverage, 3 / 4.);
}

TEST(SetOverlap, TellsQualityFromVariety) {
  const auto wide = on_a_line({0, 1, 2, 3, 10, 11, 12, 13});
  const auto narrow = on_a_line({0.5, 1.5, 2.5, 2.6});
  const auto some = set_overlap(wide, narrow, kNearest);
  EXPECT_DOUBLE_EQ(some.precision, 1);   // all are good
  EXPECT_DOUBLE_EQ(some.coverage, 0.5);  // half of the set is missing
  // Balls [-0.5,1.5], [0.5,2.5], [2.4,2.6], [2.5,2.7] leave out 3 as well.
  EXPECT_DOUBLE_EQ(some.recall, 3 / 8.);
}

TEST(SetOverlap, OfASetWithItselfIsPerfect) {
  const auto rows = cloud(60, 7, 1);
  const auto same = set_overlap(rows, rows);
  EXPECT_EQ(same.precision, 1);
  EXPECT_EQ(same.recall, 1);
  EXPECT_EQ(same.coverage, 1);
  // Each ball holds its centre and, on its edge and inside, k others.
  EXPECT_DOUBLE_EQ(same.density, 6 / 5.);
  // The reference's rows in another order and far from 0, in float.
  const auto moved = (rows + 1000).to(at::kFloat);
  const auto turned = set_overlap(moved, moved.flip(0));
  EXPECT_DOUBLE_EQ(turned.density, 6 / 5.);
}

TEST(SetOverlap, OfSetsFarApartIsNothing) {
  const auto got = set_overlap(cloud(40, 5, 1), cloud(30, 5, 2) + 100);
  EXPECT_EQ(got.precision, 0);
  EXPECT_EQ(got.recall, 0);
  EXPECT_EQ(got.density, 0);
  EXPECT_EQ(got.coverage, 0);
}

TEST(SetOverlap, OfEqualRowsCountsTheirCopies) {
  const auto got = set_overlap(at::ones({8, 3}), at::ones({6, 3}));
  EXPECT_EQ(got.precision, 1);  // balls of radius 0 hold what is equal
  EXPECT_EQ(got.recall, 1);
  EXPECT_DOUBLE_EQ(got.density, 8 / 5.);
  EXPECT_EQ(got.coverage, 1);
}

TEST(SetOverlap, ByBlocksIsWhatOneMatrixGives) {
  // 2500 columns are more than one block of rows; the plain formula beside it.
  const auto real = cloud(2500, 4, 1).to(at::kDouble);
  const auto made = cloud(2200, 4, 2).to(at::kDouble) * 0.8 + 0.3;
  const auto kth = [](const at::Tensor& rows, int64_t k) {
    const auto apart = (rows.unsqueeze(0) - rows.unsqueeze(1)).square().sum(2);
    return std::get<0>(apart.sort(1)).select(1, k);  // place 0: itself
  };
  const auto apart = (made.unsqueeze(1) - real.unsqueeze(0)).square().sum(2);
  const auto inside = apart.le(kth(real, 5));
  const auto got = set_overlap(real, made);
  const auto mean = [](const at::Tensor& hits) {
    return hits.to(at::kDouble).mean().item<double>();
  };
  EXPECT_DOUBLE_EQ(got.precision, mean(apart.le(kth(real, 3)).any(1)));
  EXPECT_DOUBLE_EQ(got.recall,
                   mean(apart.le(kth(made, 3).unsqueeze(1)).any(0)));
  EXPECT_DOUBLE_EQ(got.density, inside.sum().item<double>() / 5 / 2200);
  EXPECT_DOUBLE_EQ(got.coverage, mean(inside.any(0)));
}

TEST(SetOverlap, RefusesTooFewRowsAnotherWidthAndWhatIsNoNumber) {
  const auto message = [](const at::Tensor& real, const at::Tensor& made) {
    try {
      set_overlap(real, made);
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(message(cloud(5, 3, 1), cloud(9, 3, 2)),
            "set overlap: 5 nearest neighbours need at least 6 reference "
            "images, got 5");
  EXPECT_EQ(message(cloud(6, 3, 1), cloud(1, 3, 2)),
            "set overlap: 5 nearest neighbours need at least 6 generated "
            "images, got 1");
  EXPECT_EQ(message(cloud(6, 3, 1), cloud(6, 3, 2)), "");
  EXPECT_THROW(set_overlap(cloud(9, 3, 1), cloud(9, 4, 2)), ShapeError);
  EXPECT_THROW(
      set_overlap(cloud(9, 3, 1), cloud(9, 3, 2), {.precision_neighbours = 0}),
      ConfigError);
  auto holed = cloud(9, 3, 1);
  holed[4][1] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(set_overlap(cloud(9, 3, 1), holed), DataError);
}

}  // namespace
}  // namespace calotype
