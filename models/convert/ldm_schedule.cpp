#include "models/convert/ldm_schedule.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>
#include <string>
#include <vector>

#include "core/note.h"
#include "diffusion/schedule.h"

namespace calotype {
namespace {

/// Half precision keeps eleven bits.
constexpr double kSameBetas = 1e-3;

/// The names of the project and of diffusers.
struct ScheduleName {
  const char* theirs;
  const char* ours;
};
constexpr ScheduleName kNames[] = {
    {"linear", "scaled_linear"},  // the roots of its betas are evenly spaced
    {"sqrt_linear", "linear"},
    {"cosine", "squaredcos_cap_v2"}};

at::Tensor betas_of(const ScheduleConfig& config) {
  const auto alphas_bar =
      NoiseSchedule(config).alphas_cumprod().to(at::kDouble);
  const auto before =
      at::cat({at::ones({1}, at::kDouble), alphas_bar.slice(0, 0, -1)});
  return 1 - alphas_bar / before;
}

bool are_same(const ScheduleConfig& config, const at::Tensor& betas) {
  if (betas.numel() != config.num_train_timesteps) return false;
  const auto want = betas_of(config);
  // Products of floats, taken apart, are off by as much as a float is.
  return ((betas.to(at::kDouble) - want).abs() <= kSameBetas * want + 1e-6)
      .all()
      .item<bool>();
}

std::string prediction_type(const ConvertContext& context,
                            const Json& arguments) {
  const auto said = value_at(arguments, {"parameterization"});
  if (said.is_null() || said == "eps") return "epsilon";
  if (said == "x0") return "sample";
  if (said == "v") return "v_prediction";
  refuse_variant(context, "whose network answers " + json_text(said) +
                              " (parameterization)");
}

/// The shortest number that a tensor of this type keeps as this one.
double shortest(const at::Tensor& number) {
  const auto value = number.item<double>();
  for (int digits = 1; digits < 17; ++digits) {
    const auto shorter = std::stod(fmt::format("{:.{}g}", value, digits));
    if (at::scalar_tensor(shorter, at::kDouble)
            .to(number.scalar_type())
            .item<double>() == value)
      return shorter;
  }
  return value;
}

/// The formula whose betas these are, or they themselves.
void take_from_betas(const ConvertContext& context, const at::Tensor& betas,
                     ScheduleConfig& schedule) {
  schedule.num_train_timesteps = betas.numel();
  schedule.beta_start = shortest(betas[0]);
  schedule.beta_end = shortest(betas[-1]);
  for (const auto& [theirs, ours] : kNames) {
    schedule.beta_schedule = ours;
    if (!are_same(schedule, betas)) continue;
    note(fmt::format(
        "{}: no configuration says its schedule; its betas are {} "
        "from {} to {}",
        context.where, ours, schedule.beta_start, schedule.beta_end));
    return;
  }
  const auto numbers = betas.to(at::kDouble).contiguous();
  const auto* first = numbers.data_ptr<double>();
  schedule.beta_schedule = "linear";
  schedule.trained_betas = std::vector<double>(first, first + numbers.numel());
  note(context.where +
       ": its betas follow no formula that is known and are kept one by one");
}

void take_from_arguments(const ConvertContext& context, const Json& arguments,
                         ScheduleConfig& schedule) {
  const auto where = context.project_where();
  const auto said = value_at(arguments, {"beta_schedule"});
  const std::string name = said.is_string() ? said : "linear";
  std::string ours;
  for (const auto& known : kNames)
    if (name == known.theirs) ours = known.ours;
  if (ours.empty()) refuse_variant(context, "with a beta_schedule " + name);
  schedule.beta_schedule = ours;
  schedule.num_train_timesteps =
      whole_at(arguments, {"timesteps"}, where).value_or(1000);
  schedule.beta_start =
      number_at(arguments, {"linear_start"}, where).value_or(1e-4);
  schedule.beta_end =
      number_at(arguments, {"linear_end"}, where).value_or(2e-2);
}

}  // namespace

SchedulerConfig convert_ldm_schedule(const ConvertContext& context,
                                     const Json& arguments, SourcePart part) {
  SchedulerConfig config{.class_name = "DDIMScheduler"};
  auto& schedule = config.schedule;
  schedule.prediction_type = prediction_type(context, arguments);
  schedule.steps_offset = 1;
  schedule.set_alpha_to_one = false;
  const bool has_betas = part.has("betas");
  const auto betas = has_betas ? part.take("betas") : at::Tensor();
  if (has_betas &&
      (betas.dim() != 1 || betas.numel() == 0 || !betas.is_floating_point()))
    throw DataError(context.where + ": betas must be a row of numbers");
  if (context.project.is_there()) {
    take_from_arguments(context, arguments, schedule);
    config.validate();
    if (has_betas && !are_same(schedule, betas))
      throw ConfigError(fmt::format(
          "{}: linear_start, linear_end and timesteps do not give the betas of "
          "{}; name the model's own configuration with --config",
          context.project_where(), context.where));
  } else if (has_betas) {
    take_from_betas(context, betas, schedule);
    config.validate();
  } else {
    throw ConfigError(context.where +
                      ": its schedule is not in the file; name the project's "
                      "configuration with --config");
  }
  return config;
}

}  // namespace calotype
