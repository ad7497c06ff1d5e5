#include "evaluation/feature_set.h"

#include <torch/types.h>

#include <algorithm>

#include "core/error.h"
#include "core/random.h"
#include "metrics/frechet_bias.h"
#include "metrics/frechet_distance.h"
#include "metrics/kernel_distance.h"
#include "metrics/set_overlap.h"
#include "metrics/uncertainty.h"
#include "report/result_text.h"

namespace calotype {
namespace {

Json interval_json(const Interval& interval) {
  return {interval.low, interval.high};
}

/// Whether there are rows in each group, and enough without it.
bool can_leave_groups_out(const at::Tensor& groups) {
  const auto counts = groups.bincount({}, GroupedMoments::kGroups);
  return counts.gt(0).all().item<bool>() &&
         (groups.size(0) - counts.max()).item<int64_t>() >= 2;
}

/// Whether all rows are one, but for what a network rounds otherwise in another
/// batch.
bool is_one_row(const at::Tensor& rows) {
  if (rows.size(0) < 2) return false;
  const auto apart = (rows - rows[0]).abs().max();
  return apart.le(1e-5 * rows[0].abs().max()).item<bool>();
}

}  // namespace

FeatureSet::FeatureSet(int64_t size, int64_t max_rows, uint64_t seed,
                       bool grouped)
    : drawn_(size_t(size), max_rows == 0 || max_rows >= size),
      grouped_(grouped),
      num_drawn_(max_rows == 0 ? size : std::min(size, max_rows)) {
  if (num_drawn_ == size) return;
  const Permutation order(size, seed, 0);
  for (int64_t i = 0; i < num_drawn_; ++i) drawn_[size_t(order(i))] = true;
}

void FeatureSet::add(const FeatureRows& rows) {
  count_ += rows.features.size(0);
  if (grouped_)
    groups_.add(rows.features, rows.indices);
  else
    whole_.add(rows.features);
  const auto groups = image_groups(rows.indices);
  // Groups as splits: an order by class would make each split of one class.
  if (rows.logits.defined()) {
    if (!score_) score_.emplace(GroupedMoments::kGroups);
    score_->add(rows.logits, groups);
  }
  if (!rows_.defined()) {
    rows_ = torch::empty({num_drawn_, rows.features.size(1)});
    row_groups_ = torch::empty({num_drawn_}, torch::kLong);
  }
  for (int64_t i = 0; i < rows.indices.size(0); ++i) {
    if (!drawn_[size_t(rows.indices[i].item<int64_t>())]) continue;
    rows_[num_rows_].copy_(rows.features[i]);
    row_groups_[num_rows_++] = groups[i];
  }
}

void FeatureSet::forget_moments() {
  groups_ = {};
  whole_ = {};
}

at::Tensor FeatureSet::rows() const {
  return rows_.defined() ? rows_.narrow(0, 0, num_rows_) : torch::zeros({0, 0});
}

at::Tensor FeatureSet::row_groups() const {
  return rows_.defined() ? row_groups_.narrow(0, 0, num_rows_)
                         : torch::zeros({0}, torch::kLong);
}

std::optional<InceptionScore::Score> FeatureSet::inception_score() const {
  if (!score_ || !score_->has_score()) return {};
  return score_->score();
}

namespace {

/// Fills a result with values, their intervals and what those came from.
class Comparison {
 public:
  Comparison(FeatureSet& shown, FeatureSet& reference, bool paired,
             uint64_t seed)
      : shown_(shown), reference_(reference), paired_(paired), seed_(seed) {}

  Json result() {
    result_ = {{"frechet_distance", nullptr},
               {"frechet_distance_extrapolated", nullptr},
               {"kid", nullptr},
               {"precision", nullptr},
               {"recall", nullptr},
               {"density", nullptr},
               {"coverage", nullptr}};
    const auto made = shown_.rows(), real = reference_.rows();
    const auto fewest = std::min(made.size(0), real.size(0));
    if (std::min(shown_.count(), reference_.count()) >= 2) add_frechet();
    // What follows needs rows alone, and memory for each with each.
    for (auto* set : {&shown_, &reference_}) set->forget_moments();
    if (fewest >= 2) add_kernel_distance(real, made);
    if (fewest >= neighbours_.min_rows()) add_overlap(real, made);
    if (const auto score = shown_.inception_score()) {
      result_["inception_score"] = score->mean;
      result_["inception_score_std"] = score->std;
    }
    result_["manifold_samples"] = {
        {"images", made.size(0)},
        {"reference_images", real.size(0)},
        {"precision_k", neighbours_.precision_neighbours},
        {"density_k", neighbours_.density_neighbours}};
    add_notes(real, made);
    result_["intervals"] = intervals_;
    if (!curve_.empty()) result_["frechet_by_count"] = curve_;
    result_["samples"] = {{"left_out", left_out_}};
    return result_;
  }

 private:
  void add_frechet() {
    const FrechetReference real(reference_.moments());
    const auto distance = real.distance(shown_.moments());
    result_["frechet_distance"] = distance;
    if (!shown_.grouped().has_interval()) return;
    std::vector<double> left_out;
    for (int64_t group = 0; group < GroupedMoments::kGroups; ++group) {
      const auto some = shown_.grouped().without(group);
      left_out.push_back(
          paired_ ? frechet_distance(reference_.grouped().without(group), some)
                  : real.distance(some));
    }
    add_interval("frechet_distance", distance, left_out);
    // Only the whole of a set of pairs meets its own images: its parts make no
    // line with it.
    if (paired_ || !shown_.grouped().has_course()) return;
    add_course(frechet_by_count(shown_.grouped(), real));
  }

  void add_course(std::vector<FrechetAtCount> course) {
    for (const auto& point : course)
      curve_.push_back({point.count, point.distance});
    // Covariances of fewer images than features are singular, and their bias is
    // no line.
    const auto num_features = double(shown_.rows().size(1));
    std::erase_if(course, [&](const FrechetAtCount& point) {
      return point.count < num_features;
    });
    if (course.size() >= 2)
      result_["frechet_distance_extrapolated"] = frechet_at_infinity(course);
  }

  void add_kernel_distance(const at::Tensor& real, const at::Tensor& made) {
    if (!can_leave_groups_out(shown_.row_groups())) {
      result_["kid"] = paired_ ? paired_kernel_distance(real, made)
                               : kernel_distance(real, made);
      return;
    }
    const auto distance =
        paired_ ? paired_kernel_distance(real, made, shown_.row_groups())
                : kernel_distance(real, made, shown_.row_groups());
    result_["kid"] = distance.value;
    add_interval("kid", distance.value, distance.left_out);
  }

  /// Precision and density are means over the images shown, recall and coverage
  /// over the reference: each side is a sample with the other as given.
  void add_overlap(const at::Tensor& real, const at::Tensor& made) {
    const auto overlap = set_overlap(real, made, neighbours_);
    result_["precision"] = overlap.precision;
    result_["recall"] = overlap.recall;
    result_["density"] = overlap.density;
    result_["coverage"] = overlap.coverage;
    const auto num_made = made.size(0), num_real = real.size(0);
    const auto density = overlap.balls.to(torch::kDouble) /
                         double(neighbours_.density_neighbours);
    intervals_["precision"] =
        interval_json(share_interval(overlap.precision, num_made));
    intervals_["recall"] =
        interval_json(share_interval(overlap.recall, num_real));
    intervals_["density"] =
        interval_json(bootstrap_means(density.unsqueeze(1), seed_).at(0));
    intervals_["coverage"] =
        interval_json(share_interval(overlap.coverage, num_real));
  }

  /// What cannot be measured, and numbers of sets without any variety: those
  /// are exact, and say next to nothing.
  void add_notes(const at::Tensor& real, const at::Tensor& made) {
    if (const auto fewest = std::min(made.size(0), real.size(0));
        fewest < neighbours_.min_rows())
      add_note(result_,
               fmt::format("a set of {} cannot be compared by its neighbours "
                           "(precision, recall, density, coverage), which "
                           "takes {} images{}",
                           fewest, neighbours_.min_rows(),
                           fewest < 2 ? ", nor by the Fréchet and the kernel "
                                        "distance, which take 2"
                                      : ""));
    std::vector<std::string> same;
    if (is_one_row(made))
      same.push_back(paired_ ? "the reconstructions" : "the images");
    if (is_one_row(real))
      same.push_back(paired_ ? "the originals" : "the reference");
    if (same.empty()) return;
    add_note(
        result_,
        fmt::format(
            "all features of {} are the same, as of one image over and over: "
            "neighbours (precision, recall, density, coverage) mean nothing "
            "then",
            fmt::join(same, ", and all of ")));
  }

  void add_interval(const char* name, double value,
                    const std::vector<double>& left_out) {
    intervals_[name] = interval_json(jackknife(value, left_out));
    left_out_[name] = left_out;
  }

  FeatureSet& shown_;
  FeatureSet& reference_;
  bool paired_;
  uint64_t seed_;
  SetOverlapConfig neighbours_;
  Json result_, intervals_ = Json::object(), left_out_ = Json::object();
  Json curve_ = Json::array();
};

}  // namespace

Json compare_sets(FeatureSet& shown, FeatureSet& reference, bool paired,
                  uint64_t seed) {
  return Comparison(shown, reference, paired, seed).result();
}

}  // namespace calotype
