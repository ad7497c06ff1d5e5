#include "tools/train_data.h"

#include <algorithm>

#include "core/error.h"
#include "core/hash.h"
#include "core/note.h"
#include "datasets/any_order.h"
#include "datasets/class_map.h"
#include "datasets/source_record.h"
#include "datasets/subset_source.h"
#include "report/skipped.h"
#include "store/store_compatible.h"
#include "store/store_fingerprint.h"
#include "tools/stored_flips.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

// Of all runs, so that their validations are of the same images.
constexpr uint64_t kValidationSeed = 0;

using Images = std::shared_ptr<const ImageSource>;

Json record_of(const ImageSource& images) {
  return source_record(images);
}

Json record_of(const StoreReader& store) {
  return {{"fingerprint", store_fingerprint(store)},
          {"fingerprint_kind", "rows"},
          {"count", store.size()}};
}

template <class Source>
void add_record(DataRecords& records, const char* key,
                const std::shared_ptr<Source>& source) {
  records.emplace_back(key, [source] { return record_of(*source); });
}

void tell_skipped(const SkippedImage& image) {
  fmt::print(stderr, "skipped {}: {}\n", image.name, image.reason);
}

/// `validation`: null for none. `labels`: what its labels are called in
/// training, see LatentPass.
void add_passes(TrainerSetup& setup, const TrainConfig& config,
                int64_t channels, const Images& train, const Images& validation,
                const std::vector<int64_t>& labels) {
  auto how = config.data.preprocessing;
  how.channels = channels;
  how.validate();
  const LoaderConfig loader{.batch_size = config.training.batch_size,
                            .shuffle = true,
                            .drop_last = true,
                            .num_workers = int(config.data.num_workers),
                            .seed = config.seed,
                            .on_note = tell_notes_once()};
  // Before a run folder is made for it.
  expect_any_order(*train);
  if (validation) expect_any_order(*validation);
  setup.data = image_batches(train, how, loader, tell_skipped);
  if (!validation) {
    setup.previewed = image_batches(train, how, loader);
    return;
  }
  auto plain = how;  // validation sees images as they are
  plain.flip = false;
  if (plain.crop == "random") plain.crop = "center";
  auto all = loader;
  all.drop_last = false;
  all.seed = kValidationSeed;
  setup.validation =
      image_batches(validation, plain, all, tell_skipped, labels);
}

Images open_validation(const TrainConfig& config) {
  if (config.data.validation.empty()) return nullptr;
  return open_source(config.data.validation, config.data.preprocessing);
}

/// `images` of which every one has a class.
Images labelled(const Images& images, const char* key) {
  const auto names = images->class_names();
  if (names.empty())
    throw ConfigError(fmt::format(
        "config: {}: {} has no classes, which a classifier learns: put the "
        "images of each into a sub-folder",
        key, images->spec()));
  int64_t num_without = 0;
  for (int64_t i = 0; i < images->size(); ++i)
    num_without += images->label(i) < 0;
  if (num_without == 0) return images;
  note(fmt::format("{}: {} of {} images have no class and are left out",
                   images->spec(), num_without, images->size()));
  return select_classes(images, names, /*all_others=*/false, images->spec());
}

/// The names of `other` that `known` does not have.
std::vector<std::string> unknown_classes(
    const std::vector<std::string>& other,
    const std::vector<std::string>& known) {
  const auto places = match_classes(other, known);
  std::vector<std::string> unknown;
  for (size_t i = 0; i < other.size(); ++i)
    if (places[i] < 0) unknown.push_back(other[i]);
  return unknown;
}

/// What the labels of a validation store are called in training, and a line on
/// stderr about those that are lost.
std::vector<int64_t> matched_labels(const StoreReader& train,
                                    const StoreReader& validation) {
  const auto& known = train.info().class_names;
  const auto& names = validation.info().class_names;
  if (names == known) return {};
  if (known.empty()) return std::vector<int64_t>(names.size(), -1);
  if (names.empty())
    note(fmt::format(
        "{}: has no classes, and {} has: validation is without labels",
        validation.path().string(), train.path().string()));
  else if (const auto unknown = unknown_classes(names, known); !unknown.empty())
    note(fmt::format(
        "{}: {} does not have the classes {}: their images are judged "
        "without a label",
        validation.path().string(), train.path().string(),
        fmt::join(unknown, ", ")));
  return match_classes(names, known);
}

}  // namespace

void add_images(TrainerSetup& setup, DataRecords& records, TrainConfig& config,
                int64_t channels) {
  expect_no_flips(config.data.flips);
  const Images train =
      open_source(config.data.train, config.data.preprocessing);
  const auto validation = open_validation(config);
  add_record(records, "data.train", train);
  if (validation) add_record(records, "data.validation", validation);
  add_passes(setup, config, channels, train, validation, {});
}

std::vector<std::string> add_labelled_images(TrainerSetup& setup,
                                             DataRecords& records,
                                             TrainConfig& config,
                                             int64_t channels,
                                             int64_t num_classes) {
  expect_no_flips(config.data.flips);
  const auto train = labelled(
      open_source(config.data.train, config.data.preprocessing), "data.train");
  const auto names = train->class_names();
  if (int64_t(names.size()) > num_classes)
    throw ConfigError(fmt::format(
        "config: model.num_classes must be at least the {} classes of {}, got "
        "{}",
        names.size(), train->spec(), num_classes));
  add_record(records, "data.train", train);
  auto validation = open_validation(config);
  std::vector<int64_t> labels;
  if (validation) {
    validation = labelled(validation, "data.validation");
    const auto others = validation->class_names();
    if (const auto unknown = unknown_classes(others, names); !unknown.empty())
      throw ConfigError(fmt::format(
          "config: data.validation: {} has classes that {} has not: {}; leave "
          "them out with [class!=...]",
          validation->spec(), train->spec(), fmt::join(unknown, ", ")));
    labels = match_classes(others, names);
    add_record(records, "data.validation", validation);
  }
  add_passes(setup, config, channels, train, validation, labels);
  return names;
}

std::shared_ptr<const StoreReader> add_stores(TrainerSetup& setup,
                                              DataRecords& records,
                                              TrainConfig& config) {
  const auto& data = config.data;
  const auto train = std::make_shared<const StoreReader>(data.train);
  add_record(records, "data.train", train);
  const bool flips = resolve_flips(config.data.flips, *train, data.train);
  setup.data = latent_batches(train, {.batch_size = config.training.batch_size,
                                      .seed = config.seed,
                                      .flips = flips});
  if (data.validation.empty()) return train;
  const auto validation = std::make_shared<const StoreReader>(data.validation);
  expect_compatible(*train, *validation);
  add_record(records, "data.validation", validation);
  setup.validation = latent_batches(
      validation, {.batch_size = config.training.batch_size,
                   .seed = kValidationSeed,
                   .trains = false,
                   .labels = matched_labels(*train, *validation)});
  return train;
}

void add_file(DataRecords& records, const std::string& key,
              const fs::path& file) {
  records.emplace_back(key, [file]() -> Json {
    return {{"file", file.filename().string()},
            {"fingerprint", sha256_hex_of_file(file)},
            {"fingerprint_kind", "sha256"}};
  });
}

}  // namespace calotype
