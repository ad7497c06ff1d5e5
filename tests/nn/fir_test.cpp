#include "nn/fir.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "core/error.h"

namespace calotype {
namespace {

at::Tensor row(std::initializer_list<float> values) {
  return torch::tensor(std::vector<float>(values))
      .view({1, 1, 1, -1})
      .repeat({1, 2, 4, 1});
}

// Along a row whose neighbours are equal, by hand: (1,3,3,1)/8, every second
// place. Rows are told apart from the edges above and below by looking at the
// second of them.
TEST(Fir, HalvesARow) {
  const auto x = row({8, 16, 24, 32});
  const auto mirrored = fir_downsample(x, FirEdge::kMirror);
  EXPECT_EQ(mirrored.sizes().vec(), (std::vector<int64_t>{1, 2, 2, 2}));
  // 16 | 8 16 24 32 | 24
  EXPECT_TRUE(torch::allclose(
      mirrored[0][1][1], torch::tensor({(16 + 3 * 8 + 3 * 16 + 24) / 8.f,
                                        (16 + 3 * 24 + 3 * 32 + 24) / 8.f})));
  const auto zeros = fir_downsample(x, FirEdge::kZeros);
  const double inside = (3 + 3 + 1) / 8.;  // of the rows, one of which is zero
  EXPECT_NEAR(zeros[0][0][0][0].item<double>(),
              inside * (3 * 8 + 3 * 16 + 24) / 8, 1e-5);
}

TEST(Fir, DoublesARow) {
  const auto x = row({8, 16});
  // The filter's odd and even places: (3,1)/4 and (1,3)/4.
  const auto y = fir_upsample(x, 8, 4, FirEdge::kZeros);
  EXPECT_EQ(y.sizes().vec(), (std::vector<int64_t>{1, 2, 8, 4}));
  EXPECT_TRUE(torch::allclose(
      y[0][1][3], torch::tensor({3 * 8 / 4.f, (3 * 8 + 16) / 4.f,
                                 (8 + 3 * 16) / 4.f, 3 * 16 / 4.f})));
  const auto odd = fir_upsample(x, 9, 5, FirEdge::kMirror);
  EXPECT_EQ(odd.sizes().vec(), (std::vector<int64_t>{1, 2, 9, 5}));
  // 16 | 8 16 | 8
  EXPECT_TRUE(
      torch::allclose(odd[0][1][3].narrow(0, 0, 4),
                      torch::tensor({(16 + 3 * 8) / 4.f, (3 * 8 + 16) / 4.f,
                                     (8 + 3 * 16) / 4.f, (3 * 16 + 8) / 4.f})));
}

TEST(Fir, KeepsConstantsInside) {
  const auto x = torch::full({1, 3, 6, 6}, 5.f);
  EXPECT_TRUE(torch::allclose(fir_downsample(x, FirEdge::kMirror),
                              torch::full({1, 3, 3, 3}, 5.f)));
  EXPECT_TRUE(torch::allclose(fir_upsample(x, 12, 12, FirEdge::kMirror),
                              torch::full({1, 3, 12, 12}, 5.f)));
  EXPECT_THROW(fir_downsample(torch::ones({1, 1, 1, 4}), FirEdge::kMirror),
               ConfigError);
}

TEST(Fir, TakesBf16InEitherLayout) {
  const auto x = torch::randn({2, 6, 5, 4}).to(torch::kBFloat16);
  const auto wide = x.to(torch::kFloat);
  for (const auto edge : {FirEdge::kZeros, FirEdge::kMirror})
    for (const auto layout :
         {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
      const auto up = fir_upsample(x.contiguous(layout), 10, 8, edge);
      const auto down = fir_downsample(x.contiguous(layout), edge);
      EXPECT_TRUE(torch::allclose(up.to(torch::kFloat),
                                  fir_upsample(wide, 10, 8, edge), 0.02, 0.02));
      EXPECT_TRUE(torch::allclose(down.to(torch::kFloat),
                                  fir_downsample(wide, edge), 0.02, 0.02));
    }
}

}  // namespace
}  // namespace calotype
