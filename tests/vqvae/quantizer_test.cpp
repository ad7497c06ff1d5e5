#include "vqvae/quantizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/utils.h>

#include "core/error.h"
#include "vqvae/bit_codes.h"
#include "vqvae/codebook.h"
#include "vqvae/gradient_estimate.h"
#include "vqvae/nearest_code.h"

namespace calotype {
namespace {

using testing::HasSubstr;

constexpr int64_t kDim = 6;

std::vector<QuantizerConfig> all_kinds() {
  std::vector<QuantizerConfig> kinds;
  for (const char* kind :
       {"learned", "ema", "cosine", "simvq", "lfq", "bsq", "residual"})
    kinds.push_back({.kind = kind, .num_codes = 64});
  kinds.push_back({.kind = "fsq", .levels = {4, 4, 4}});
  kinds.push_back({.kind = "cosine", .num_codes = 64, .code_dim = 3});
  return kinds;
}

std::string quantizer_refusal(const QuantizerConfig& config) {
  try {
    make_quantizer(config, kDim);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Quantizer, LookupGivesTheCodesBack) {
  torch::manual_seed(2);
  const auto x = torch::randn({50, kDim});
  for (const auto& config : all_kinds()) {
    SCOPED_TRACE(config.kind);
    const auto quantizer = make_quantizer(config, kDim);
    const auto result = quantizer->quantize(x, nullptr);
    EXPECT_EQ(result.vectors.sizes(), x.sizes());
    EXPECT_EQ(result.indices.size(1), quantizer->num_levels());
    EXPECT_LT(result.indices.max().item<int64_t>(), quantizer->num_codes());
    EXPECT_TRUE(torch::allclose(quantizer->lookup(result.indices),
                                result.vectors, 1e-4, 1e-5));
  }
}

TEST(Quantizer, InputsGetAGradientAndSoDoLearnedParts) {
  torch::manual_seed(3);
  for (const auto& config : all_kinds()) {
    SCOPED_TRACE(config.kind);
    const auto quantizer = make_quantizer(config, kDim);
    const auto x = torch::randn({50, kDim}).requires_grad_(true);
    const QuantizerStep training{.seed = 1};
    const auto result = quantizer->quantize(x, &training);
    (result.vectors.sum() + result.loss).backward();
    EXPECT_GT(x.grad().abs().max().item<double>(), 0);
    for (const auto& parameter : quantizer->named_parameters())
      EXPECT_TRUE(parameter.value().grad().defined()) << parameter.key();
  }
}

TEST(Quantizer, OneStepIsAFunctionOfItsName) {
  torch::manual_seed(4);
  const auto x = torch::randn({200, kDim});
  for (const auto& config : all_kinds()) {
    SCOPED_TRACE(config.kind);
    at::Tensor first;
    for (int run = 0; run < 2; ++run) {
      torch::manual_seed(9);
      const auto quantizer = make_quantizer(config, kDim);
      const QuantizerStep training{.seed = 7, .step = 3};
      quantizer->quantize(x, &training);
      const auto codes = quantizer->quantize(x, nullptr).vectors.detach();
      if (run == 0) first = codes;
      EXPECT_TRUE(torch::equal(codes, first));
    }
  }
}

TEST(Quantizer, RefusesWhatCannotBe) {
  EXPECT_THAT(quantizer_refusal({.kind = "nearest"}), HasSubstr("kind"));
  EXPECT_THAT(quantizer_refusal({.kind = "lfq", .num_codes = 100}),
              HasSubstr("power of 2, got 100"));
  EXPECT_THAT(quantizer_refusal({.kind = "ema", .legacy_beta = true}),
              HasSubstr("needs kind learned"));
  EXPECT_THAT(quantizer_refusal({.kind = "fsq", .levels = {1}}),
              HasSubstr("levels"));
}

TEST(Quantizer, RefusesCodesOutsideTheCodebook) {
  const auto quantizer = make_quantizer({.num_codes = 8}, kDim);
  for (const int64_t code : {-1, 8}) {
    try {
      quantizer->lookup(torch::full({1, 1}, code, torch::kLong));
      FAIL();
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(),
                  HasSubstr("is outside the codebook of 8 codes"));
    }
  }
}

TEST(LearnedCodebook, WeighsTheTermThatIsAskedFor) {
  torch::manual_seed(5);
  const auto x = torch::randn({20, kDim}).requires_grad_(true);
  const auto gradient_at_input = [&](bool legacy) {
    torch::manual_seed(6);
    const auto quantizer = make_quantizer({.kind = "learned",
                                           .num_codes = 8,
                                           .commitment_weight = 0.25,
                                           .legacy_beta = legacy},
                                          kDim);
    return torch::autograd::grad({quantizer->quantize(x, nullptr).loss},
                                 {x})[0];
  };
  EXPECT_TRUE(
      torch::allclose(gradient_at_input(true), 4 * gradient_at_input(false)));
}

TEST(BitEntropies, AreThoseOfTheWholeTable) {
  torch::manual_seed(6);
  const auto logits = 3 * torch::randn({7, 5}, torch::kDouble);
  const auto signs =
      indices_to_signs(torch::arange(32).unsqueeze(1), 5).to(torch::kDouble);
  // log p(c) up to a constant: half the logit for +1, minus half for -1.
  const auto table = (logits.matmul(signs.t()) / 2).softmax(1);
  const auto entropy = [](const at::Tensor& p) {
    return -(p * p.log()).sum(-1);
  };
  const auto got = bit_entropies(logits);
  EXPECT_NEAR(got.per_sample.item<double>(),
              entropy(table).mean().item<double>(), 1e-9);
  EXPECT_NEAR(got.over_batch.item<double>(),
              entropy(table.mean(0)).item<double>(), 1e-9);
}

TEST(BitCodes, HighestBitIsTheFirst) {
  const auto signs = torch::tensor({{1.f, -1.f, -1.f}, {-1.f, 1.f, 1.f}});
  const auto indices = bits_to_indices(signs);
  EXPECT_TRUE(torch::equal(indices, torch::tensor({{4}, {3}})));
  EXPECT_TRUE(torch::equal(indices_to_signs(indices, 3), signs));
}

TEST(KMeans, FindsCentresThatAreFarApart) {
  torch::manual_seed(7);
  const auto centres = 100 * torch::randn({4, 3});
  const auto x = centres.repeat({50, 1}) + 0.01 * torch::randn({200, 3});
  // From any start each centre's error can only fall; with one of each cluster
  // drawn first, it is found exactly.
  const auto found = kmeans(x, 40, {.seed = 1, .step = 0});
  const auto nearest = found.index_select(0, nearest_codes(x, found));
  EXPECT_LT((nearest - x).square().mean().item<double>(), 1e-3);
}

TEST(KMeans, MakesDoWithFewerVectorsThanCodes) {
  torch::manual_seed(8);
  const auto x = torch::randn({5, 3});
  const auto found = kmeans(x, 20, {.seed = 1, .step = 0});
  EXPECT_EQ(found.size(0), 20);
  EXPECT_TRUE(found.isfinite().all().item<bool>());
}

TEST(Restart, GivesIdleCodesAVectorOfTheBatch) {
  torch::manual_seed(9);
  const auto quantizer = make_quantizer(
      {.kind = "ema", .num_codes = 4, .kmeans_init = false, .restart_after = 3},
      2);
  auto codes = quantizer->named_buffers()["embedding.weight"];
  codes.copy_(torch::tensor(
      {{0.f, 0.f}, {100.f, 100.f}, {200.f, 200.f}, {300.f, 300.f}}));
  for (auto& [name, state] : quantizer->training_state())
    if (name == "sums") state.copy_(codes);
  const auto x = torch::randn({30, 2});
  for (int64_t step = 0; step < 3; ++step) {
    const QuantizerStep training{.seed = 1, .step = step};
    EXPECT_GT(codes[3][0].item<float>(), 100) << "too early";
    quantizer->quantize(x, &training);
  }
  EXPECT_LT(codes.abs().max().item<float>(), 10);
  const auto used =
      std::get<0>(torch::_unique(quantizer->quantize(x, nullptr).indices));
  EXPECT_GT(used.numel(), 1);
}

// Codes 0 and 1 far away from all vectors.
TEST(Restart, CountsStepsAndNotTheBatchesOfAStep) {
  CodebookCare care({.restart_after = 3}, 4);
  const auto used = torch::tensor({2, 3});
  for (int64_t step = 0; step < 2; ++step)
    for (int64_t batch = 0; batch < 4; ++batch)
      EXPECT_EQ(care.find_dead(used, step).numel(), 0) << step;
  EXPECT_TRUE(torch::equal(care.find_dead(used, 2), torch::tensor({0, 1})));
  EXPECT_EQ(care.find_dead(used, 2).numel(), 0);
}

TEST(Restart, SeesWhatALaterBatchOfAStepHasUsed) {
  CodebookCare care({.restart_after = 2}, 2);
  for (int64_t step = 0; step < 6; ++step) {
    EXPECT_EQ(care.find_dead(torch::tensor({0}), step).numel(), 0);
    care.find_dead(torch::tensor({1}), step);
  }
}

TEST(Rotation, KeepsTheAngleBetweenGradientAndVector) {
  torch::manual_seed(10);
  const auto x = torch::randn({40, 5}).requires_grad_(true);
  const auto codes = torch::randn({40, 5});
  const auto gradient = torch::randn({40, 5});
  const auto output = with_gradient(GradientEstimate::kRotation, x, codes);
  EXPECT_TRUE(torch::allclose(output, codes, 1e-5, 1e-6));
  output.backward(gradient);
  const auto cosine = [](const at::Tensor& a, const at::Tensor& b) {
    return torch::cosine_similarity(a, b, 1);
  };
  EXPECT_TRUE(torch::allclose(cosine(x.grad(), x.detach()),
                              cosine(gradient, codes), 1e-3, 1e-4));
}

TEST(Rotation, IsStraightThroughWhereThereIsNoDirection) {
  const auto x = torch::zeros({1, 3}).requires_grad_(true);
  const auto output =
      with_gradient(GradientEstimate::kRotation, x, torch::ones({1, 3}));
  output.sum().backward();
  EXPECT_TRUE(torch::equal(x.grad(), torch::ones({1, 3})));
}

}  // namespace
}  // namespace calotype
