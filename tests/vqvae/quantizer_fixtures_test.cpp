// What the reference implementation (vector-quantize-pytorch) computes: codes,
// losses, running means and gradients, of every group that the fixtures hold.
#include <gtest/gtest.h>
#include <torch/utils.h>

#include "core/config.h"
#include "core/files.h"
#include "nn/safetensors.h"
#include "tests/support/fixtures.h"
#include "vqvae/gradient_estimate.h"
#include "vqvae/nearest_code.h"
#include "vqvae/quantizer.h"

namespace calotype {
namespace {

const at::Tensor& tensor(const std::string& name) {
  static const auto file = read_safetensors(fixtures_folder() / "quantizers" /
                                            "quantizers.safetensors");
  return file.tensors.at(name);
}

Json groups() {
  return read_json_file(fixtures_folder() / "quantizers" / "quantizers.json");
}

at::Tensor vectors(const std::string& name) {
  return tensor(name).flatten(0, -2);
}

at::Tensor indices(const std::string& name, int64_t num_levels = 1) {
  return tensor(name).to(torch::kLong).reshape({-1, num_levels});
}

void set_codebook(Quantizer& quantizer, const at::Tensor& codes,
                  const std::string& prefix = "") {
  const torch::NoGradGuard no_grad;
  quantizer.named_buffers()[prefix + "embedding.weight"].copy_(codes);
  for (auto& [name, state] : quantizer.training_state())
    if (name == prefix + "sums") state.copy_(codes);
}

class RunningMeans : public testing::TestWithParam<const char*> {};

TEST_P(RunningMeans, FollowTheReferenceThroughThreeSteps) {
  const std::string group = GetParam();
  const auto given = groups().at(group);
  const bool is_cosine = given.value("use_cosine_sim", false);
  const auto codebook = tensor(group + ".codebook0")[0];
  const auto quantizer = make_quantizer(
      {.kind = is_cosine ? "cosine" : "ema",
       .num_codes = codebook.size(0),
       .commitment_weight = given.at("commitment_weight").get<double>(),
       .decay = given.at("decay").get<double>(),
       .kmeans_init = false,
       .restart_after = 0},
      codebook.size(1));
  set_codebook(*quantizer, codebook);
  for (int64_t step = 0; step < 3; ++step) {
    SCOPED_TRACE(step);
    const auto at = fmt::format("{}.step{}.", group, step);
    const QuantizerStep training{.seed = 1, .step = step};
    const auto result = quantizer->quantize(vectors(at + "x"), &training);
    EXPECT_TRUE(torch::equal(result.indices, indices(at + "indices")));
    EXPECT_TRUE(close_to_fixture(result.vectors, vectors(at + "quantized")));
    EXPECT_TRUE(close_to_fixture(result.loss.view({1}), tensor(at + "loss")));
    EXPECT_TRUE(close_to_fixture(quantizer->named_buffers()["embedding.weight"],
                                 tensor(at + "codebook_after")[0]));
    for (auto& [name, state] : quantizer->training_state()) {
      if (name != "sizes") continue;
      EXPECT_TRUE(
          close_to_fixture(state, tensor(at + "cluster_size_after")[0]));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, RunningMeans,
                         testing::Values("ema", "ema_cosine"));

class Gradients : public testing::TestWithParam<const char*> {};

TEST_P(Gradients, AreTheReferences) {
  const std::string group = GetParam();
  const auto inputs = vectors(group + ".x").clone().requires_grad_(true);
  const auto codebook = tensor(group + ".codebook")[0];
  const auto nearest = nearest_codes(inputs, codebook);
  EXPECT_TRUE(torch::equal(nearest.unsqueeze(1), indices(group + ".indices")));
  const auto output = with_gradient(group == "grad_rotation"
                                        ? GradientEstimate::kRotation
                                        : GradientEstimate::kStraightThrough,
                                    inputs, codebook.index_select(0, nearest));
  EXPECT_TRUE(close_to_fixture(output, vectors(group + ".quantized")));
  (output * vectors(group + ".w")).sum().backward();
  EXPECT_TRUE(close_to_fixture(inputs.grad(), vectors(group + ".grad_x")));
}

INSTANTIATE_TEST_SUITE_P(Fixtures, Gradients,
                         testing::Values("grad_ste", "grad_rotation"));

TEST(FiniteScalar, FollowsTheReference) {
  int num_groups = 0;
  const auto all = groups();
  for (const auto& [group, given] : all.items()) {
    if (!group.starts_with("fsq")) continue;
    SCOPED_TRACE(group);
    const auto levels = given.at("levels").get<std::vector<int64_t>>();
    const auto quantizer = make_quantizer({.kind = "fsq", .levels = levels},
                                          int64_t(levels.size()));
    const auto result = quantizer->quantize(vectors(group + ".x"), nullptr);
    EXPECT_TRUE(torch::equal(result.indices, indices(group + ".indices")));
    EXPECT_TRUE(
        close_to_fixture(result.vectors, vectors(group + ".quantized")));
    EXPECT_TRUE(close_to_fixture(quantizer->lookup(result.indices),
                                 vectors(group + ".quantized")));
    ++num_groups;
  }
  EXPECT_GT(num_groups, 0);
}

TEST(LookupFree, FollowsTheReference) {
  const auto given = groups().at("lfq");
  const auto inputs = vectors("lfq.x");
  const auto quantizer = make_quantizer(
      {.kind = "lfq",
       .num_codes = int64_t{1} << inputs.size(1),
       .commitment_weight = given.at("commitment_loss_weight").get<double>(),
       .entropy_weight = given.at("entropy_loss_weight").get<double>(),
       .diversity_gamma = given.at("diversity_gamma").get<double>(),
       .inv_temperature = given.at("inv_temperature").get<double>()},
      inputs.size(1));
  const auto result = quantizer->quantize(inputs, nullptr);
  EXPECT_TRUE(torch::equal(result.indices, indices("lfq.indices")));
  EXPECT_TRUE(close_to_fixture(result.vectors, vectors("lfq.quantized")));
  EXPECT_TRUE(close_to_fixture(quantizer->lookup(result.indices),
                               vectors("lfq.quantized")));
  EXPECT_TRUE(close_to_fixture(result.loss.view({1}), tensor("lfq.aux_loss")));
  const auto& want = given.at("breakdown");
  const std::map<std::string, const char*> names{
      {"sample_entropy", "per_sample_entropy"},
      {"batch_entropy", "batch_entropy"},
      {"commitment", "commitment"}};
  for (const auto& [name, value] : result.parts)
    EXPECT_TRUE(close_to_fixture(
        value, torch::tensor(want.at(names.at(name)).get<double>())))
        << name;
}

TEST(ResidualQuantizer, FollowsTheReference) {
  const auto codebooks = tensor("rvq.codebooks");
  const auto L = codebooks.size(0);
  const auto quantizer = make_quantizer(
      {.kind = "residual", .num_codes = codebooks.size(1), .num_quantizers = L},
      codebooks.size(2));
  for (int64_t i = 0; i < L; ++i)
    set_codebook(*quantizer, codebooks[i], fmt::format("layers.{}.", i));
  const auto result = quantizer->quantize(vectors("rvq.x"), nullptr);
  EXPECT_TRUE(torch::equal(result.indices, indices("rvq.indices", L)));
  EXPECT_TRUE(close_to_fixture(result.vectors, vectors("rvq.quantized")));
  EXPECT_TRUE(close_to_fixture(quantizer->lookup(result.indices),
                               vectors("rvq.quantized")));
}

}  // namespace
}  // namespace calotype
