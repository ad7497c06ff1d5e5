#include "tools/project.h"

#include <torch/utils.h>

#include "core/error.h"
#include "core/files.h"
#include "evaluation/image_pass.h"
#include "metrics/moments.h"
#include "models/codec.h"
#include "models/round_trip.h"
#include "outputs/apart.h"
#include "outputs/folder_files.h"
#include "report/line_chart.h"
#include "report/skipped.h"

namespace calotype {
namespace {

constexpr int64_t kMaxNumbers = 8192;  // of a code whose covariance is taken

/// A series for each class that is there, and one for images without.
std::vector<LineSeries> dots_by_class(const at::Tensor& points,
                                      const at::Tensor& labels,
                                      const std::vector<std::string>& names) {
  std::vector<LineSeries> series(names.size() + 1);
  for (size_t i = 0; i < series.size(); ++i) {
    series[i].name = i < names.size() ? names[i] : "no class";
    series[i].dots = true;
  }
  for (int64_t i = 0; i < points.size(0); ++i) {
    const auto label = labels[i].item<int64_t>();
    const bool known = label >= 0 && label < int64_t(names.size());
    auto& its = series[known ? size_t(label) : names.size()];
    its.x.push_back(points[i][0].item<double>());
    its.y.push_back(points[i][1].item<double>());
  }
  std::erase_if(series, [](const LineSeries& s) { return s.x.empty(); });
  return series;
}

}  // namespace

Json project(const ProjectJob& given) {
  auto job = given;
  expect_other_than(job.out, {path_of_source(job.data), job.codec});
  expect_own_text(job.out, "calotype-chart");
  const auto codec = load_codec(job.codec, job.device);
  fit_preprocessing(codec, job.preprocessing);
  const std::shared_ptr<const ImageSource> source =
      open_source(job.data, job.preprocessing);
  const torch::InferenceMode inference;
  Moments moments;
  std::vector<at::Tensor> codes, labels;
  const auto pass = for_each_batch(
      job, "project", source, job.limit, [&](const ImageBatch& batch) {
        codes.push_back(encode_images(*codec.codec, batch.images, job.device)
                            .mean.flatten(1)
                            .to(torch::kCPU));
        if (codes.back().size(1) != codes.front().size(1))
          throw ConfigError(job.data +
                            ": images of different sizes have codes of "
                            "different lengths; choose one --size for all");
        if (codes.back().size(1) > kMaxNumbers)
          throw ConfigError(fmt::format(
              "project: codes of up to {} numbers can be drawn, got {}; choose "
              "a smaller --size",
              kMaxNumbers, codes.back().size(1)));
        moments.add(codes.back());
        labels.push_back(batch.labels);
      });
  if (moments.count() < 3)
    throw DataError(fmt::format("{}: at least 3 images are needed, got {}",
                                job.data, moments.count()));
  const auto all = torch::cat(codes);
  const bool is_plane = all.size(1) == 2;
  at::Tensor points;
  Json result{{"picture", job.out.string()}, {"images", pass.num_images}};
  LineChart chart{
      .title = source->spec(), .plane = true, .width = 760, .height = 640};
  if (is_plane || all.size(1) == 1) {
    points =
        is_plane
            ? all.to(torch::kDouble)
            : torch::cat({all, torch::zeros_like(all)}, 1).to(torch::kDouble);
    chart.x_label = "z0";
    chart.y_label = is_plane ? "z1" : "";
  } else {
    const auto plane = principal_components(moments, 2);
    points = plane.project(all);
    const auto share = [&](int64_t i) {
      return plane.total_variance > 0
                 ? plane.variances[i].item<double>() / plane.total_variance
                 : 0.0;
    };
    chart.x_label = fmt::format("first component, {:.1f} % of the variance",
                                100 * share(0));
    chart.y_label = fmt::format("second component, {:.1f} %", 100 * share(1));
    result["explained_variance"] = {share(0), share(1)};
  }
  chart.series =
      dots_by_class(points, torch::cat(labels), source->class_names());
  write_file_atomic(job.out, line_chart_svg(chart));
  report_skipped(result, pass.skipped, pass.notes);
  return result;
}

}  // namespace calotype
