#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/slices.h"
#include "datasets/image_source.h"
#include "images/transforms.h"

namespace calotype {

/// Of a batch in a pass that decides nothing by its batches: 200 MB of colours,
/// of which there are a few copies at once.
inline constexpr int64_t kUsualBatchPixels = int64_t{1} << 24;

struct LoaderConfig {
  int64_t batch_size = 32;
  bool shuffle = true;
  // Leave out what fills no batch at the end, where images of its shape have
  // filled one. A shape too rare for that is a smaller batch.
  bool drop_last = false;
  bool strict = false;           // a bad image throws instead of being skipped
  int num_workers = 2;           // decoding threads
  int64_t prefetch = 4;          // batches kept ready
  int64_t max_batch_pixels = 0;  // a batch is full at so many; 0: no limit
  uint64_t seed = 0;

  // Of decoded images in memory, beside what one batch needs: half of them
  // ahead of their turn, half waiting for others of their shape. Where images
  // are so large that this many wait, it decides which of them meet in a batch.
  int64_t max_held_bytes = int64_t{256} << 20;

  // Of a pass in order: no batch has images of two of these blocks of the
  // index, so that what is added up block by block does not depend on which
  // images before it could be read, nor on their shapes; 0: one block is all.
  int64_t images_per_block = 0;

  int64_t end = 0;  // the pass ends ahead of this position; 0: with the source

  // Of preprocessing without a number of channels: each image keeps its own,
  // instead of taking those of the first.
  bool own_channels = false;

  // Told of each image that there is something to say of, in order, on the
  // thread that takes the batches; or null.
  std::function<void(const std::string& name, const ImageNotes& notes)> on_note;
};

/// Where a pass stands: all that the rest of it depends on beside the source,
/// so that a loader that goes on from there gives the same batches.
struct LoaderPosition {
  /// A pass that has come to `next` with nothing waiting.
  LoaderPosition(int64_t next_position = 0) : next(next_position) {}

  int64_t next = 0;  // in the pass, of the first image that was not taken
  std::vector<int64_t> waiting;  // positions before it whose batch is to come
  // [height, width, channels] that have filled a batch in this pass; told where
  // drop_last asks for it.
  std::vector<std::array<int64_t, 3>> full_shapes;

  bool operator==(const LoaderPosition&) const = default;
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
  LoaderPosition next_position;     // give this to a loader to go on after it
};

struct SkippedImage {
  int64_t index = 0;
  std::string name, reason;
};

/// For a Loader's `skip`: of a set of `num_images`, these alone are wanted.
std::vector<bool> all_but(const Slice& images, int64_t num_images);

/// One pass over a source. The order, the crops and the flips are a function of
/// (seed, epoch, index): the number of workers and a restart change nothing.
/// Images of different shapes never share a batch: each shape fills its own.
/// What is left at the end comes out with the shape first that has waited
/// longest; so does a batch that is not full when eight batches' worth of
/// images wait, or more bytes than may be held.
class Loader {
 public:
  /// `from`: where an earlier loader of this pass stopped. `skip`: indices that
  /// are not wanted (already encoded), or null. Each image is decoded once, on
  /// `num_workers` threads, `prefetch` batches ahead. Throws ConfigError for a
  /// value out of range.
  Loader(std::shared_ptr<const ImageSource> source, Preprocessing preprocessing,
         LoaderConfig config, uint32_t epoch = 0,
         const LoaderPosition& from = {},
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
