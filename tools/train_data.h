#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "datasets/image_source.h"
#include "tools/train.h"

// What a training run reads: images or stores that belong together, and how
// run.json tells later that they are still the same.
namespace calotype {

/// What run.json says of each thing that is read, by the key of the config that
/// names it; asked for when a run begins, since it may read all files.
using DataRecords = std::vector<std::pair<std::string, std::function<Json()>>>;

/// Images for training, validation and previews. `channels`: of the images.
/// Throws ConfigError.
void add_images(TrainerSetup& setup, DataRecords& records, TrainConfig& config,
                int64_t channels);

/// The same with classes, those of validation matched by their names to those
/// of training. Returns the names. Images without a class are left out with a
/// line that says so. Throws ConfigError if there are none of at most
/// `num_classes` classes, or if validation has one that training has not.
std::vector<std::string> add_labelled_images(TrainerSetup& setup,
                                             DataRecords& records,
                                             TrainConfig& config,
                                             int64_t channels,
                                             int64_t num_classes);

/// A store of latents or tokens of one grid shape, and one for validation that
/// goes with it, whose classes are matched by their names. Throws ConfigError.
std::shared_ptr<const StoreReader> add_stores(TrainerSetup& setup,
                                              DataRecords& records,
                                              TrainConfig& config);

/// A file that is read whole, by the hash of its bytes.
void add_file(DataRecords& records, const std::string& key,
              const std::filesystem::path& file);

}  // namespace calotype
