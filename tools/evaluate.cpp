#include "tools/evaluate.h"

#include <algorithm>

#include "core/error.h"
#include "datasets/image_source.h"
#include "nn/model_folder.h"
#include "tools/classifier_model.h"
#include "tools/codec.h"
#include "tools/evaluate_pairs.h"
#include "tools/evaluate_sets.h"
#include "tools/feature_network.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

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
        "safetensors file of FID's Inception, {}, {} or {}",
        job.model.string(), kBuiltinNetwork, kPairs, kFeatures));
  }
  return open_model_folder(job.model).class_name != kClassifierClass;
}

/// Options that the other half alone knows would be ignored.
void expect_fitting_options(const EvaluateJob& job, bool pairs) {
  const auto refuse = [&](bool asked, const char* options, const char* need) {
    if (asked)
      throw ConfigError(fmt::format(
          "{}: {} need{} {}", job.model.string(), options,
          std::string(options).find(',') == std::string::npos ? "s" : "",
          need));
  };
  if (job.model == kPairs && job.reference.empty())
    throw ConfigError("pairs: --reference names the originals");
  if (pairs) {
    refuse(!job.reference.empty() && job.model != kPairs, "--reference",
           "a feature network; a codec is compared with --data itself");
    refuse(!job.expect_network.empty() || !job.cas.empty() || job.nearest > 0,
           "--expect-network, --cas and --nearest", "a feature network");
    return;
  }
  refuse(job.importance_samples > 0 || job.binarize || job.jacobian_probes > 0,
         "--importance-samples, --binarize and --jacobian-probes",
         "a CalotypeAutoencoder");
  refuse(!job.lpips.empty() || !job.beside.empty() || !job.features.empty() ||
             job.rounding != "round",
         "--lpips, --beside, --features, --float and --truncate",
         "a codec or pairs");
  refuse(job.nearest > 0 && job.reference.empty(), "--nearest",
         "a --reference");
  refuse(!job.cas.empty() && job.model == kFeatures, "--cas", "a classifier");
}

/// So many that a network's activations stay small whatever the images' size.
int64_t auto_batch_size(const EvaluateJob& job) {
  constexpr int64_t kPixels = 1 << 18, kMost = 128;
  if (job.model == kFeatures) return kMost;
  auto pixels = job.preprocessing.size * job.preprocessing.size;
  const auto source =
      open_source(job.model == kPairs ? job.reference : job.data);
  for (int64_t i = 0; pixels == 0 && i < source->size(); ++i) try {
      const auto image = source->load(i).image;
      pixels = image.height * image.width;
    } catch (const DataError&) {  // reported when its turn comes
    }
  return std::clamp<int64_t>(kPixels / std::max<int64_t>(pixels, 1), 1, kMost);
}

}  // namespace

Json evaluate(const EvaluateJob& given) {
  auto job = given;
  const bool pairs = reconstructs(job);
  expect_fitting_options(job, pairs);
  if (!job.reference.empty() && job.model != kFeatures)
    open_source(job.reference);  // or say so now
  if (job.batch_size == 0) job.batch_size = auto_batch_size(job);
  auto result = pairs ? evaluate_pairs(job) : evaluate_sets(job);
  // What fills pages is in the report's files.
  for (const char* part : {"samples", "breakdown"}) result.erase(part);
  return result;
}

}  // namespace calotype
