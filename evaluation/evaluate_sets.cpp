#include "evaluation/evaluate_sets.h"

#include <torch/types.h>

#include <algorithm>
#include <optional>

#include "core/error.h"
#include "core/runtime.h"
#include "evaluation/accuracy_scorer.h"
#include "evaluation/evaluate_parts.h"
#include "evaluation/feature_set.h"
#include "evaluation/feature_source.h"
#include "evaluation/nearest_images.h"
#include "evaluation/protocol.h"
#include "evaluation/sets_report.h"
#include "metrics/class_agreement.h"
#include "metrics/uncertainty.h"
#include "models/classifier_model.h"
#include "models/codec_cost.h"
#include "nn/row_memory.h"
#include "report/result_text.h"
#include "report/skipped.h"
#include "store/store_compatible.h"

namespace calotype {
namespace {

/// Whether images show the class that their folder names.
class Agreement {
 public:
  Agreement(const FeatureNetwork& network, const FeatureSource& source)
      : where_(network.name()),
        names_(source.class_names()),
        order_(class_order(where_, network.class_names(), names_)),
        places_(torch::tensor(order_)),
        counts_(std::max<int64_t>(2, network.num_logits())) {}

  /// Whether there is a class that both know.
  bool knows_any() const {
    return std::ranges::any_of(order_, [](int64_t at) { return at >= 0; });
  }
  std::vector<std::string> unknown() const {
    std::vector<std::string> names;
    for (size_t i = 0; i < names_.size(); ++i)
      if (order_[i] < 0) names.push_back(names_[i]);
    return names;
  }

  void add(const FeatureRows& rows) {
    const auto labels = rows.labels.clamp_min(0);
    const auto asked = torch::where(
        rows.labels.ge(0), places_.index_select(0, labels), rows.labels);
    const auto known = asked.ge(0).nonzero().view(-1);
    num_asked_ += known.size(0);
    num_left_out_ += asked.size(0) - known.size(0);
    counts_.add(asked.index_select(0, known),
                rows.logits.argmax(1).index_select(0, known));
  }

  void write(Json& result) const {
    if (num_left_out_ > 0)
      add_note(result,
               fmt::format("{} of the images have no class that {} knows, and "
                           "are left out of the class agreement",
                           num_left_out_, where_));
    if (num_asked_ == 0) return;
    Json per_class = Json::object();
    const auto shares = counts_.per_class();
    for (size_t i = 0; i < names_.size(); ++i)
      if (order_[i] >= 0)
        if (const auto& its = shares[size_t(order_[i])]; its.num_asked > 0)
          per_class[names_[i]] = its.share;
    result["class_agreement"] = counts_.overall();
    result["per_class"] = per_class;
    const auto interval = share_interval(counts_.overall(), num_asked_);
    result["intervals"]["class_agreement"] = {interval.low, interval.high};
  }

  int64_t num_asked() const { return num_asked_; }

 private:
  std::string where_;
  std::vector<std::string> names_;
  std::vector<int64_t> order_;  // each class's number in the network
  at::Tensor places_;           // the same
  ClassAgreement counts_;
  int64_t num_asked_ = 0, num_left_out_ = 0;
};

/// What can be asked of a classifier; nothing if it knows no class of the set
/// and there is a reference to compare with.
std::optional<Agreement> open_agreement(const FeatureNetwork& network,
                                        const FeatureSource& source,
                                        bool compares) {
  const auto names = source.class_names();
  if (!names.empty() && !network.class_names().empty()) {
    Agreement agreement(network, source);
    if (agreement.knows_any()) return agreement;
  }
  if (compares) return {};
  if (names.empty() || network.class_names().empty())
    throw ConfigError(fmt::format(
        "{}: has {} classes, the network {} knows {}; put the images of each "
        "class in a sub-folder, or name a --reference to compare with",
        source.spec(), names.size(), network.name(),
        network.class_names().size()));
  throw ConfigError(fmt::format(
      "{}: does not know the class \"{}\", nor another of {}; it knows {}",
      network.name(), names.front(), source.spec(),
      fmt::join(network.class_names(), ", ")));
}

/// Classes of the set that the network does not know: they would be missed
/// without a word.
void note_unknown_classes(const FeatureNetwork& network,
                          const FeatureSource& source,
                          const std::optional<Agreement>& agreement,
                          Json& result) {
  if (network.class_names().empty() || !source.images()) return;
  if (source.class_names().empty())
    return add_note(
        result, fmt::format("{} has no classes (sub-folders), so that class "
                            "agreement is left out",
                            source.spec()));
  const auto unknown = agreement ? agreement->unknown() : source.class_names();
  if (unknown.empty()) return;
  add_note(result,
           fmt::format("{} does not know all classes of {} ({}), so that class "
                       "agreement is left out{}",
                       network.name(), source.spec(), fmt::join(unknown, ", "),
                       agreement ? " for these" : ""));
}

/// Which of these places are among `count` that are spread evenly over a set.
at::Tensor is_spread(const at::Tensor& indices, int64_t size, int64_t count) {
  if (count >= size) return torch::ones_like(indices, torch::kBool);
  const auto rank = [&](const at::Tensor& at) {
    return torch::div(at * count, size, "floor");
  };
  return rank(indices + 1).ne(rank(indices));
}

void expect_same_width(const EvaluateJob& job, const FeatureRows& rows,
                       int64_t& width) {
  if (width == 0) width = rows.features.size(1);
  if (rows.features.size(1) != width)
    throw ConfigError(
        fmt::format("features: {} has rows of {} numbers, {} of {}", job.data,
                    width, job.reference, rows.features.size(1)));
}

/// What the numbers depend on beside the set that was asked about.
Json protocol_of(const EvaluateJob& job, const FeatureNetwork* network,
                 int64_t num_images, int64_t width) {
  Json protocol{{"task", "sets"}, {"images", num_images}};
  auto preprocessing = job.preprocessing;
  if (network) {
    network->fit(preprocessing);
    protocol["preprocessing"] = preprocessing_record(preprocessing);
  }
  protocol["features"] =
      network ? network->record()
              : Json{{"class", "of the user"}, {"features", width}};
  protocol["seed"] = job.seed;
  protocol["version"] = version_text();
  return protocol;
}

/// Both sets by their contents, and who looks at them.
Json subject_of(const FeatureNetwork* network, const FeatureSource& source,
                const FeatureSource* other) {
  const auto contents = [](const FeatureSource& set) {
    return set.images() ? Json(set.images()->fingerprint()) : Json();
  };
  Json subject{{"data", contents(source)}};
  if (other) subject["reference"] = contents(*other);
  if (network) subject["features"] = network->record();
  return subject;
}

/// Of the network's features of both sets, by a trial on one image.
Json expected(const EvaluateJob& job, FeatureNetwork* network,
              const FeatureSource& source, const FeatureSource* other) {
  const auto count = source.size() + (other ? other->size() : 0);
  if (!network) return expected_cost({}, count, job.batch_size);
  auto preprocessing = job.preprocessing;
  network->fit(preprocessing);
  RowCost row;
  const auto sizes = some_sizes(*source.images(), preprocessing);
  for (const auto& [height, width] : sizes) {
    const auto image = torch::zeros({1, preprocessing.channels, height, width});
    const TensorMemory memory;
    const double begin = monotonic_s();
    network->rows(image);
    row.seconds += (monotonic_s() - begin) / double(sizes.size());
    row.bytes = std::max(row.bytes, with_scratch(memory.peak_bytes()));
  }
  return expected_cost(row, count, job.batch_size);
}

}  // namespace

Json evaluate_sets(const EvaluateJob& job) {
  std::unique_ptr<FeatureNetwork> network;
  if (job.model != kFeatures) {
    network = load_feature_network(job.model.string(), job.device,
                                   job.expect_network);
    if (!job.cas.empty()) {
      if (!job.scorer)
        throw ConfigError(
            "evaluate: cas needs a scorer, such as accuracy_scorer()");
      job.scorer->expect_scorable(job, *network);
    }
  }
  const bool compares = !job.reference.empty();
  if (!network && !compares)
    throw ConfigError("features: --reference is needed to compare with");
  FeatureSource source(job, job.data, network.get());
  std::optional<FeatureSource> other;
  if (compares) other.emplace(job, job.reference, network.get());
  if (job.measured) {
    source.take_from(*job.measured, 0);
    if (other) other->take_from(*job.measured, num_blocks(source.size()));
  }
  if (job.dry_run)
    return {{"would_evaluate", source.size()},
            {"would_compare_with", other ? other->size() : 0},
            {"expected",
             expected(job, network.get(), source, other ? &*other : nullptr)}};
  if (other && source.store() && other->store())
    expect_same_maker(*source.store(), *other->store());

  // Images drawn without a class can still be compared with a reference.
  std::optional<Agreement> agreement;
  if (network) agreement = open_agreement(*network, source, compares);

  FeatureSet shown(source.size(), job.manifold_samples, job.seed,
                   /*grouped=*/true);
  std::vector<at::Tensor> queries, query_indices;
  int64_t num_queries = 0, width = 0;
  const auto pass = source.visit("images", [&](const FeatureRows& rows) {
    if (agreement) agreement->add(rows);
    if (!compares) return;
    expect_same_width(job, rows, width);
    shown.add(rows);
    const auto asked = is_spread(rows.indices, source.size(), job.nearest);
    const auto some = asked.nonzero().view(-1);
    queries.push_back(rows.features.index_select(0, some));
    query_indices.push_back(rows.indices.index_select(0, some));
    num_queries += some.size(0);
  });
  if (pass.num_images == 0)
    throw DataError(job.data + ": not one readable image");
  if (agreement && !compares && agreement->num_asked() == 0)
    throw ConfigError(fmt::format("{}: not one image has a class that {} knows",
                                  source.spec(), network->name()));

  Json result{{"data", source.spec()}, {"images", pass.num_images}};
  if (pass.images_per_s > 0) result["images_per_s"] = pass.images_per_s;
  auto protocol = protocol_of(job, network.get(), pass.num_images, width);
  auto skipped = pass.skipped;
  auto notes = pass.notes;
  std::optional<NearestImages> nearest;
  if (num_queries > 0) nearest.emplace(torch::cat(queries));
  if (compares) {
    FeatureSet reference(other->size(), job.manifold_samples, job.seed,
                         /*grouped=*/false);
    const auto other_pass =
        other->visit("reference", [&](const FeatureRows& rows) {
          expect_same_width(job, rows, width);
          reference.add(rows.without_logits());
          if (nearest) nearest->add(rows.features, rows.indices);
        });
    skipped.insert(skipped.end(), other_pass.skipped.begin(),
                   other_pass.skipped.end());
    notes.add(other_pass.notes);
    if (other_pass.num_images == 0)
      throw DataError(job.reference + ": nothing readable to compare with");
    result["reference"] = job.reference;
    result["reference_images"] = other_pass.num_images;
    result.update(compare_sets(shown, reference, false, job.seed));
    if (other_pass.hash.text() == pass.hash.text())
      add_note(result,
               "the images and the reference are the same, which is no "
               "comparison: two sets of one kind would be further apart");
    if (nearest) result["nearest"] = nearest->summary();
    protocol["reference"] = set_record(job.reference, other_pass.hash);
    protocol["manifold_samples"] = result["manifold_samples"];
  }
  if (network) note_unknown_classes(*network, source, agreement, result);
  if (agreement) agreement->write(result);
  if (!job.cas.empty())
    protocol["cas"] = job.scorer->add_score(job, *network, result, skipped);
  result["subject"] = {{"data", set_record(source.spec(), pass.hash)}};
  result["protocol"] = protocol;
  report_skipped(result, skipped, notes);
  if (!job.report.empty())
    write_sets_report(job, result, source.images().get(),
                      other ? other->images().get() : nullptr,
                      nearest ? torch::cat(query_indices) : at::Tensor(),
                      nearest ? &*nearest : nullptr);
  if (!job.out.empty())
    result["call"] = evaluation_call(
        job, subject_of(network.get(), source, other ? &*other : nullptr));
  return result;
}

BlockWork sets_in_blocks(const EvaluateJob& job) {
  if (job.model == kFeatures)
    throw ConfigError(
        "features: the rows are there already, and one process compares them; "
        "--part is for images");
  if (!job.cas.empty())
    throw ConfigError(
        fmt::format("{}: --cas trains a classifier, in one process; leave it "
                    "out with --part",
                    job.model.string()));
  const std::shared_ptr<FeatureNetwork> network =
      load_feature_network(job.model.string(), job.device, job.expect_network);
  const auto source =
      std::make_shared<FeatureSource>(job, job.data, network.get());
  std::shared_ptr<FeatureSource> other;
  if (!job.reference.empty())
    other = std::make_shared<FeatureSource>(job, job.reference, network.get());
  open_agreement(*network, *source, other != nullptr);  // or say so now
  const auto first = num_blocks(source->size());
  return {.num_blocks = first + (other ? num_blocks(other->size()) : 0),
          .subject = subject_of(network.get(), *source, other.get()),
          .measure = [network, source, other, first](int64_t block) {
            return block < first ? source->measure(block)
                                 : other->measure(block - first);
          }};
}

}  // namespace calotype
