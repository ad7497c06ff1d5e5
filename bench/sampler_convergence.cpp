// The error of deterministic samplers against the number of steps, on a mixture
// of Gaussians in the plane whose score is known exactly: a table, the order
// that each solver reaches, and an SVG.
#include <torch/utils.h>

#include "core/files.h"
#include "core/runtime.h"
#include "diffusion/samplers.h"
#include "report/line_chart.h"
#include "tests/diffusion/gaussian_mixture.h"

namespace calotype {
namespace {

struct Walk {
  std::string name;
  std::string sampler;
  ScheduleConfig schedule;
  std::vector<int64_t> step_counts;
};

std::vector<Walk> walks() {
  ScheduleConfig preserving;
  preserving.beta_schedule = "scaled_linear";
  ScheduleConfig flow;
  flow.prediction_type = "flow_prediction";
  ScheduleConfig edm;
  edm.prediction_type = "edm";
  edm.sigma_min = 0.02;
  edm.sigma_max = 20;
  edm.final_sigmas_type = "sigma_min";  // the step to 0 is of order 1 for all
  const std::vector<int64_t> counts = {8, 16, 32, 64, 128, 256};
  return {{"DDIM", "ddim", preserving, {8, 20, 40, 100, 200, 250}},
          {"Euler on a flow", "euler", flow, counts},
          {"Euler", "euler", edm, counts},
          {"Heun", "heun", edm, counts},
          {"DPM-Solver++ 2M", "dpmpp_2m", edm, counts},
          {"UniPC", "unipc", edm, counts}};
}

at::Tensor walked(const Walk& walk, int64_t num_steps,
                  const GaussianMixture& data, const at::Tensor& start) {
  const auto sampler = make_sampler(walk.sampler, walk.schedule, num_steps);
  return run_sampler(*sampler, start * sampler->initial_sigma(),
                     exact_network(walk.schedule, data),
                     [](int64_t) { return at::Tensor(); });
}

void run(const std::string& out) {
  torch::manual_seed(8);
  const GaussianMixture data{
      torch::tensor({{1.0, 0.5}, {-0.8, 0.9}, {-0.3, -1.1}, {0.6, -0.6}},
                    torch::kDouble),
      0.35};
  const auto start = torch::randn({1024, 2}, torch::kDouble);
  LineChart chart{.title = "Error against 1,000 steps of the same sampler",
                  .x_label = "steps",
                  .y_label = "root mean squared error",
                  .log_x = true,
                  .log_y = true};
  for (const auto& walk : walks()) {
    const auto reference = walked(walk, 1000, data, start);
    LineSeries line{.name = walk.name};
    fmt::print("{:16}", walk.name);
    for (const auto n : walk.step_counts) {
      line.x.push_back(double(n));
      line.y.push_back((walked(walk, n, data, start) - reference)
                           .square()
                           .mean()
                           .sqrt()
                           .item<double>());
      fmt::print("  {:4} {:.2e}", n, line.y.back());
    }
    // Few steps are far from the limit, many are near the reference's own
    // error: the middle tells the order.
    fmt::print("  order {:.2f}\n", std::log(line.y[1] / line.y[3]) /
                                       std::log(line.x[3] / line.x[1]));
    chart.series.push_back(line);
  }
  write_file_atomic(out, line_chart_svg(chart));
}

}  // namespace
}  // namespace calotype

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: sampler_convergence OUT.svg\n");
    return 2;
  }
  calotype::set_up_runtime({.device = "cpu"});
  try {
    calotype::run(argv[1]);
  } catch (const std::exception& error) {
    fmt::print(stderr, "sampler_convergence: {}\n", error.what());
    return 1;
  }
}
