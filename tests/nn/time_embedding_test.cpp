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

}  // namespace
}  // namespace calotype
