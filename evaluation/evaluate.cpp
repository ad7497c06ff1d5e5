#include "evaluation/evaluate.h"

#include <algorithm>

#include "core/error.h"
#include "core/files.h"
#include "datasets/image_source.h"
#include "evaluation/evaluate_pairs.h"
#include "evaluation/evaluate_parts.h"
#include "evaluation/evaluate_sets.h"
#include "evaluation/feature_network.h"
#include "evaluation/report_parts.h"
#include "models/codec.h"
#include "models/pipeline_folder.h"
#include "models/registry.h"
#include "nn/model_folder.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

/// Class of the model; null unless it is a folder of one that is known.
const ModelClass* class_of_folder(const EvaluateJob& job) {
  return fs::is_directory(job.model)
             ? find_model_class(
                   open_model_folder(codec_folder(job.model)).class_name)
             : nullptr;
}

/// Whether the job asks for reconstructions, and not for sets in the features
/// of a network.
bool reconstructs(const EvaluateJob& job) {
  if (job.model == kPairs) return true;
  if (job.model == kFeatures || job.model == kBuiltinNetwork ||
      fs::is_regular_file(job.model))
    return false;
  if (!fs::is_directory(job.model)) {
    if (is_codec_there(job.model)) return true;  // pixels:C
    throw ConfigError(fmt::format(
        "{}: is no codec and no feature network; name a model folder, a "
        "file of FID's Inception, {}, {} or {}",
        job.model.string(), kBuiltinNetwork, kPairs, kFeatures));
  }
  const auto* known = class_of_folder(job);
  return !known || known->kind != ModelKind::kClassifier;
}

/// An option that changed nothing would be taken for one that did.
void expect_fitting_options(const EvaluateJob& job, bool pairs) {
  const auto refuse = [&](bool asked, const std::string& options,
                          const char* need) {
    const bool are_many = options.find(" and ") != std::string::npos;
    if (asked)
      throw ConfigError(fmt::format("{}: {} {} {}", job.model.string(), options,
                                    are_many ? "need" : "needs", need));
  };
  if (job.model == kPairs && job.reference.empty())
    throw ConfigError("pairs: --reference names the originals");
  if (job.importance_samples > 0 || job.binarize || job.jacobian_probes > 0) {
    const auto* known = class_of_folder(job);
    const auto with_prior = names_of_classes(
        [](const ModelClass& model) { return model.has_prior; });
    refuse(!(known && known->has_prior),
           "--importance-samples, --binarize and --jacobian-probes",
           fmt::format("a {}", with_prior).c_str());
  }
  refuse(job.fresh && job.report.empty() && job.out.empty(), "--fresh",
         "a --report or an --out");
  refuse((job.part || job.finishes) && job.out.empty(), "--part and --finish",
         "an --out, where the parts meet");
  if ((job.part || job.finishes) && !job.cache.empty())
    throw ConfigError(
        "evaluate: --cache is of one process; parts keep what they compute "
        "until all are there");
  refuse(job.dtype != EvaluateJob{}.dtype && (!pairs || job.model == kPairs),
         "--dtype", "a codec");
  refuse(job.beside_images != EvaluateJob{}.beside_images && job.beside.empty(),
         "--beside-images", "--beside");
  refuse(job.manifold_samples != EvaluateJob{}.manifold_samples &&
             (pairs ? job.features : job.reference).empty(),
         "--manifold-samples", pairs ? "--features" : "--reference");
  refuse(job.rounding != EvaluateJob{}.rounding && job.model == kPairs,
         "--float and --truncate", "a codec: images in files are bytes");
  if (pairs) {
    refuse(!job.reference.empty() && job.model != kPairs, "--reference",
           "a feature network; a codec is compared with --data itself");
    refuse(!job.cas.empty() || job.nearest > 0, "--cas and --nearest",
           "a feature network as the model");
    refuse(job.features.empty() &&
               (!job.cache.empty() || !job.expect_network.empty()),
           "--cache and --expect-network", "--features");
    return;
  }
  refuse(!job.lpips.empty() || !job.beside.empty() || !job.features.empty() ||
             job.rounding != "round",
         "--lpips, --beside, --features, --float and --truncate",
         "a codec or pairs");
  refuse(job.nearest > 0 && job.reference.empty(), "--nearest",
         "a --reference");
  refuse(!job.cas.empty() && job.model == kFeatures, "--cas", "a classifier");
  refuse(job.model == kFeatures &&
             (!job.cache.empty() || !job.expect_network.empty()),
         "--cache and --expect-network", "a feature network as the model");
  refuse(job.model == kFeatures &&
             write_config(job.preprocessing) != write_config(Preprocessing{}),
         "--size, --resize, --crop, --max-pixels and --icc", "images");
}

constexpr int64_t kBatchPixels = 1 << 18;

/// So many that a network's activations stay small whatever the images' size,
/// judged by some of them.
int64_t auto_batch_size(const EvaluateJob& job) {
  constexpr int64_t kMost = 128, kProbes = 8, kOfInception = 16;
  if (job.model == kFeatures) return kMost;
  if (fs::is_regular_file(job.model)) return kOfInception;  // 299x299 inside
  auto pixels = job.preprocessing.size * job.preprocessing.size;
  if (pixels == 0) {
    const auto source = open_source(
        job.model == kPairs ? job.reference : job.data, job.preprocessing);
    const auto probes = std::min(kProbes, source->size());
    for (int64_t i = 0; i < probes; ++i) try {
        const auto image = source->load(i * source->size() / probes).image;
        pixels = std::max(pixels, image.height * image.width);
      } catch (const DataError&) {  // reported when its turn comes
      }
  }
  return std::clamp<int64_t>(kBatchPixels / std::max<int64_t>(pixels, 1), 1,
                             kMost);
}

}  // namespace

Json evaluate(const EvaluateJob& given) {
  auto job = given;
  const bool pairs = reconstructs(job);
  expect_fitting_options(job, pairs);
  if (!job.reference.empty() && job.model != kFeatures)
    open_source(job.reference);  // or say so now
  if (job.batch_size == 0) {
    job.batch_size = auto_batch_size(job);
    job.max_batch_pixels = kBatchPixels;
  }
  if (!job.report.empty() && !job.dry_run) {  // or say so now
    report_folder(job);
    make_folder(job.report);
  }
  const auto evaluate_all = pairs ? evaluate_pairs : evaluate_sets;
  const bool in_parts = (job.part || job.finishes) && !job.dry_run;
  if (!job.out.empty() && !job.dry_run) expect_place_for_result(job);
  auto result =
      in_parts ? evaluate_in_parts(
                     job, pairs ? pairs_in_blocks(job) : sets_in_blocks(job),
                     evaluate_all)
               : evaluate_all(job);
  if (!job.out.empty() && !job.dry_run && !in_parts) write_result(job, result);
  // What fills pages is in the files.
  for (const char* part : {"samples", "breakdown", "call"}) result.erase(part);
  return result;
}

}  // namespace calotype
