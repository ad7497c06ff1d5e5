#include "tools/accuracy_score.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "core/error.h"
#include "core/files.h"
#include "core/json_difference.h"
#include "datasets/image_source.h"
#include "metrics/classifier.h"
#include "models/classifier_model.h"
#include "outputs/apart.h"
#include "outputs/folder_files.h"
#include "tools/named_configs.h"
#include "tools/train.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

/// An empty folder that is gone with this object.
class ScratchFolder {
 public:
  ScratchFolder() {
    auto name = (fs::temp_directory_path() / "calotype-cas-XXXXXX").string();
    if (!::mkdtemp(name.data()))
      throw ConfigError(fmt::format(
          "{}: cannot be made: {}; name another folder with --cas-run", name,
          std::generic_category().message(errno)));
    path_ = name;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

/// How the classifier was trained, with other images and another seed.
TrainConfig recipe_of(const EvaluateJob& job) {
  TrainConfig config;
  if (job.model == kBuiltinNetwork) {
    read_config(named_config("fashion_classifier"), config, kBuiltinNetwork);
  } else {
    const auto file = job.model / "run.json";
    if (!fs::exists(file))
      throw ConfigError(job.model.string() +
                        ": --cas trains as this classifier was trained, and it "
                        "has no run.json that says how");
    read_config(read_json_file(file).at("config"), config, file.string());
  }
  config.data.train = job.data;
  config.data.validation.clear();
  config.data.preprocessing.size =
      config.model.value("sample_size", CalotypeClassifierConfig{}.sample_size);
  config.data.preprocessing.max_pixels = job.preprocessing.max_pixels;
  config.data.preprocessing.icc = job.preprocessing.icc;
  config.seed = job.seed;
  return config;
}

/// The classes of a set that have an image, as the network numbers them.
std::vector<int64_t> shown_classes(const FeatureNetwork& network,
                                   const ImageSource& images) {
  std::vector<bool> has_image(images.class_names().size());
  for (int64_t i = 0; i < images.size(); ++i)
    if (const auto label = images.label(i); label >= 0)
      has_image[size_t(label)] = true;
  auto order =
      class_order(network.name(), network.class_names(), images.class_names());
  for (size_t i = 0; i < order.size(); ++i)
    if (!has_image[i]) order[i] = -1;
  return order;
}

/// A classifier can only find what it was shown, and is asked by name.
void expect_classes(const EvaluateJob& job, const FeatureNetwork& network,
                    const ImageSource& images) {
  const auto shown = shown_classes(network, images);
  const auto test = open_source(job.cas);
  const auto names = test->class_names();
  if (names.empty())
    throw ConfigError(fmt::format(
        "{}: --cas needs images of each class in a sub-folder", job.cas));
  const auto known = class_order(network.name(), network.class_names(), names);
  const auto asked = shown_classes(network, *test);
  for (size_t i = 0; i < names.size(); ++i) {
    if (known[i] < 0)
      throw ConfigError(
          fmt::format("{}: does not know the class \"{}\" of {}; it knows {}",
                      network.name(), names[i], job.cas,
                      fmt::join(network.class_names(), ", ")));
    if (asked[i] >= 0 && std::ranges::find(shown, asked[i]) == shown.end())
      throw ConfigError(
          fmt::format("{}: --cas needs images of every class of {} in a "
                      "sub-folder, got none of \"{}\"",
                      job.data, job.cas, names[i]));
  }
}

constexpr const char* kRunRecord = "cas_data.json";

/// What a run of this job is of.
Json run_record(const EvaluateJob& job, const FeatureNetwork& network,
                const ImageSource& images) {
  return {{"data", images.spec()},
          {"images", images.size()},
          {"recipe_of", network.sha256()},
          {"seed", job.seed}};
}

/// A run that is done would be taken for one on images that have replaced its
/// own under the same name.
void expect_same_run(const fs::path& run, const Json& record) {
  const auto file = run / kRunRecord;
  const bool is_ours = fs::exists(file);
  const auto difference =
      is_ours ? difference_text(read_json_file(file), record) : "";
  if (!difference.empty() || (!is_ours && fs::exists(run / "run.json")))
    throw ConfigError(fmt::format(
        "--cas-run {}: holds another run{}; name a new folder, or remove "
        "this one",
        run.string(), is_ours ? " (" + difference + ")" : ""));
}

/// How a classifier does on the real test images.
Json test_on_real(const EvaluateJob& job, const fs::path& classifier) {
  EvaluateJob test;
  test.model = classifier;
  test.data = job.cas;
  test.preprocessing = job.preprocessing;
  test.batch_size = job.batch_size;
  test.num_workers = job.num_workers;
  test.strict = job.strict;
  test.device = job.device;
  return evaluate(test);
}

class TrainingScorer : public AccuracyScorer {
 public:
  void expect_scorable(const EvaluateJob& job,
                       const FeatureNetwork& network) const override;
  Json add_score(const EvaluateJob& job, const FeatureNetwork& network,
                 Json& result,
                 std::vector<SkippedImage>& skipped) const override;
};

void TrainingScorer::expect_scorable(const EvaluateJob& job,
                                     const FeatureNetwork& network) const {
  const auto config = recipe_of(job);
  const auto images = open_source(job.data);
  expect_classes(job, network, *images);
  if (!job.cas_run.empty()) {
    expect_apart(job.cas_run,
                 {path_of_source(job.data), path_of_source(job.cas)});
    expect_same_run(job.cas_run, run_record(job, network, *images));
  }
}

Json TrainingScorer::add_score(const EvaluateJob& job,
                               const FeatureNetwork& network, Json& result,
                               std::vector<SkippedImage>& skipped) const {
  const auto config = recipe_of(job);
  const auto images = open_source(job.data);
  const auto real = test_on_real(job, job.model);

  std::optional<ScratchFolder> scratch;
  if (job.cas_run.empty()) scratch.emplace();
  const auto run = scratch ? scratch->path() : job.cas_run;
  const auto record = run_record(job, network, *images);
  expect_same_run(run, record);
  expect_empty(run, kRunRecord);
  make_folder(run);
  write_file_atomic(run / kRunRecord, json_text(record, 2) + "\n");
  const auto trained = train({.config = config,
                              .out = run,
                              .brought = {kRunRecord},
                              .device = job.device});
  const auto score = test_on_real(job, run);

  result["cas"] = score["class_agreement"];
  result["intervals"]["cas"] = score["intervals"]["class_agreement"];
  result["cas_per_class"] = score["per_class"];
  result["real_accuracy"] = real["class_agreement"];
  result["cas_test"] = job.cas;
  result["cas_test_images"] = score["images"];
  result["cas_training"] = {
      {"images", images->size()},
      {"steps", trained["step"]},
      {"batch_size", config.training.batch_size},
      {"seed", config.seed},
      {"classifier_sha256", score["protocol"]["features"]["sha256"]}};
  if (!scratch) result["cas_training"]["run"] = run.string();
  if (score.contains("skipped"))
    for (const auto& image : score["skipped"])
      skipped.push_back({.name = image["name"], .reason = image["reason"]});
  return {{"test", score["subject"]["data"]},
          {"recipe_of", network.sha256()},
          {"steps", trained["step"]},
          {"batch_size", config.training.batch_size}};
}

}  // namespace

const AccuracyScorer& accuracy_scorer() {
  static const TrainingScorer scorer;
  return scorer;
}

}  // namespace calotype
