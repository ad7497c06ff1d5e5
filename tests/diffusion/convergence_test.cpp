// Samplers against data whose score is known exactly: how fast their error
// falls with the number of steps, and whether what they draw is distributed as
// the data is.
#include <gtest/gtest.h>

#include "diffusion/samplers.h"
#include "tests/diffusion/gaussian_mixture.h"

namespace calotype {
namespace {

GaussianMixture four_in_the_plane() {
  return {torch::tensor({{1.0, 0.5}, {-0.8, 0.9}, {-0.3, -1.1}, {0.6, -0.6}},
                        torch::kDouble),
          0.35};
}

at::Tensor no_noise(int64_t) {
  throw std::logic_error("a deterministic sampler asked for noise");
}

at::Tensor walked(const char* sampler_name, const ScheduleConfig& config,
                  int64_t num_steps, const at::Tensor& start) {
  const auto sampler = make_sampler(sampler_name, config, num_steps);
  return run_sampler(*sampler, start * sampler->initial_sigma(),
                     exact_network(config, four_in_the_plane()), no_noise);
}

/// The slope of log(error) against log(steps), negated.
double measured_order(const char* sampler_name, const ScheduleConfig& config,
                      const std::vector<int64_t>& step_counts) {
  torch::manual_seed(8);
  const auto start = torch::randn({256, 2}, torch::kDouble);
  const auto reference = walked(sampler_name, config, 1000, start);
  std::vector<double> errors;
  for (const auto n : step_counts)
    errors.push_back((walked(sampler_name, config, n, start) - reference)
                         .square()
                         .mean()
                         .sqrt()
                         .item<double>());
  return std::log(errors.front() / errors.back()) /
         std::log(double(step_counts.back()) / double(step_counts.front()));
}

ScheduleConfig edm_levels() {
  ScheduleConfig config;
  config.prediction_type = "edm";
  config.sigma_min = 0.02;
  config.sigma_max = 20;
  config.final_sigmas_type = "sigma_min";  // the last step to 0 is of order 1
  return config;
}

TEST(Convergence, EulerIsOfFirstOrder) {
  EXPECT_NEAR(measured_order("euler", edm_levels(), {20, 40, 80}), 1, 0.25);
}

TEST(Convergence, HeunIsOfSecondOrder) {
  EXPECT_NEAR(measured_order("heun", edm_levels(), {20, 40, 80}), 2, 0.3);
}

TEST(Convergence, DpmSolverIsOfSecondOrder) {
  EXPECT_NEAR(measured_order("dpmpp_2m", edm_levels(), {20, 40, 80}), 2, 0.3);
}

TEST(Convergence, UniPcIsOfSecondOrderOrMore) {
  EXPECT_GT(measured_order("unipc", edm_levels(), {20, 40, 80}), 1.7);
}

TEST(Convergence, DdimIsOfFirstOrder) {
  ScheduleConfig config;
  config.beta_schedule = "scaled_linear";
  EXPECT_NEAR(measured_order("ddim", config, {10, 20, 40}), 1, 0.25);
}

TEST(Convergence, EulerOnAFlowIsOfFirstOrder) {
  ScheduleConfig config;
  config.prediction_type = "flow_prediction";
  EXPECT_NEAR(measured_order("euler", config, {20, 40, 80}), 1, 0.25);
}

// Mean distance of all pairs of rows.
double mean_distance(const at::Tensor& a, const at::Tensor& b) {
  return torch::cdist(a, b).mean().item<double>();
}

// Székely and Rizzo, "Energy statistics", 2013: 0 for equal distributions.
double energy_distance(const at::Tensor& a, const at::Tensor& b) {
  return 2 * mean_distance(a, b) - mean_distance(a, a) - mean_distance(b, b);
}

// Eight Gaussians on a circle of radius 1.4, a hard set for few steps. What is
// drawn must be as far from fresh data as other data is.
TEST(Convergence, EverySamplerDrawsTheEightGaussians) {
  std::vector<double> angles;
  GaussianMixture data;
  for (int k = 0; k < 8; ++k)
    for (const double phase : {0.0, -M_PI / 2})
      angles.push_back(1.4 * std::cos(k * M_PI / 4 + phase));
  data.means = torch::tensor(angles, torch::kDouble).view({8, 2});
  constexpr int64_t kCount = 2000;
  torch::manual_seed(4);
  const auto real = data.draw(kCount);
  double sampling_error = 0;
  for (int i = 0; i < 20; ++i)
    sampling_error =
        std::max(sampling_error, energy_distance(data.draw(kCount), real));

  const auto noise = [](int64_t) {
    return torch::randn({kCount, 2}, torch::kDouble);
  };
  const auto of_type = [](const char* type) {
    ScheduleConfig config;
    config.prediction_type = type;
    return config;
  };
  for (const auto* type : {"epsilon", "v_prediction", "flow_prediction", "edm"})
    for (const auto& name : sampler_names(of_type(type))) {
      auto config = of_type(type);
      config.timestep_spacing = "trailing";
      const bool stochastic =
          name == "ddpm" || name == "euler_ancestral" || name == "dpmpp_2m_sde";
      const auto sampler = make_sampler(name, config, stochastic ? 500 : 100);
      const auto start = noise(0) * sampler->initial_sigma();
      const auto drawn =
          run_sampler(*sampler, start, exact_network(config, data), noise);
      EXPECT_LT(energy_distance(drawn, real), sampling_error)
          << name << ' ' << type;
    }
}

}  // namespace
}  // namespace calotype
