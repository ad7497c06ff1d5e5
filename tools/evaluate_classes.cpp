#include "tools/evaluate_classes.h"

#include <torch/torch.h>

#include "core/error.h"
#include "metrics/class_agreement.h"
#include "nn/model_folder.h"
#include "tools/classifier_model.h"
#include "tools/feature_set.h"
#include "tools/image_pass.h"
#include "tools/skipped.h"

namespace calotype {
namespace {

/// For each class of the source its number in the classifier.
at::Tensor asked_classes(const EvaluateJob& job, const ImageSource& source,
                         int64_t num_classes) {
  const auto names = source.class_names();
  if (names.empty() || int64_t(names.size()) > num_classes)
    throw ConfigError(fmt::format(
        "{}: has {} classes, the classifier {} knows {}; put the images of "
        "each class in a sub-folder",
        source.spec(), names.size(), job.model.string(), num_classes));
  return class_order(job.model, names);
}

/// Throws ConfigError if the job names the weights of another classifier.
void expect_weights(const EvaluateJob& job, const std::string& sha256) {
  if (!job.expect_classifier.empty() && job.expect_classifier != sha256)
    throw ConfigError(fmt::format(
        "{}: its numbers compare with no others: its weights have the SHA-256 "
        "{}, expected {}",
        job.model.string(), sha256, job.expect_classifier));
}

}  // namespace

Json evaluate_classes(EvaluateJob job,
                      std::shared_ptr<const ImageSource> source) {
  const auto sha256 = weights_sha256(open_model_folder(job.model));
  expect_weights(job, sha256);
  auto classifier = load_classifier(job.model, job.device);
  const auto num_classes = classifier->config().num_classes;
  job.preprocessing.channels = classifier->config().in_channels;
  job.preprocessing.size = classifier->config().sample_size;
  const bool compares = !job.reference.empty();
  const auto names = source->class_names();
  // Images drawn without a class can still be compared with a reference.
  const bool asks = !compares || knows_classes(job.model, names);
  const auto order =
      asks ? asked_classes(job, *source, num_classes) : at::Tensor();

  const torch::InferenceMode inference;
  const auto judge = [&](const ImageBatch& batch) {
    return classifier->forward(batch.images.to(job.device));
  };
  const auto new_set = [&](const ImageSource& images) {
    return FeatureSet(images.size(), job.manifold_samples, job.seed);
  };
  ClassAgreement agreement(num_classes);
  auto shown = new_set(*source);
  const auto pass =
      for_each_batch(job, "classify", source, 0, [&](const ImageBatch& batch) {
        const auto output = judge(batch);
        if (asks)
          agreement.add(order.index_select(0, batch.labels),
                        output.logits.argmax(1).to(torch::kCPU));
        if (compares) shown.add(output.features, batch.indices);
      });
  Json result{{"classifier", job.model.string()},
              {"classifier_sha256", sha256},
              {"data", source->spec()},
              {"images", pass.num_images}};
  auto skipped = pass.skipped;
  if (compares) {
    const std::shared_ptr<const ImageSource> other = open_source(job.reference);
    auto reference = new_set(*other);
    const auto other_pass = for_each_batch(
        job, "reference", other, 0, [&](const ImageBatch& batch) {
          reference.add(judge(batch).features, batch.indices);
        });
    skipped.insert(skipped.end(), other_pass.skipped.begin(),
                   other_pass.skipped.end());
    result["reference"] = job.reference;
    result["reference_images"] = other_pass.num_images;
    result.update(compare_sets(shown, reference));
    result["manifold_samples"]["seed"] = job.seed;
  }
  if (asks) {
    Json per_class = Json::object();
    const auto shares = agreement.per_class();
    for (size_t i = 0; i < names.size(); ++i)
      per_class[names[i]] =
          shares[size_t(order[int64_t(i)].item<int64_t>())].share;
    result["class_agreement"] = agreement.overall();
    result["per_class"] = per_class;
  }
  report_skipped(result, skipped);
  return result;
}

}  // namespace calotype
