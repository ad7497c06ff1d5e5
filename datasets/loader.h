#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "datasets/image_source.h"
#include "datasets/transforms.h"

namespace calotype {

struct LoaderConfig {
  int64_t batch_size = 32;
  bool shuffle = true;
  bool drop_last = false;        // leave out what fills no batch at the end
  bool strict = false;           // a bad image throws instead of being skipped
  int num_workers = 2;           // decoding threads
  int64_t prefetch = 4;          // batches kept ready
  int64_t max_batch_pixels = 0;  // a batch is full at so many; 0: no limit
  uint64_t seed = 0;

  // Of preprocessing without a number of channels: each image keeps its own,
  // instead of taking those of the first.
  bool own_channels = false;

  // Told of each image that there is something to say of, in order, on the
  // thread that takes the batches; or null.
  std::function<void(const std::string& name, const ImageNotes& notes)> on_note;
};

/// Images of one shape.
struct ImageBatch {
  at::Tensor images;   // [N,C,H,W] float in [-1,1]
  at::Tensor labels;   // [N] int64, -1 where unknown
  at::Tensor indices;  // [N] int64, position in the source
  std::vector<std::string> names;
  std::vector<std::array<int32_t, 2>>
      sizes;                      // height, width before preprocessing
  std::vector<int32_t> channels;  // before preprocessing
  std::vector<uint64_t> hashes;
  std::vector<int64_t> file_bytes;  // 0 where an image has no file of its own
  /// Give this to the loader to go on after the batch. Where shapes are mixed,
  /// images that still waited for a full batch set it back: some may come
  /// again, none is lost.
  int64_t next_position = 0;
};

struct SkippedImage {
  int64_t index = 0;
  std::string name, reason;
};

/// One pass over a source. The order, the crops and the flips are a function of
/// (seed, epoch, index): the number of workers and a restart change nothing.
/// Images of different shapes never share a batch: each shape fills its own.
/// What is left at the end comes out with the shape first that has waited
/// longest; so does a batch that is not full when eight batches' worth of
/// images wait.
class Loader {
 public:
  /// `skip`: indices that are not wanted (already encoded), or null. Each image
  /// is decoded once, on `num_workers` threads, `prefetch` batches ahead.
  /// Throws ConfigError for a value out of range.
  Loader(std::shared_ptr<const ImageSource> source, Preprocessing preprocessing,
         LoaderConfig config, uint32_t epoch = 0, int64_t start_position = 0,
         const std::vector<bool>* skip = nullptr);
  ~Loader();

  /// The next batch, or nothing at the end of the pass. Throws DataError for a
  /// bad image if `strict`, and whatever else a source throws.
  std::optional<ImageBatch> next();

  /// Bad images met so far.
  const std::vector<SkippedImage>& skipped() const;

  /// What there is to say of the images taken so far.
  const PassNotes& notes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace calotype
