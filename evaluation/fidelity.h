#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/config.h"
#include "datasets/image_source.h"
#include "datasets/loader.h"
#include "evaluation/protocol.h"
#include "evaluation/reconstructor.h"
#include "images/transforms.h"
#include "metrics/distortion.h"
#include "nn/safetensors.h"

namespace calotype {

/// "round", "truncate" or "float". Throws ConfigError for another word.
Rounding rounding_of(const std::string& word);

/// How faithful reconstructions are and what they cost, gathered over a set.
class Fidelity {
 public:
  explicit Fidelity(DistortionOptions options);

  void add(const ImageBatch& batch, const Reconstructed& made);

  /// All that is known of the images, for a file, and that of others from one.
  void keep(TensorFile& file) const;
  void add(const TensorFile& file);

  /// The means with their intervals, rates, and what classes and sizes have
  /// each; under "samples" the values of each image.
  Json result(const ImageSource& source,
              const std::vector<std::shared_ptr<const Lpips>>& networks,
              uint64_t seed) const;

  /// index, name, class, width, height, psnr_db and each measure of each image,
  /// as CSV.
  std::string csv(
      const ImageSource& source,
      const std::vector<std::shared_ptr<const Lpips>>& networks) const;

  const Distortion& distortion() const { return distortion_; }
  const SetHash& hash() const { return hash_; }

  /// `asked` as far as it changed the images, so that a codec that wants 28x28
  /// and pairs of that size have been shown the same.
  Json preprocessing(Preprocessing asked) const;
  int64_t num_pixels() const { return num_pixels_; }

 private:
  Json rates() const;
  Json breakdown(const ImageSource& source) const;

  Distortion distortion_;
  SetHash hash_;
  int64_t num_pixels_ = 0, num_values_ = 0;
  int64_t channels_ = 0;          // of the last batch
  bool is_one_colouring_ = true;  // whether all have as many channels
  int64_t num_greyed_ = 0;        // in colour, compared as grey
  int64_t file_bytes_ = 0, source_pixels_ = 0;  // before preprocessing
  double stored_bytes_ = 0;
  bool knows_bytes_ = true, all_have_files_ = true, is_resized_ = false;
};

}  // namespace calotype
