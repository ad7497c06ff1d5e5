// Alpha tables, timesteps and whole trajectories of the reference
// implementation (diffusers), for every configuration that the fixtures hold.
#include <gtest/gtest.h>
#include <torch/types.h>

#include "core/files.h"
#include "diffusion/samplers.h"
#include "diffusion/scheduler_config.h"
#include "nn/safetensors.h"
#include "tests/support/fixtures.h"

namespace calotype {
namespace {

const TensorFile& tensors() {
  static const auto file = read_safetensors(fixtures_folder() / "schedulers" /
                                            "schedulers.safetensors");
  return file;
}

Json groups() {
  const auto path = fixtures_folder() / "schedulers" / "schedulers.json";
  auto text = read_text_file(path);
  // Python writes infinities, which JSON does not have.
  const std::string infinity = "-Infinity";
  for (auto at = text.find(infinity); at != text.npos; at = text.find(infinity))
    text.replace(at, infinity.size(), "null");
  return parse_json(text, path.string());
}

// What the fixtures use for a network.
at::Tensor formula(const at::Tensor& sample, const at::Tensor& timestep,
                   double) {
  const auto shift = timestep.view({-1, 1, 1, 1}) * (0.1 / 1000);
  return (0.5 * sample).tanh() + shift;
}

void compare_trajectory(const std::string& name, const Json& group) {
  auto json = group.at("config");
  json["_class_name"] = group.at("cls");
  auto step_arguments = group.at("step_kwargs");
  const double eta = step_arguments.value("eta", 0.0);
  step_arguments.erase("eta");
  ASSERT_TRUE(step_arguments.empty()) << step_arguments;

  const auto config = parse_scheduler_config(json.dump(), name);
  const auto sampler =
      make_sampler(sampler_of(config), config.schedule,
                   group.at("steps").get<int64_t>(), {.eta = eta});
  EXPECT_NEAR(
      sampler->initial_sigma() / group.at("init_noise_sigma").get<double>(), 1,
      1e-6);
  const auto timesteps =
      tensors().tensors.at(name + ".timesteps").to(at::kDouble);
  // Those between timesteps of training come of a table of floats there.
  EXPECT_TRUE(
      torch::allclose(torch::tensor(sampler->timesteps(), torch::kDouble),
                      timesteps, 1e-5, 1e-2));

  const auto trajectory = tensors().tensors.at(name + ".trajectory");
  const auto noise = [&](int64_t i) {
    return tensors().tensors.at(name + ".noise")[i];
  };
  int64_t num_states = 0;
  WalkOptions options;
  options.on_step = [&](const SamplerProgress& progress) {
    EXPECT_TRUE(close_to_fixture(progress.state, trajectory[progress.index]))
        << "step " << progress.index;
    ++num_states;
  };
  run_sampler(*sampler,
              tensors().tensors.at("x_start") * sampler->initial_sigma(),
              formula, noise, options);
  EXPECT_EQ(num_states, trajectory.size(0));
}

TEST(SchedulerFixtures, AlphaTablesAgree) {
  const std::string prefix = "alphas_cumprod_";
  int num_tables = 0;
  for (const auto& [name, table] : tensors().tensors) {
    if (!name.starts_with(prefix)) continue;
    SCOPED_TRACE(name);
    ScheduleConfig config;
    config.beta_schedule = name.substr(prefix.size());
    config.num_train_timesteps = table.size(0);
    EXPECT_TRUE(
        close_to_fixture(NoiseSchedule(config).alphas_cumprod(), table));
    ++num_tables;
  }
  EXPECT_GT(num_tables, 0);
}

TEST(SchedulerFixtures, TimestepsAndTrajectoriesAgree) {
  int num_compared = 0;
  const auto all = groups();
  for (const auto& item : all.items()) {
    SCOPED_TRACE(item.key());
    compare_trajectory(item.key(), item.value());
    ++num_compared;
  }
  EXPECT_EQ(num_compared, 29);
}

}  // namespace
}  // namespace calotype
