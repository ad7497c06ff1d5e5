#include "training/loss_curves.h"

#include <algorithm>
#include <cmath>

#include "core/files.h"
#include "report/line_chart.h"
#include "training/level_bins.h"

namespace calotype {
namespace {

LineSeries series(const std::vector<Json>& lines, const char* key,
                  const char* name) {
  LineSeries out{.name = name};
  for (const auto& line : lines) {
    if (!line.contains(key) || !line[key].is_number()) continue;
    out.x.push_back(line["step"].get<double>());
    out.y.push_back(line[key].get<double>());
  }
  return out;
}

/// The lines that have `key`.
std::vector<Json> lines_with(const std::vector<Json>& lines, const char* key) {
  std::vector<Json> found;
  for (const auto& line : lines)
    if (line.contains(key) && line[key].is_array()) found.push_back(line);
  return found;
}

/// The first and the last, and between them those nearest to a quarter and a
/// half of the steps.
std::vector<Json> moments_of(const std::vector<Json>& lines) {
  std::vector<Json> picked;
  const auto step_of = [](const Json& line) {
    return line["step"].get<double>();
  };
  const double end = step_of(lines.back());
  for (const double step : {0.0, end / 4, end / 2, end}) {
    const auto nearest = std::ranges::min(lines, {}, [&](const Json& line) {
      return std::abs(step_of(line) - step);
    });
    if (picked.empty() || step_of(nearest) > step_of(picked.back()))
      picked.push_back(nearest);
  }
  return picked;
}

/// The means of the bins over their middles.
LineSeries noise_series(const Json& line, const char* key) {
  LineSeries out{.name = fmt::format("step {}", line["step"].get<int64_t>())};
  const auto& means = line[key];
  for (size_t bin = 0; bin < means.size(); ++bin) {
    out.x.push_back((double(bin) + 0.5) / double(means.size()));
    out.y.push_back(means[bin].is_number() ? means[bin].get<double>()
                                           : std::nan(""));
  }
  return out;
}

}  // namespace

std::string loss_curves_svg(const std::filesystem::path& metrics_file) {
  const auto lines = read_metrics(metrics_file);
  LineChart chart{.title = "Loss", .x_label = "steps", .log_y = true};
  chart.series.push_back(series(lines, "loss", "training"));
  const auto validation = series(lines, "val_loss", "validation");
  if (!validation.x.empty()) chart.series.push_back(validation);
  return line_chart_svg(chart);
}

std::string codebook_curves_svg(const std::filesystem::path& metrics_file) {
  const auto lines = read_metrics(metrics_file);
  const LineChart chart{.title = "Codebook",
                        .x_label = "steps",
                        .y_label = "codes",
                        .series = {series(lines, "perplexity", "perplexity"),
                                   series(lines, "dead_codes", "dead codes")}};
  return chart.series[0].x.empty() ? "" : line_chart_svg(chart);
}

std::string noise_curves_svg(const std::filesystem::path& metrics_file) {
  const auto all = read_metrics(metrics_file);
  const char* key = "val_loss_by_noise";
  auto lines = lines_with(all, key);
  const bool held_out = !lines.empty();
  if (!held_out) lines = lines_with(all, key = "loss_by_noise");
  if (lines.empty()) return "";
  LineChart chart{.title = held_out ? "Validation loss by noise level"
                                    : "Training loss by noise level",
                  .y_label = "mean squared error of the clean sample",
                  .log_y = true,
                  .unit_x = true,
                  .stages = true,
                  .height = 400};
  chart.x_label = fmt::format("{}, from clean to noise",
                              lines.back().value("noise_level", ""));
  for (const auto& line : moments_of(lines))
    chart.series.push_back(noise_series(line, key));
  return line_chart_svg(chart);
}

void write_loss_curves(const RunFolder& run) {
  if (!std::filesystem::exists(run.metrics_file())) return;
  write_file_atomic(run.path() / "curves.svg",
                    loss_curves_svg(run.metrics_file()));
  if (const auto codebook = codebook_curves_svg(run.metrics_file());
      !codebook.empty())
    write_file_atomic(run.path() / "codebook.svg", codebook);
  if (const auto by_noise = noise_curves_svg(run.metrics_file());
      !by_noise.empty())
    write_file_atomic(run.path() / "loss_by_noise.svg", by_noise);
}

}  // namespace calotype
