#include "training/loss_curves.h"

#include "core/files.h"
#include "training/line_chart.h"

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

void write_loss_curves(const RunFolder& run) {
  if (!std::filesystem::exists(run.metrics_file())) return;
  write_file_atomic(run.path() / "curves.svg",
                    loss_curves_svg(run.metrics_file()));
  if (const auto codebook = codebook_curves_svg(run.metrics_file());
      !codebook.empty())
    write_file_atomic(run.path() / "codebook.svg", codebook);
}

}  // namespace calotype
