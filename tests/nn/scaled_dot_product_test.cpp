#include "nn/scaled_dot_product.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/utils.h>

#include <cmath>

namespace calotype {
namespace {

at::Tensor plain(const at::Tensor& q, const at::Tensor& k,
                 const at::Tensor& v) {
  const auto scores =
      q.matmul(k.transpose(2, 3)) / std::sqrt(double(q.size(3)));
  return scores.softmax(-1).matmul(v);
}

TEST(ScaledDotProduct, IsTheFormula) {
  // One query that looks at two keys with scores 0 and ln 3 (times sqrt(1)):
  // 1/4, 3/4.
  const auto q = torch::ones({1, 1, 1, 1});
  const auto k = torch::tensor({0.f, float(std::log(3.0))}).view({1, 1, 2, 1});
  const auto v = torch::tensor({4.f, 8.f}).view({1, 1, 2, 1});
  EXPECT_NEAR(scaled_dot_product(q, k, v).item<double>(), 7, 1e-5);
  EXPECT_NEAR(bounded_attention(q, k, v, 1).item<double>(), 7, 1e-5);
}

// A white image has 16,384 equal tokens at 1024 pixels, whose weights' float
// sum is not 1.
TEST(ScaledDotProduct, ManyEqualValuesAreGivenBack) {
  auto k = torch::zeros({1, 1, 16384, 1});
  k[0][0][77][0] = 2;
  const auto out = scaled_dot_product(torch::ones({1, 1, 3, 1}), k,
                                      torch::full({1, 1, 16384, 1}, 0.7f));
  EXPECT_LT((out.to(torch::kDouble) - double(0.7f)).abs().max().item<double>(),
            1e-7);
}

// The same with an edge: 16,383 equal scores beside one that weighs as much as
// all of them. Their values are apart, so that a sum that is off shows.
TEST(ScaledDotProduct, ManyEqualWeightsAddUp) {
  const torch::NoGradGuard no_grad;
  const int64_t n = 16384;
  auto k = torch::zeros({1, 1, n, 1}), v = torch::full({1, 1, n, 16}, -6.f);
  k[0][0][77][0] = float(std::log(double(n - 1)));
  v[0][0][77] = 12;
  const auto out = scaled_dot_product(torch::ones({1, 1, 3, 1}), k, v);
  const double weight = std::exp(double(k[0][0][77][0].item<float>()));
  const double want = (12 * weight - 6.0 * (n - 1)) / (weight + n - 1);
  EXPECT_LT((out.to(torch::kDouble) - want).abs().max().item<double>(), 1e-5);
}

TEST(ScaledDotProduct, WeighsAsLibTorchDoes) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(1);
  for (const int64_t n : {1, 2, 7, 63, 64, 65, 1000}) {
    const auto q = 9 * torch::randn({2, 3, 5, 4}),
               k = torch::randn({2, 3, n, 4}), v = torch::randn({2, 3, n, 6});
    EXPECT_TRUE(torch::allclose(
        scaled_dot_product(q, k, v).to(torch::kDouble),
        plain(q.to(torch::kDouble), k.to(torch::kDouble), v.to(torch::kDouble)),
        1e-5, 2e-6));
  }
  auto broken = torch::randn({1, 1, 2, 4});
  broken[0][0][1][2] = NAN;
  const auto out =
      scaled_dot_product(broken, broken, torch::ones({1, 1, 2, 4}));
  EXPECT_TRUE(out.isnan().all().item<bool>());
}

// 2 x 3 heads of 7 queries and 5 keys. Room for all heads, for some of them,
// for some rows of one, and for less than a row.
TEST(BoundedAttention, InBlocksIsAllAtOnceWithItsGradients) {
  torch::manual_seed(0);
  const auto make = [](int64_t length, int64_t width) {
    return torch::randn({2, 3, length, width});
  };
  const auto q = make(7, 4), k = make(5, 4), v = make(5, 6);
  const auto weight = make(7, 6);
  const auto run = [&](const auto& attention) {
    auto leaves = std::vector<at::Tensor>{q, k, v};
    for (auto& leaf : leaves) leaf = leaf.clone().requires_grad_(true);
    const auto out = attention(leaves[0], leaves[1], leaves[2]);
    (out * weight).sum().backward();
    return std::vector<at::Tensor>{out.detach(), leaves[0].grad(),
                                   leaves[1].grad(), leaves[2].grad()};
  };
  const auto want = run(plain);
  const int64_t head = 7 * 5 * 4 * 2;  // bytes of scores and softmax
  for (const auto bytes : {100 * head, 4 * head, head, head / 2, int64_t{8}}) {
    SCOPED_TRACE(bytes);
    const auto got = run([&](const auto& a, const auto& b, const auto& c) {
      return bounded_attention(a, b, c, bytes);
    });
    for (size_t i = 0; i < want.size(); ++i)
      EXPECT_TRUE(torch::allclose(got[i], want[i], 1e-5, 1e-5)) << i;
  }
  const auto chosen = run(scaled_dot_product);
  for (size_t i = 0; i < want.size(); ++i)
    EXPECT_TRUE(torch::allclose(chosen[i], want[i], 1e-5, 1e-5)) << i;
}

TEST(BoundedAttention, IsAllAtOnceWhereScoresAreMany) {
  const torch::NoGradGuard no_grad;
  const auto q = torch::randn({1, 1, 9000, 2});  // 81 M scores
  const auto whole = scaled_dot_product(q, q, q);
  const auto last_rows = plain(q.narrow(2, 8990, 10), q, q);
  EXPECT_TRUE(
      torch::allclose(whole.narrow(2, 8990, 10), last_rows, 1e-5, 1e-6));
}

TEST(BoundedAttention, GradientsHaveGradients) {
  torch::manual_seed(1);
  const auto q = torch::randn({1, 2, 5, 3}), k = torch::randn({1, 2, 4, 3});
  const auto penalty = [&](const auto& attention) {
    const auto x = q.clone().requires_grad_(true);
    const auto slope = torch::autograd::grad({attention(x).pow(3).sum()}, {x},
                                             {}, true, true)[0];
    slope.square().sum().backward();
    return x.grad();
  };
  EXPECT_TRUE(torch::allclose(
      penalty([&](const auto& x) { return bounded_attention(x, k, k, 1); }),
      penalty([&](const auto& x) { return plain(x, k, k); }), 1e-4, 1e-5));
}

TEST(Heads, AreSplitAndMergedAgain) {
  const auto x = torch::arange(2 * 3 * 8, torch::kFloat).view({2, 3, 8});
  const auto heads = split_heads(x, 4);
  EXPECT_EQ(heads.sizes().vec(), (std::vector<int64_t>{2, 4, 3, 2}));
  EXPECT_EQ(heads[1][2][0][1].item<double>(), x[1][0][5].item<double>());
  EXPECT_TRUE(torch::equal(merge_heads(heads), x));
}

}  // namespace
}  // namespace calotype
