#include "evaluation/report_parts.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

#include "datasets/image_source.h"
#include "outputs/apart.h"
#include "report/csv.h"
#include "report/line_chart.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

/// Rows "a.b.c", value of everything inside `json`.
void flatten(const Json& json, const std::string& prefix, ReportTable& table) {
  for (const auto& item : json.items()) {
    const auto key = prefix.empty() ? item.key() : prefix + "." + item.key();
    const auto& value = item.value();
    if (value.is_object())
      flatten(value, key, table);
    else
      table.rows.push_back({key, value.is_string() ? value.get<std::string>()
                                                   : json_text(value)});
  }
}

/// "nearest" and "3" of "nearest_3.png"; false for other files.
bool is_strip(const std::string& file) {
  const auto bar = file.find('_');
  if (bar == std::string::npos || !file.ends_with(".png")) return false;
  const auto name = file.substr(0, bar);
  const auto part = file.substr(bar + 1, file.size() - bar - 5);
  if (name == "images" || name == "reference" || name == "nearest")
    return !part.empty() && std::ranges::all_of(part, [](unsigned char c) {
      return std::isdigit(c);
    });
  return (name == "worst" || name == "median" || name == "best") &&
         (part == "originals" || part == "reconstructions" || part == "errors");
}

bool is_report_file(const std::string& file) {
  static constexpr std::array kNames = {
      "index.html",    "result.json", "measures.csv",       "images.csv",
      "examples.json", "psnr.svg",    "rate_distortion.svg"};
  return std::ranges::find(kNames, file) != kNames.end() || is_strip(file);
}

}  // namespace

Json evaluation_settings(const EvaluateJob& job) {
  Json lpips = Json::array();
  for (const auto& file : job.lpips) lpips.push_back(file.string());
  return {{"model", job.model.string()},
          {"data", job.data},
          {"reference", job.reference},
          {"preprocessing", write_config(job.preprocessing)},
          {"dtype", job.dtype},
          {"rounding", job.rounding},
          {"lpips", lpips},
          {"features", job.features},
          {"beside", job.beside},
          {"beside_images", job.beside_images},
          {"importance_samples", job.importance_samples},
          {"binarize", job.binarize},
          {"jacobian_probes", job.jacobian_probes},
          {"manifold_samples", job.manifold_samples},
          {"nearest", job.nearest},
          {"cas", job.cas},
          {"seed", job.seed}};
}

OutputFolder report_folder(const EvaluateJob& job) {
  expect_apart(job.report,
               {path_of_source(job.data), path_of_source(job.reference),
                path_of_source(job.cas)},
               {job.model, job.features});
  return OutputFolder(job.report,
                      {.command = "evaluate",
                       .settings = evaluation_settings(job),
                       .makes = is_report_file},
                      job.fresh);
}

std::string shown_number(const Json& value, int digits) {
  if (!value.is_number()) return "–";
  if (value.is_number_integer()) return value.dump();
  const auto number = value.get<double>();
  if (number == 0 || !std::isfinite(number)) return fmt::format("{}", number);
  const int before = int(std::floor(std::log10(std::abs(number)))) + 1;
  const int after = std::max(0, digits - before);
  return after > 9 ? fmt::format("{:.{}e}", number, digits - 1)
                   : fmt::format("{:.{}f}", number, after);
}

std::string shown_interval(const Json& result, const std::string& key) {
  const auto intervals = result.value("intervals", Json::object());
  if (!intervals.contains(key)) return "";
  const auto& ends = intervals[key];
  return shown_number(ends[0]) + " to " + shown_number(ends[1]);
}

void add_measures(HtmlReport& report, const Json& result,
                  const std::vector<Measure>& measures) {
  ReportTable table{.headings = {"Measure", "Value", "95 % interval", "Note"}};
  for (const auto& measure : measures)
    if (const auto value = result.value(measure.key, Json()); value.is_number())
      table.rows.push_back({measure.name, shown_number(value),
                            shown_interval(result, measure.key), measure.note});
  report.table(table);
  if (result.contains("note"))
    report.paragraph("Note: " + result["note"].get<std::string>() + ".");
}

std::string measures_csv(const Json& result,
                         const std::vector<Measure>& measures) {
  std::string text = "measure,value,low,high\n";
  const auto field = [](const Json& value) {
    return value.is_number() ? fmt::format("{:.8g}", value.get<double>()) : "";
  };
  for (const auto& measure : measures)
    if (const auto value = result.value(measure.key, Json());
        value.is_number()) {
      const auto interval = result["intervals"].value(
          measure.key, Json::array({nullptr, nullptr}));
      text += fmt::format("{},{},{},{}\n", csv_field(measure.key), field(value),
                          field(interval[0]), field(interval[1]));
    }
  return text;
}

std::string frechet_course_svg(const Json& result) {
  LineSeries course{.name = "measured"};
  for (const auto& point : result["frechet_by_count"]) {
    course.x.push_back(point[0].get<double>());
    course.y.push_back(point[1].get<double>());
  }
  LineChart chart;
  chart.x_label = "images";
  chart.y_label = "Fréchet distance";
  chart.series = {course};
  if (const auto end = result["frechet_distance_extrapolated"]; end.is_number())
    chart.series.push_back({.name = "extrapolated to infinitely many",
                            .x = {course.x.front(), course.x.back()},
                            .y = {end.get<double>(), end.get<double>()}});
  chart.log_x = true;
  return line_chart_svg(chart);
}

void add_protocol_section(HtmlReport& report, const Json& result) {
  report.section("Protocol");
  report.paragraph(
      "What these numbers depend on. Numbers of another protocol do not "
      "compare with them; calotype evaluate --compare refuses to.");
  ReportTable table{.headings = {"Setting", "Value"}};
  flatten(result["subject"], "subject", table);
  flatten(result["protocol"], "", table);
  report.table(table);
}

}  // namespace calotype
