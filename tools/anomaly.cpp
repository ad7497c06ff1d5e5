#include "tools/anomaly.h"

#include <torch/utils.h>

#include <algorithm>

#include "core/check.h"
#include "core/error.h"
#include "core/files.h"
#include "datasets/class_list.h"
#include "evaluation/image_pass.h"
#include "images/png_recipe.h"
#include "metrics/distortion.h"
#include "metrics/roc.h"
#include "models/codec.h"
#include "models/round_trip.h"
#include "outputs/apart.h"
#include "outputs/image_files.h"
#include "outputs/output_folder.h"
#include "report/csv.h"
#include "report/heat_map.h"
#include "report/result_text.h"
#include "report/skipped.h"

namespace calotype {
namespace {

constexpr int64_t kPanels = 3;          // original, reconstruction, error
constexpr int64_t kHeatMapsPerRow = 4;  // images of three panels

struct Scored {
  double score = 0;
  int64_t label = -1;
  std::string row;  // index, name, class
};

struct Picture {
  double score = 0;
  at::Tensor original, decoded;  // [C,H,W]
};

double score_of(const ImageDistortion& d, const std::string& kind) {
  if (kind == "mae") return d.mae;
  if (kind == "ssim") return 1 - d.ssim;
  return d.mse;
}

/// Labels of the classes that --anomalous names.
std::vector<int64_t> parse_anomalous(const std::string& text,
                                     const std::vector<std::string>& known) {
  std::vector<int64_t> labels;
  for (const auto& part : parse_class_list(text, known)) {
    const auto found = std::find(known.begin(), known.end(), part);
    if (found == known.end())
      throw ConfigError(fmt::format(
          "anomaly: --anomalous names \"{}\", the classes are {}", part,
          known.empty() ? "none" : fmt::format("{}", fmt::join(known, ", "))));
    labels.push_back(found - known.begin());
  }
  return labels;
}

template <class Item>
bool is_higher(const Item& a, const Item& b) {
  return a.score > b.score;
}

/// The pictures of the highest scores alone, so that memory does not grow with
/// the set.
class HighestPictures {
 public:
  explicit HighestPictures(int64_t most) : most_(size_t(most)) {}

  void add(double score, const at::Tensor& original,
           const at::Tensor& decoded) {
    if (heap_.size() == most_) {
      if (score <= heap_.front().score) return;
      std::pop_heap(heap_.begin(), heap_.end(), is_higher<Picture>);
      heap_.pop_back();
    }
    heap_.push_back({score, original.clone(), decoded.clone()});
    std::push_heap(heap_.begin(), heap_.end(), is_higher<Picture>);
  }

  /// Highest first.
  std::vector<Picture> take() && {
    std::sort_heap(heap_.begin(), heap_.end(), is_higher<Picture>);
    return std::move(heap_);
  }

 private:
  size_t most_;
  std::vector<Picture> heap_;  // the lowest in front
};

Image draw(const std::vector<Picture>& pictures) {
  std::vector<at::Tensor> panels;
  const auto& first = pictures.front().original;
  for (const auto& p : pictures) {
    if (p.original.sizes() != first.sizes()) continue;  // a set of mixed sizes
    for (const auto& panel :
         {p.original, p.decoded,
          (p.original - p.decoded).square().mean(0, /*keepdim=*/true)})
      panels.push_back(panel);
  }
  double largest = 0;
  for (size_t i = 2; i < panels.size(); i += kPanels)
    largest = std::max(largest, panels[i].max().item<double>());
  for (size_t i = 0; i < panels.size(); ++i)
    panels[i] = i % kPanels == 2
                    ? heat_map(panels[i] / std::max(largest, 1e-12))
                    : panels[i].expand({3, -1, -1});
  return image_grid(torch::stack(panels), kPanels * kHeatMapsPerRow,
                    first.size(2) < 64 ? 2 : 1);
}

}  // namespace

Json anomaly(const AnomalyJob& given) {
  auto job = given;
  check_one_of("anomaly", "--score", job.score, {"mse", "mae", "ssim"});
  check_range("anomaly", "--show", double(job.num_shown), 1, 10'000);
  const auto codec = load_codec(job.codec, job.device);
  fit_preprocessing(codec, job.preprocessing);
  const std::shared_ptr<const ImageSource> source =
      open_source(job.data, job.preprocessing);
  const auto classes = source->class_names();
  const auto anomalous = parse_anomalous(job.anomalous, classes);
  expect_apart(job.out, {path_of_source(job.data)}, {job.codec});
  OutputFolder folder(
      job.out,
      {.command = "anomaly",
       .settings = {{"codec", codec.sha256},
                    {"data", source->fingerprint()},
                    {"preprocessing", preprocessing_record(job.preprocessing)},
                    {"score", job.score},
                    {"show", job.num_shown}},
       .makes =
           [](const std::string& file) {
             return file == "scores.csv" || file == "highest.png";
           }},
      job.fresh);

  const torch::InferenceMode inference;
  std::vector<Scored> scored;
  HighestPictures pictures(job.num_shown);
  const auto pass =
      for_each_batch(job, "anomaly", source, 0, [&](const ImageBatch& batch) {
        const auto decoded = round_trip(*codec.codec, batch.images, job.device);
        Distortion distortion;
        distortion.add(batch.images, decoded, batch.labels);
        const auto images = distortion.images();
        for (int64_t i = 0; i < batch.images.size(0); ++i) {
          const auto& d = images[size_t(i)];
          scored.push_back({.score = score_of(d, job.score),
                            .label = d.label,
                            .row = csv_row_head(batch, i, classes)});
          pictures.add(scored.back().score, batch.images[i], decoded[i]);
        }
      });
  if (scored.empty()) throw DataError(job.data + ": not one readable image");
  std::stable_sort(scored.begin(), scored.end(), is_higher<Scored>);

  folder.begin();
  std::string table = "index,name,class," + job.score + "\n";
  for (const auto& s : scored)
    table += fmt::format("{},{:.8g}\n", s.row, s.score);
  write_file_atomic(job.out / "scores.csv", table);
  write_file_atomic(
      job.out / "highest.png",
      encode_png(draw(std::move(pictures).take()),
                 by_product_text("anomalies", {{"codec", codec.sha256}})));
  folder.finish();

  Json result{{"scores", (job.out / "scores.csv").string()},
              {"highest", (job.out / "highest.png").string()},
              {"images", pass.num_images},
              {"score", job.score},
              {"median", scored[scored.size() / 2].score},
              {"images_per_s", pass.images_per_s}};
  if (!anomalous.empty()) {
    std::vector<double> scores;
    std::vector<bool> positive;
    for (const auto& s : scored) {
      scores.push_back(s.score);
      positive.push_back(std::find(anomalous.begin(), anomalous.end(),
                                   s.label) != anomalous.end());
    }
    if (const auto num_unknown = std::ranges::count_if(
            scored, [](const Scored& s) { return s.label < 0; });
        num_unknown > 0)
      add_note(
          result,
          fmt::format("{} of the images have no class, and count as normal",
                      num_unknown));
    result["anomalous"] = job.anomalous;
    result["roc_auc"] = roc_auc(scores, positive);
  }
  report_skipped(result, pass.skipped, pass.notes);
  return result;
}

}  // namespace calotype
