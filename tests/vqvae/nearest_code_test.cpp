#include "vqvae/nearest_code.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include "core/error.h"
#include "tests/support/message_of.h"
#include "tests/support/threads.h"
#include "vqvae/codebook.h"
#include "vqvae/quantizer.h"

namespace calotype {
namespace {

/// From all differences in double, the first of equals.
at::Tensor plain_nearest(const at::Tensor& vectors, const at::Tensor& codes) {
  const auto wide = codes.to(torch::kDouble);
  auto nearest = torch::zeros({vectors.size(0)}, torch::kLong);
  for (int64_t i = 0; i < vectors.size(0); ++i) {
    const auto distances =
        (vectors[i].to(torch::kDouble) - wide).square().sum(1);
    nearest[i] = distances.eq(distances.min()).nonzero()[0][0];
  }
  return nearest;
}

TEST(NearestCodes, AreThoseOfTheWholeTableOfDistances) {
  torch::manual_seed(1);
  const auto x = torch::randn({3000, 5}), codes = torch::randn({2500, 5});
  EXPECT_TRUE(torch::equal(nearest_codes(x, codes), plain_nearest(x, codes)));
}

// Codes 0.01 apart, so that in float the square of the offset is all that
// |c|^2 - 2 c.x holds.
TEST(NearestCodes, AreExactHoweverFarTheCodesLieFromZero) {
  torch::manual_seed(2);
  for (const double offset : {0., 1., 30., -1000., 1e5}) {
    SCOPED_TRACE(offset);
    const auto codes = (offset + 0.01 * torch::randn({1500, 4})).contiguous();
    const auto x = (offset + 0.01 * torch::randn({300, 4})).contiguous();
    EXPECT_TRUE(torch::equal(nearest_codes(x, codes), plain_nearest(x, codes)));
  }
}

// No centre helps here: each cluster is small beside the distance of the two.
TEST(NearestCodes, AreExactInClustersThatLieFarApart) {
  torch::manual_seed(3);
  const auto around = [](double offset, int64_t count) {
    return offset + 0.001 * torch::randn({count, 6});
  };
  const auto codes = torch::cat({around(-500, 40), around(500, 40)});
  const auto x = torch::cat({around(-500, 100), around(500, 100)});
  EXPECT_TRUE(torch::equal(nearest_codes(x, codes), plain_nearest(x, codes)));
}

TEST(NearestCodes, ToOneThatLiesFarFromAllAreExactToo) {
  torch::manual_seed(4);
  const auto codes = torch::randn({64, 3});
  for (const double scale : {1e3, 1e6, 1e30, 1e-6, 1e-30}) {
    SCOPED_TRACE(scale);
    const auto x = torch::randn({50, 3}) * scale;
    EXPECT_TRUE(torch::equal(nearest_codes(x, codes), plain_nearest(x, codes)));
  }
}

TEST(NearestCodes, TakesTheFirstOfEquals) {
  EXPECT_EQ(nearest_codes(torch::ones({3, 2}), torch::zeros({2000, 2}))
                .max()
                .item<int64_t>(),
            0);
  // Twins in different blocks, the second of which is scored first by nobody.
  auto codes = 100 + torch::rand({3000, 2});
  for (const int64_t twin : {700, 1900, 2900}) codes[twin].fill_(0.5);
  EXPECT_EQ(nearest_codes(torch::full({1, 2}, 0.25), codes).item<int64_t>(),
            700);
}

TEST(NearestCodes, AreTheSameByOperations) {
  torch::manual_seed(8);
  // Two clusters far apart, whose codes are near each other.
  auto codes = 1e-4 * torch::randn({1500, 3});
  codes.narrow(0, 0, 700).add_(500);
  codes.narrow(0, 700, 800).sub_(500);
  codes[1200] = codes[900];  // a twin
  const auto x = codes.index_select(0, torch::randint(1500, {1100})) + 1e-5;
  EXPECT_TRUE(
      torch::equal(nearest_by_operations(x, codes), nearest_codes(x, codes)));
}

TEST(NearestCodes, OfOneCodeOrNoVectorsNeedNoSearch) {
  EXPECT_EQ(nearest_codes(torch::randn({3, 2}), torch::randn({1, 2}))
                .sum()
                .item<int64_t>(),
            0);
  EXPECT_EQ(nearest_codes(torch::randn({0, 2}), torch::randn({9, 2})).numel(),
            0);
}

TEST(NearestCodes, RefusesNumbersThatAreNotFinite) {
  auto x = torch::zeros({3, 2});
  x[1][0] = std::nan("");
  EXPECT_THROW(nearest_codes(x, torch::zeros({4, 2})), NumericError);
  EXPECT_EQ(message_of<NumericError>([&] {
              nearest_codes(torch::zeros({4, 2}), x);
            }),
            "quantizer: the codebook holds a number that is not finite");
}

TEST(NearestCodes, AreTheSameOnAnyNumberOfThreads) {
  torch::manual_seed(5);
  const auto x = torch::randn({2000, 4}) + 100,
             codes = torch::randn({600, 4}) + 100;
  expect_same_bits(
      [&] { return std::vector<at::Tensor>{nearest_codes(x, codes)}; });
}

TEST(NearestCodes, AreExactInEveryQuantizerWithACodebook) {
  torch::manual_seed(6);
  const auto x = 200 + 0.01 * torch::randn({400, 4});
  for (const char* kind : {"learned", "ema"}) {
    SCOPED_TRACE(kind);
    const auto quantizer =
        make_quantizer({.kind = kind, .num_codes = 32, .kmeans_init = true}, 4);
    const QuantizerStep training{.seed = 1};
    quantizer->quantize(x, &training);  // codes from the vectors
    const auto codes = quantizer->lookup(torch::arange(32).unsqueeze(1));
    EXPECT_TRUE(torch::equal(quantizer->quantize(x, nullptr).indices.squeeze(1),
                             plain_nearest(x, codes)));
  }
}

// Means of many vectors whose mean is large beside their spread.
TEST(KMeans, FindsTheMeansOfVectorsFarFromZero) {
  torch::manual_seed(7);
  const auto x = 3000 + 0.01 * torch::rand({200000, 2}, torch::kDouble);
  const auto seen = x.to(torch::kFloat);
  const auto found = kmeans(seen, 2, {.seed = 1, .step = 0}, 20);
  // It has come to rest: each centre is the mean of what is nearest to it.
  const auto [sums, counts] = sums_by_code(seen, nearest_codes(seen, found), 2);
  const auto means = sums / counts.unsqueeze(1);
  EXPECT_LT((means - found.to(torch::kDouble)).abs().max().item<double>(),
            3e-4);
  EXPECT_GT((means[0] - means[1]).norm().item<double>(), 4e-3);
}

}  // namespace
}  // namespace calotype
