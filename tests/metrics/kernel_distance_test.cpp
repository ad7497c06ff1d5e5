#include "metrics/kernel_distance.h"

#include <ATen/Functions.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "core/config.h"
#include "core/error.h"
#include "core/random.h"
#include "metrics/grouped_moments.h"
#include "nn/safetensors.h"
#include "tests/metrics/clouds.h"
#include "tests/support/fixtures.h"

namespace calotype {
namespace {

TEST(KernelDistance, IsWhatTheReferenceImplementationComputes) {
  const auto folder = fixtures_folder() / "metrics";
  const auto features = read_safetensors(folder / "features.safetensors");
  const auto want =
      read_json_file(folder / "metrics.json")["kid_mmd2_unbiased_degree3"]
          .get<double>();
  EXPECT_NEAR(
      kernel_distance(features.tensors.at("x"), features.tensors.at("y")), want,
      1e-9 * want);
}

TEST(KernelDistance, OfTwoPairsIsWhatAHandComputes) {
  // F = 2. Within {(2,0),(0,2)}: (0 / 2 + 1)^3 = 1. Within {(2,2),(0,0)}: 1.
  // Across: (4/2 + 1)^3 = 27 twice, 1 twice.
  const auto a = at::tensor({2., 0., 0., 2.}).view({2, 2});
  const auto b = at::tensor({2., 2., 0., 0.}).view({2, 2});
  EXPECT_DOUBLE_EQ(kernel_distance(a, b), 1 + 1 - 2 * (27 + 27 + 1 + 1) / 4.);
  EXPECT_DOUBLE_EQ(kernel_distance(b, a), kernel_distance(a, b));
}

TEST(KernelDistance, IsUnbiasedAndSeesAShift) {
  // Means over 40 pairs of small sets of one distribution scatter around 0.
  double sum = 0;
  for (uint64_t pair = 0; pair < 40; ++pair)
    sum += kernel_distance(cloud(10, 8, 2 * pair), cloud(25, 8, 2 * pair + 1));
  EXPECT_NEAR(sum / 40, 0, 0.05);
  EXPECT_GT(kernel_distance(cloud(100, 8, 1), cloud(100, 8, 2) + 1), 1);
}

TEST(KernelDistance, ByBlocksIsWhatOneMatrixGives) {
  // 2500 columns are more than one block of rows; the plain formula beside it.
  const auto a = cloud(2500, 4, 1).to(at::kDouble);
  const auto b = cloud(2200, 4, 2).to(at::kDouble) + 0.2;
  const auto kernel = [](const at::Tensor& x, const at::Tensor& y) {
    return (x.matmul(y.t()) / 4 + 1).pow(3);
  };
  const auto within = [&](const at::Tensor& x) {
    const auto pairs = kernel(x, x);
    const auto n = double(x.size(0));
    return (pairs.sum() - pairs.trace()).item<double>() / (n * (n - 1));
  };
  EXPECT_NEAR(kernel_distance(a, b),
              within(a) + within(b) - 2 * kernel(a, b).mean().item<double>(),
              1e-9);
}

// Beside the value of the rows that are left, group by group; group 7 is empty.
TEST(KernelDistance, LeavesGroupsOutInOnePass) {
  const auto real = cloud(1100, 5, 1);  // more than a tile
  const auto made = cloud(1300, 5, 2) + 0.1;
  const auto places = at::arange(1300, at::kLong);
  const auto groups = at::where(places.remainder(10).eq(7),
                                at::zeros_like(places), places.remainder(10));
  const auto got = kernel_distance(real, made, groups);
  EXPECT_NEAR(got.value, kernel_distance(real, made), 1e-12);
  ASSERT_EQ(got.left_out.size(), 10u);
  for (int64_t g = 0; g < 10; ++g) {
    const auto left = made.index_select(0, groups.ne(g).nonzero().view(-1));
    EXPECT_NEAR(got.left_out[size_t(g)], kernel_distance(real, left), 1e-12);
  }
  EXPECT_NE(got.left_out[3], got.value);
}

TEST(KernelDistance, RefusesGroupsThatLeaveNothing) {
  const auto real = cloud(9, 3, 1), made = cloud(4, 3, 2);
  const auto groups = [](std::vector<int64_t> of_rows) {
    return at::tensor(of_rows, at::kLong);
  };
  EXPECT_THAT(
      [&] {
        kernel_distance(real, made, groups({4, 4, 4, 9}));
      },
      testing::ThrowsMessage<ConfigError>(
          "kernel distance: each set needs at least 2 images without "
          "one of its groups, got 3 of 4 in one group"));
  EXPECT_THAT(
      [&] {
        kernel_distance(real, made, groups({0, 1, 10, 2}));
      },
      testing::ThrowsMessage<ShapeError>(
          "kernel distance: groups must be in [0, 10), got others"));
  EXPECT_THROW(kernel_distance(real, made, groups({0, 1})), ShapeError);
}

TEST(KernelDistance, RefusesOneRowAnotherWidthAndWhatIsNoNumber) {
  EXPECT_THROW(kernel_distance(cloud(1, 3, 1), cloud(9, 3, 2)), ConfigError);
  EXPECT_THROW(kernel_distance(cloud(9, 3, 1), cloud(9, 4, 2)), ShapeError);
  EXPECT_THROW(
      kernel_distance(cloud(9, 3, 1),
                      at::full({9, 3}, std::numeric_limits<float>::infinity())),
      DataError);
}

// Reconstructions of a codec that loses nearly nothing: their own images are no
// sample, and pairs with them must not count.
TEST(PairedKernelDistance, OfAlikePairsIsNearNoughtAtAnySize) {
  for (const int64_t count : {40, 400}) {
    const auto rows =
        normal_rows({6}, at::arange(count, at::kLong), 3, Stream::kSynthetic) +
        2;
    const auto groups = image_groups(at::arange(count, at::kLong));
    const auto nearly = rows + 1e-4 * rows.flip(0);
    const auto paired = paired_kernel_distance(rows, nearly, groups);
    EXPECT_LT(std::abs(paired.value), 0.02);
    EXPECT_LT(kernel_distance(rows, nearly), -0.1);
    EXPECT_NEAR(paired_kernel_distance(rows, rows, groups).value, 0, 1e-12);
  }
}

TEST(PairedKernelDistance, IsTheSumOverAllPairsOfImages) {
  const auto x =
      normal_rows({3}, at::arange(30, at::kLong), 1, Stream::kSynthetic)
          .to(at::kDouble);
  const auto y = x * 1.5 + 0.3;
  const auto groups = image_groups(at::arange(30, at::kLong));
  const auto kernel = [](const at::Tensor& a, const at::Tensor& b) {
    return std::pow(a.dot(b).item<double>() / 3 + 1, 3);
  };
  const auto plain = [&](int64_t without) {
    double sum = 0, count = 0;
    for (int64_t i = 0; i < 30; ++i) {
      if (groups[i].item<int64_t>() == without) continue;
      ++count;
      for (int64_t j = 0; j < 30; ++j)
        if (i != j && groups[j].item<int64_t>() != without)
          sum += kernel(x[i], x[j]) + kernel(y[i], y[j]) - kernel(x[i], y[j]) -
                 kernel(x[j], y[i]);
    }
    return sum / (count * (count - 1));
  };
  const auto found = paired_kernel_distance(x, y, groups);
  EXPECT_NEAR(found.value, plain(-1), 1e-9);
  EXPECT_NEAR(paired_kernel_distance(x, y), plain(-1), 1e-9);
  ASSERT_EQ(found.left_out.size(), 10u);
  for (int64_t g = 0; g < 10; ++g)
    EXPECT_NEAR(found.left_out[size_t(g)], plain(g), 1e-9);
}

}  // namespace
}  // namespace calotype
