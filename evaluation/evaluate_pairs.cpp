#include "evaluation/evaluate_pairs.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "core/error.h"
#include "core/hash.h"
#include "core/profile.h"
#include "core/runtime.h"
#include "core/stop_signal.h"
#include "evaluation/block_rows.h"
#include "evaluation/code_report.h"
#include "evaluation/evaluate_parts.h"
#include "evaluation/feature_set.h"
#include "evaluation/feature_source.h"
#include "evaluation/fidelity.h"
#include "evaluation/fidelity_report.h"
#include "evaluation/image_pass.h"
#include "evaluation/measured_blocks.h"
#include "evaluation/protocol.h"
#include "evaluation/rate_distortion.h"
#include "evaluation/reconstructor.h"
#include "evaluation/report_parts.h"
#include "evaluation/token_use.h"
#include "metrics/distortion.h"
#include "nn/lpips_weights.h"
#include "nn/precision.h"
#include "report/result_text.h"
#include "report/skipped.h"

namespace calotype {
namespace {

/// Of both files, where there are two, with a plus.
std::string sha256_of(const LpipsFiles& files) {
  const auto sha256 = sha256_hex_of_file(files.weights);
  return files.trunk.empty() ? sha256
                             : sha256 + "+" + sha256_hex_of_file(files.trunk);
}

/// The networks for LPIPS, each once.
class PerceptualNetworks {
 public:
  explicit PerceptualNetworks(const EvaluateJob& job) {
    for (const auto& file : job.lpips) {
      auto network = std::make_shared<Lpips>(load_lpips(file));
      if (record_.contains(network->network()))
        throw ConfigError(fmt::format("--lpips {}: {} was named before",
                                      file.string(), network->network()));
      network->to(job.device);
      record_[network->network()] = sha256_of(find_lpips_files(file));
      networks_.push_back(std::move(network));
    }
  }

  const std::vector<std::shared_ptr<const Lpips>>& networks() const {
    return networks_;
  }
  const Json& record() const { return record_; }  // SHA-256 by name

 private:
  std::vector<std::shared_ptr<const Lpips>> networks_;
  Json record_ = Json::object();
};

/// Originals and reconstructions in the features of a network.
class SetComparison {
 public:
  SetComparison(const EvaluateJob& job, const ImageSource& source)
      : network_(
            load_feature_network(job.features, job.device, job.expect_network)),
        cache_(job.cache, *network_, source, job.preprocessing),
        made_(source.size(), job.manifold_samples, job.seed, /*grouped=*/true),
        real_(source.size(), job.manifold_samples, job.seed, /*grouped=*/true) {
  }

  void add(const ImageBatch& batch, const at::Tensor& shown) {
    add_rows(real_rows(batch), made_rows(shown), batch.labels, batch.indices);
  }

  /// What the network says of originals and of reconstructions, [N,F+K] each.
  at::Tensor real_rows(const ImageBatch& batch) { return cache_.rows(batch); }
  at::Tensor made_rows(const at::Tensor& shown) {
    return network_->rows(network_->adapt(shown));
  }

  void add_rows(const at::Tensor& real, const at::Tensor& made,
                const at::Tensor& labels, const at::Tensor& indices) {
    const auto split = [&](const at::Tensor& rows) {
      return split_rows(rows, network_->num_features(), labels, indices);
    };
    real_blocks_.add(split(real).without_logits());
    made_blocks_.add(split(made));
  }

  void write(Json& result, bool whole, uint64_t seed) {
    cache_.finish(whole);
    real_blocks_.finish();
    made_blocks_.finish();
    const auto compared = compare_sets(made_, real_, /*paired=*/true, seed);
    for (const auto& item : compared.items())
      if (item.key() == "intervals" || item.key() == "samples")
        result[item.key()].update(item.value());
      else if (item.key() == "note")
        add_note(result, item.value().get<std::string>());
      else
        result[item.key()] = item.value();
  }

  Json record() const { return network_->record(); }

 private:
  std::unique_ptr<FeatureNetwork> network_;
  FeatureCache cache_;
  FeatureSet made_, real_;
  BlockRows real_blocks_{[this](const FeatureRows& rows) { real_.add(rows); }};
  BlockRows made_blocks_{[this](const FeatureRows& rows) { made_.add(rows); }};
};

/// Reconstructions of a set and who measures them.
class PairsEvaluation {
 public:
  explicit PairsEvaluation(const EvaluateJob& given);

  const ImageSource& source() const { return *source_; }
  Json dry_run() const;

  /// Measures all images here, or takes what parts have measured.
  void measure_all();
  Json result();

  /// A block of them, for a file.
  TensorFile measure(int64_t block);

  /// What is compared with what, by whom.
  Json subject() const;

  /// Throws ConfigError for what cannot be put together from blocks.
  void expect_parts() const {
    if (code_report_)
      throw ConfigError(job_.model.string() +
                        ": the codes of a CalotypeAutoencoder are measured by "
                        "one process; leave --part out");
  }

 private:
  Fidelity new_fidelity() const {
    return Fidelity({.rounding = rounding_,
                     .lpips = perceptual_->networks(),
                     .device = job_.device});
  }
  std::optional<TokenUse> new_token_use() const {
    if (reconstructor_->num_codes() == 0) return {};
    return TokenUse(reconstructor_->num_codes(), reconstructor_->codebooks());
  }
  void measure_here();
  void take_measured();

  EvaluateJob given_, job_;
  Rounding rounding_;
  std::unique_ptr<Reconstructor> reconstructor_;
  std::shared_ptr<const ImageSource> source_;
  std::optional<PerceptualNetworks> perceptual_;
  std::optional<CodeReport> code_report_;
  std::optional<TokenUse> token_use_;
  std::optional<SetComparison> sets_;
  std::optional<RateDistortion> beside_;
  std::optional<Fidelity> fidelity_;
  ImagePass pass_;
  double model_s_ = 0;
};

PairsEvaluation::PairsEvaluation(const EvaluateJob& given)
    : given_(given), job_(given), rounding_(rounding_of(given.rounding)) {
  const bool is_paired = job_.model == kPairs;
  job_.own_channels = is_paired;
  if (!is_paired) reconstructor_ = open_codec_reconstructor(job_);
  source_ =
      open_source(is_paired ? job_.reference : job_.data, job_.preprocessing);
  if (is_paired) reconstructor_ = open_pairs(job_, *source_);
  if (job_.dry_run) return;
  if (auto* autoencoder = reconstructor_->autoencoder())
    code_report_.emplace(job_, *autoencoder);
  token_use_ = new_token_use();
  perceptual_.emplace(job_);
  if (!job_.features.empty()) sets_.emplace(job_, *source_);
  if (!job_.beside.empty())
    beside_.emplace(job_.beside, source_->size(), job_.beside_images,
                    job_.seed);
  fidelity_.emplace(new_fidelity());
}

Json PairsEvaluation::dry_run() const {
  return {{"would_evaluate", source_->size()},
          {"expected",
           expected_cost(reconstructor_->cost(*source_, job_.preprocessing),
                         source_->size(), job_.batch_size)}};
}

void PairsEvaluation::measure_all() {
  if (job_.measured)
    take_measured();
  else
    measure_here();
  if (pass_.num_images == 0)
    throw DataError(source_->spec() + ": not one readable image");
}

void PairsEvaluation::measure_here() {
  pass_ = for_each_batch(
      job_, "evaluate", source_, 0, [&](const ImageBatch& batch) {
        const double begin = monotonic_s();
        const auto made = reconstructor_->reconstruct(batch);
        model_s_ += monotonic_s() - begin;
        const ProfileZone zone("measure");
        fidelity_->add(batch, made);
        if (token_use_) token_use_->add(made.tokens);
        if (code_report_) code_report_->add(batch);
        if (sets_) sets_->add(batch, rounded(made.images, rounding_));
        if (beside_) {
          if (!made.stored_bytes.defined())
            throw ConfigError(
                "pairs: --beside needs reconstructions that are JPEG or WebP "
                "files: the sizes of others are not what was stored");
          beside_->add(batch.images, made.images, made.stored_bytes,
                       batch.indices);
        }
      });
}

TensorFile PairsEvaluation::measure(int64_t block) {
  auto fidelity = new_fidelity();
  auto token_use = new_token_use();
  std::vector<at::Tensor> real, made_rows, labels, indices;
  const auto range = images_of_block(block, source_->size());
  double model_s = 0;
  auto pass = for_each_batch(
      job_, nullptr, source_, 0,
      [&](const ImageBatch& batch) {
        const double begin = monotonic_s();
        const auto made = reconstructor_->reconstruct(batch);
        model_s += monotonic_s() - begin;
        fidelity.add(batch, made);
        if (token_use) token_use->add(made.tokens);
        if (!sets_) return;
        real.push_back(sets_->real_rows(batch));
        made_rows.push_back(sets_->made_rows(rounded(made.images, rounding_)));
        labels.push_back(batch.labels);
        indices.push_back(batch.indices);
      },
      &range);
  pass.seconds = model_s;  // nobody asks for the rest
  TensorFile file;
  keep_pass(file, pass);
  fidelity.keep(file);
  if (token_use) file.tensors["token_counts"] = token_use->counts();
  if (!real.empty()) {
    file.tensors["real"] = torch::cat(real);
    file.tensors["made"] = torch::cat(made_rows);
    file.tensors["labels"] = torch::cat(labels);
    file.tensors["indices"] = torch::cat(indices);
  }
  return file;
}

void PairsEvaluation::take_measured() {
  for (int64_t block = 0; block < num_blocks(source_->size()); ++block) {
    throw_if_stopped();
    const auto file = job_.measured->read(block);
    const auto pass = kept_pass(file);
    pass_.num_images += pass.num_images;
    model_s_ += pass.seconds;
    pass_.skipped.insert(pass_.skipped.end(), pass.skipped.begin(),
                         pass.skipped.end());
    pass_.notes.add(pass.notes);
    if (pass.num_images == 0) continue;
    fidelity_->add(file);
    const auto& tensors = file.tensors;
    if (token_use_) token_use_->add_counts(tensors.at("token_counts"));
    if (sets_)
      sets_->add_rows(tensors.at("real"), tensors.at("made"),
                      tensors.at("labels"), tensors.at("indices"));
  }
}

Json PairsEvaluation::subject() const {
  Json subject = reconstructor_->subject();
  subject["images"] = source_->fingerprint();
  if (!job_.lpips.empty()) subject["lpips"] = perceptual_->record();
  if (sets_) subject["features"] = sets_->record();
  return subject;
}

Json PairsEvaluation::result() {
  auto result = fidelity_->result(*source_, perceptual_->networks(), job_.seed);
  result["round_trip_images_per_s"] =
      double(pass_.num_images) / std::max(model_s_, 1e-9);
  if (code_report_) code_report_->write(result);
  if (token_use_) token_use_->write(result, fidelity_->num_pixels());
  if (sets_) sets_->write(result, pass_.skipped.empty(), job_.seed);
  if (beside_) result["rate_distortion"] = beside_->summary();
  result["peak_memory_mib"] = double(peak_memory_bytes()) / (1 << 20);
  result["subject"] = reconstructor_->subject();
  Json protocol{{"task", "reconstruction"},
                {"data", set_record(source_->spec(), fidelity_->hash())},
                {"preprocessing", fidelity_->preprocessing(job_.preprocessing)},
                {"rounding", job_.rounding}};
  if (result["subject"].contains("codec"))
    protocol["precision"] = precision_name(current_precision());
  if (!job_.lpips.empty()) protocol["lpips"] = perceptual_->record();
  if (sets_) {
    protocol["features"] = sets_->record();
    protocol["manifold_samples"] = result["manifold_samples"];
  }
  protocol["seed"] = job_.seed;
  protocol["version"] = version_text();
  result["protocol"] = protocol;
  report_skipped(result, pass_.skipped, pass_.notes);
  if (!job_.report.empty()) {
    auto output = report_folder(given_);  // as it was asked for
    write_fidelity_report(job_, output, result, *fidelity_,
                          perceptual_->networks(), source_, *reconstructor_);
  }
  if (!job_.out.empty()) result["call"] = evaluation_call(given_, subject());
  return result;
}

}  // namespace

Json evaluate_pairs(const EvaluateJob& job) {
  PairsEvaluation evaluation(job);
  if (job.dry_run) return evaluation.dry_run();
  evaluation.measure_all();
  return evaluation.result();
}

BlockWork pairs_in_blocks(const EvaluateJob& job) {
  if (!job.beside.empty())
    throw ConfigError(
        "evaluate: --beside is measured by one process; leave it out with "
        "--part");
  const auto evaluation = std::make_shared<PairsEvaluation>(job);
  evaluation->expect_parts();
  return {.num_blocks = num_blocks(evaluation->source().size()),
          .subject = evaluation->subject(),
          .measure = [evaluation](int64_t block) {
            return evaluation->measure(block);
          }};
}

}  // namespace calotype
