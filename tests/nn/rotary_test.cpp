#include "nn/rotary.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>

#include "core/error.h"

namespace calotype {
namespace {

TEST(Rotary, TurnsPairsByRowAndByColumn) {
  // Head of 8 channels, base 100: frequencies 1 and 1/10 for each axis. Cell
  // (1,2) of a 2x3 grid is token 5. Pairs are channels (i, i + 4).
  const auto table = grid_rotary(8, 2, 3, 100, torch::kFloat);
  const auto x = torch::tensor({1.f, 1.f, 1.f, 0.f, 0.f, 0.f, 0.f, 1.f});
  const auto y = rotate(x.expand({6, 8}), table);
  EXPECT_TRUE(torch::allclose(y[0], x));  // cell (0,0) stays
  const auto want = torch::tensor(
      {std::cos(1.), std::cos(.1), std::cos(2.), -std::sin(.2),  //
       std::sin(1.), std::sin(.1), std::sin(2.), std::cos(.2)},
      torch::kFloat);
  EXPECT_TRUE(torch::allclose(y[5], want, 1e-5, 1e-6));
}

TEST(Rotary, KeepsLengths) {
  const auto x = torch::randn({2, 3, 12, 16});
  const auto y = rotate(x, grid_rotary(16, 3, 4, 100, torch::kFloat));
  EXPECT_TRUE(torch::allclose(y.norm(2, -1), x.norm(2, -1), 1e-5, 1e-5));
  EXPECT_FALSE(torch::allclose(y, x));
}

TEST(Rotary, MakesScoresDependOnTheWayBetweenCellsAlone) {
  const int64_t h = 4, w = 5;
  const auto table = grid_rotary(16, h, w, 100, torch::kDouble);
  // One query and one key, put in every cell.
  const auto q =
      rotate(torch::randn({16}, torch::kDouble).expand({h * w, 16}), table);
  const auto k =
      rotate(torch::randn({16}, torch::kDouble).expand({h * w, 16}), table);
  const auto scores = q.matmul(k.t()).view({h, w, h, w});
  const auto score = [&](int r, int c, int down, int right) {
    return scores[r][c][r + down][c + right].item<double>();
  };
  for (const auto& [down, right] : {std::pair{0, 0}, {1, 0}, {0, 2}, {2, 1}})
    for (int r = 0; r + down < h; ++r)
      for (int c = 0; c + right < w; ++c)
        EXPECT_NEAR(score(r, c, down, right), score(0, 0, down, right), 1e-12);
  EXPECT_GT(std::abs(score(0, 0, 1, 0) - score(0, 0, 0, 1)), 1e-3);
}

TEST(Rotary, RefusesHeadsThatCannotBeHalvedTwice) {
  EXPECT_THROW(grid_rotary(6, 2, 2, 100, torch::kFloat), ConfigError);
  EXPECT_THROW(
      rotate(torch::zeros({5, 8}), grid_rotary(8, 2, 2, 100, torch::kFloat)),
      ShapeError);
}

}  // namespace
}  // namespace calotype
