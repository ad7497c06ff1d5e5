#include "nn/time_embedding.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>

namespace calotype {
namespace {

TEST(SinusoidalEmbedding, IsAsByHand) {
  // dim 4, freq_shift 0: frequencies 1 and 10000^(-1/2) = 0.01; time 2.
  const auto x =
      sinusoidal_embedding(torch::tensor({2}), 4, /*cosine_first=*/true, 0)[0];
  const double want[] = {std::cos(2), std::cos(0.02), std::sin(2),
                         std::sin(0.02)};
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(x[i].item<double>(), want[i], 1e-6);
  // freq_shift 1: the last frequency is 1/10000; sines first; an odd width ends
  // in 0.
  const auto y = sinusoidal_embedding(torch::tensor({2}), 5, false, 1)[0];
  EXPECT_NEAR(y[1].item<double>(), std::sin(2e-4), 1e-7);
  EXPECT_EQ(y[4].item<double>(), 0);
}

// Among times that are all small a vector's sines are reduced another way than
// beside a large one; four rows of this width share a vector.
TEST(SinusoidalEmbedding, OfATimeHasTheSameBitsBesideAnyOther) {
  const auto small = torch::arange(1, 65).to(torch::kFloat) * 1.37f;
  const auto of = [](const torch::Tensor& times) {
    return sinusoidal_embedding(times, 8, true, 1);
  };
  const auto alone = of(small);
  for (const float large : {127.f, 999.f, 65536.f}) {
    const auto rows =
        torch::stack({small, torch::full_like(small, large)}, 1).flatten();
    EXPECT_TRUE(of(rows).slice(0, 0, {}, 2).equal(alone)) << large;
  }
}

}  // namespace
}  // namespace calotype
