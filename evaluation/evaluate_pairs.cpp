#include "evaluation/evaluate_pairs.h"

#include <ATen/ATen.h>

#include <optional>

#include "core/error.h"
#include "core/hash.h"
#include "core/profile.h"
#include "core/runtime.h"
#include "evaluation/code_report.h"
#include "evaluation/feature_set.h"
#include "evaluation/feature_source.h"
#include "evaluation/fidelity.h"
#include "evaluation/fidelity_report.h"
#include "evaluation/image_pass.h"
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
    const auto split = [&](const at::Tensor& rows) {
      return split_rows(rows, network_->num_features(), batch.labels,
                        batch.indices);
    };
    real_.add(split(cache_.rows(batch)).without_logits());
    made_.add(split(network_->rows(network_->adapt(shown))));
  }

  void write(Json& result, bool whole, uint64_t seed) {
    cache_.finish(whole);
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
};

}  // namespace

Json evaluate_pairs(const EvaluateJob& given) {
  auto job = given;
  const bool is_paired = job.model == kPairs;
  job.own_channels = is_paired;
  const auto rounding = rounding_of(job.rounding);
  std::unique_ptr<Reconstructor> reconstructor;
  if (!is_paired) reconstructor = open_codec_reconstructor(job);
  const std::shared_ptr<const ImageSource> source =
      open_source(is_paired ? job.reference : job.data, job.preprocessing);
  if (is_paired) reconstructor = open_pairs(job, *source);
  if (job.dry_run)
    return {{"would_evaluate", source->size()},
            {"expected",
             expected_cost(reconstructor->cost(*source, job.preprocessing),
                           source->size(), job.batch_size)}};
  auto* autoencoder = reconstructor->autoencoder();
  std::optional<CodeReport> code_report;
  if (autoencoder) code_report.emplace(job, *autoencoder);
  std::optional<TokenUse> token_use;
  if (reconstructor->num_codes() > 0)
    token_use.emplace(reconstructor->num_codes(), reconstructor->codebooks());
  const PerceptualNetworks perceptual(job);
  std::optional<SetComparison> sets;
  if (!job.features.empty()) sets.emplace(job, *source);
  std::optional<RateDistortion> beside;
  if (!job.beside.empty())
    beside.emplace(job.beside, source->size(), job.beside_images, job.seed);

  Fidelity fidelity({.rounding = rounding,
                     .lpips = perceptual.networks(),
                     .device = job.device});
  double model_s = 0;
  const auto pass =
      for_each_batch(job, "evaluate", source, 0, [&](const ImageBatch& batch) {
        const double begin = monotonic_s();
        const auto made = reconstructor->reconstruct(batch);
        model_s += monotonic_s() - begin;
        const ProfileZone zone("measure");
        fidelity.add(batch, made);
        if (token_use) token_use->add(made.tokens);
        if (code_report) code_report->add(batch);
        if (sets) sets->add(batch, rounded(made.images, rounding));
        if (beside) {
          if (!made.stored_bytes.defined())
            throw ConfigError(
                "pairs: --beside needs reconstructions that are JPEG or WebP "
                "files: the sizes of others are not what was stored");
          beside->add(batch.images, made.images, made.stored_bytes,
                      batch.indices);
        }
      });
  if (pass.num_images == 0)
    throw DataError(source->spec() + ": not one readable image");

  auto result = fidelity.result(*source, perceptual.networks(), job.seed);
  result["round_trip_images_per_s"] = double(pass.num_images) / model_s;
  if (code_report) code_report->write(result);
  if (token_use) token_use->write(result, fidelity.num_pixels());
  if (sets) sets->write(result, pass.skipped.empty(), job.seed);
  if (beside) result["rate_distortion"] = beside->summary();
  result["peak_memory_mib"] = double(peak_memory_bytes()) / (1 << 20);
  result["subject"] = reconstructor->subject();
  Json protocol{{"task", "reconstruction"},
                {"data", set_record(source->spec(), fidelity.hash())},
                {"preprocessing", fidelity.preprocessing(job.preprocessing)},
                {"rounding", job.rounding}};
  if (result["subject"].contains("codec"))
    protocol["precision"] = precision_name(current_precision());
  if (!job.lpips.empty()) protocol["lpips"] = perceptual.record();
  if (sets) {
    protocol["features"] = sets->record();
    protocol["manifold_samples"] = result["manifold_samples"];
  }
  protocol["seed"] = job.seed;
  protocol["version"] = version_text();
  result["protocol"] = protocol;
  report_skipped(result, pass.skipped, pass.notes);
  if (!job.report.empty()) {
    auto output = report_folder(given);  // as it was asked for
    write_fidelity_report(job, output, result, fidelity, perceptual.networks(),
                          source, *reconstructor);
  }
  return result;
}

}  // namespace calotype
