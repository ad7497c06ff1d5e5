#include "datasets/loader.h"

#include <ATen/Functions.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "core/check.h"
#include "core/error.h"
#include "core/parallel.h"
#include "core/profile.h"
#include "core/random.h"
#include "datasets/any_order.h"
#include "datasets/decode_ahead.h"

namespace calotype {
namespace {

/// Images wait until their shape fills a batch, but no more of them than this
/// many batches: a folder of photographs may hold a thousand shapes.
constexpr int64_t kMaxWaitingBatches = 8;

using Shape = std::array<int64_t, 3>;  // height, width, channels

Shape shape_of(const Image& image) {
  return {image.height, image.width, image.channels};
}

int64_t num_bytes(const Image& image) {
  return image.height * image.width * image.channels;
}

/// Height and width, before a reduced scale too.
std::array<int32_t, 2> size_in_file(const SourceImage& loaded) {
  const auto& [height, width] = loaded.notes.reduced_from;
  return height > 0 ? std::array{int32_t(height), int32_t(width)}
                    : std::array{int32_t(loaded.image.height),
                                 int32_t(loaded.image.width)};
}

ImageBatch make_batch(std::vector<DecodedImage> decoded) {
  const ProfileZone zone("make batch");
  const auto count = int64_t(decoded.size());
  const Image& first = decoded[0].image;
  const int64_t num_values = first.channels * first.height * first.width;
  ImageBatch batch;
  batch.images =
      at::empty({count, first.channels, first.height, first.width}, at::kFloat);
  batch.labels = at::empty({count}, at::kLong);
  batch.indices = at::empty({count}, at::kLong);
  auto* planes = batch.images.data_ptr<float>();
  constexpr int64_t kNumbersPerTask = 1 << 16;
  const auto grain = grain_of(num_values, kNumbersPerTask);
  parallel_for(0, count, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      copy_to_planes(decoded[size_t(i)].image, planes + i * num_values);
  });
  for (int64_t i = 0; i < count; ++i) {
    auto& image = decoded[size_t(i)];
    batch.labels.data_ptr<int64_t>()[i] = image.label;
    batch.indices.data_ptr<int64_t>()[i] = image.index;
    batch.names.push_back(std::move(image.name));
    batch.sizes.push_back(image.size);
    batch.channels.push_back(image.channels);
    batch.hashes.push_back(image.hash);
    batch.file_bytes.push_back(image.file_bytes);
  }
  return batch;
}

LoaderConfig checked(LoaderConfig config) {
  check_range("loader", "batch_size", double(config.batch_size), 1, 65536);
  check_range("loader", "num_workers", config.num_workers, 1, 256);
  check_range("loader", "max_batch_pixels", double(config.max_batch_pixels), 0,
              1e15);
  check_range("loader", "prefetch", double(config.prefetch), 1, 1024);
  check_range("loader", "images_per_block", double(config.images_per_block), 0,
              1e15);
  check_range("loader", "end", double(config.end), 0, 1e15);
  check_range("loader", "max_held_bytes", double(config.max_held_bytes), 0,
              1e15);
  return config;
}

}  // namespace

std::vector<bool> all_but(const Slice& images, int64_t num_images) {
  std::vector<bool> skip(size_t(num_images), true);
  std::fill(skip.begin() + images.begin, skip.begin() + images.end, false);
  return skip;
}

struct Loader::Impl {
  Impl(std::shared_ptr<const ImageSource> from, Preprocessing preprocessing,
       LoaderConfig loader_config, uint32_t epoch_number,
       const LoaderPosition& start, const std::vector<bool>* skip)
      : source(std::move(from)),
        config(checked(loader_config)),
        epoch(epoch_number),
        end(config.end > 0 ? std::min(config.end, source->size())
                           : source->size()),
        order(source->size(), config.seed, epoch),
        how(std::move(preprocessing)),
        first_positions(start.waiting),
        first_new(start.next),
        after_taken(start.next),
        full_shapes(start.full_shapes.begin(), start.full_shapes.end()) {
    how.validate();
    check_start(start);
    if (config.shuffle) expect_any_order(*source);
    if (skip) unwanted = *skip;
    if (skip && int64_t(skip->size()) != source->size())
      throw ShapeError(fmt::format("Loader: skip must have {} entries, got {}",
                                   source->size(), skip->size()));
    if (how.channels == 0 && !config.own_channels)
      how.channels = first_channels();
    begin();
    wait_again();
  }

  void check_start(const LoaderPosition& start) const {
    check_range("loader", "start_position", double(start.next), 0,
                double(source->size()));
    for (const auto position : start.waiting)
      check_range("loader", "waiting position", double(position), 0,
                  double(start.next - 1));
  }

  /// Channels of the first image that can be read.
  int64_t first_channels() {
    for (first_index = 0; first_index < source->size(); ++first_index) try {
        first = source->load(first_index);
        return first.image.channels;
      } catch (const DataError&) {  // reported when its turn comes
      }
    return 3;
  }

  void begin() {
    // Small enough that all workers share the first batch, large enough that
    // locks do not count for tiny images.
    const int64_t share =
        (config.batch_size + config.num_workers - 1) / config.num_workers;
    const auto again = int64_t(first_positions.size());
    // Of what can be read in order alone, no worker goes far ahead of another.
    const int64_t largest = source->is_in_order() ? 1 : 64;
    DecodeAhead::Range range{
        .begin = 0,
        .end = again + std::max<int64_t>(0, end - first_new),
        .chunk_size = std::clamp<int64_t>(share, 1, largest),
        .max_bytes = config.max_held_bytes / 2};
    const int64_t ahead =
        config.prefetch * config.batch_size / range.chunk_size;
    range.max_chunks = std::max<int64_t>(ahead, config.num_workers);
    decoder.emplace(range, config.num_workers, [this, again](int64_t place) {
      return decode(place < again ? first_positions[size_t(place)]
                                  : first_new + place - again);
    });
  }

  /// Those that waited where the pass was left wait as they did then: none of
  /// them had filled a batch.
  void wait_again() {
    for (size_t i = 0; i < first_positions.size(); ++i)
      if (auto* decoded = take()) add(std::move(*decoded));
  }

  /// Called by the workers.
  std::optional<DecodedImage> decode(int64_t position) {
    DecodedImage decoded;
    decoded.position = position;
    decoded.index = config.shuffle ? order(position) : position;
    if (!unwanted.empty() && unwanted[size_t(decoded.index)]) return {};
    decoded.name = source->name(decoded.index);
    try {
      auto loaded = load(decoded.index);
      decoded.size = size_in_file(loaded);
      decoded.channels = int32_t(loaded.image.channels);
      decoded.hash = loaded.hash;
      decoded.file_bytes = loaded.file_bytes;
      decoded.notes = std::move(loaded.notes);
      decoded.label = source->label(decoded.index);
      decoded.image = prepare(std::move(loaded.image), decoded);
    } catch (const DataError& error) {
      if (config.strict) throw;
      decoded.problem = error.what();
    }
    return decoded;
  }

  SourceImage load(int64_t index) {
    // Each position is visited once, so that one thread at most takes it.
    const bool is_first = index == first_index && !first.image.pixels.empty();
    const ProfileZone zone("decode file");
    return is_first ? std::exchange(first, {}) : source->load(index);
  }

  Image prepare(Image image, const DecodedImage& decoded) const try {
    const ProfileZone zone("resample");
    return preprocess(std::move(image), how, draws_of(decoded.index));
  } catch (const DataError& error) {
    throw DataError(decoded.name + ": " + error.what());
  }

  Augmentation draws_of(int64_t index) const {
    const auto draw = [&](uint64_t which) {
      return uniform(
          {config.seed, Stream::kFlip, uint64_t(index) * 4 + which, epoch});
    };
    return {draw(0), draw(1), draw(2)};
  }

  /// The next image in order, bad ones included, or null.
  DecodedImage* take() {
    while (taken == ready.size()) {
      auto more = decoder->next();
      if (!more) return nullptr;
      ready = std::move(*more);
      taken = 0;
    }
    return &ready[taken++];
  }

  /// The images that wait for more of the shape of `image`.
  std::vector<DecodedImage>& bucket_of(const Image& image) {
    const auto found = std::ranges::find_if(waiting, [&](const auto& bucket) {
      return shape_of(bucket[0].image) == shape_of(image);
    });
    if (found != waiting.end()) return *found;
    return waiting.emplace_back();
  }

  /// Puts an image to those of its shape, which it returns; nothing for a bad
  /// one.
  std::vector<DecodedImage>* add(DecodedImage decoded) {
    if (!decoded.problem.empty()) {
      skipped.push_back({decoded.index, decoded.name, decoded.problem});
      return nullptr;
    }
    take_note(decoded);
    ++num_waiting;
    waiting_bytes += num_bytes(decoded.image);
    auto& bucket = bucket_of(decoded.image);
    bucket.push_back(std::move(decoded));
    return &bucket;
  }

  ImageBatch emit(std::vector<DecodedImage>& bucket) {
    const auto& image = bucket.front().image;
    if (config.drop_last && is_full(bucket))
      full_shapes.insert(shape_of(image));
    waiting_bytes -= int64_t(bucket.size()) * num_bytes(image);
    auto batch = make_batch(std::move(bucket));
    num_waiting -= int64_t(batch.names.size());
    waiting.erase(waiting.begin() + (&bucket - waiting.data()));
    batch.next_position = position();
    return batch;
  }

  LoaderPosition position() const {
    LoaderPosition position(after_taken);
    for (const auto& bucket : waiting)
      for (const auto& image : bucket)
        position.waiting.push_back(image.position);
    std::ranges::sort(position.waiting);
    position.full_shapes.assign(full_shapes.begin(), full_shapes.end());
    return position;
  }

  /// A function of the images that wait, whose sizes are their own: a restart
  /// must come to the same answer.
  bool too_many_wait() const {
    if (num_waiting >= kMaxWaitingBatches * config.batch_size) return true;
    int64_t largest = 0;
    for (const auto& bucket : waiting)
      largest = std::max(largest, num_bytes(bucket[0].image));
    return waiting_bytes >
           config.max_held_bytes / 2 + config.batch_size * largest;
  }

  bool begins_block(int64_t position) const {
    const auto size = config.images_per_block;
    return size > 0 && num_waiting > 0 &&
           position / size != waiting[0][0].position / size;
  }

  std::optional<ImageBatch> next() {
    while (!too_many_wait()) {
      auto* decoded = take();
      if (!decoded) return rest();
      if (begins_block(decoded->position)) {
        --taken;  // its turn comes when those of the block before are gone
        return emit(waiting[0]);
      }
      after_taken = decoded->position + 1;
      auto* bucket = add(std::move(*decoded));
      if (bucket && is_full(*bucket)) return emit(*bucket);
    }
    return emit(waiting[0]);
  }

  /// What is left at the end, the oldest first.
  std::optional<ImageBatch> rest() {
    after_taken = end;
    for (auto& bucket : waiting)
      if (!full_shapes.contains(shape_of(bucket[0].image))) return emit(bucket);
    return {};
  }

  void take_note(const DecodedImage& decoded) {
    notes.add(decoded.name, decoded.notes);
    const bool is_silent =
        decoded.notes.remarks.empty() && decoded.notes.profile.empty();
    if (config.on_note && !is_silent)
      config.on_note(decoded.name, decoded.notes);
  }

  bool is_full(const std::vector<DecodedImage>& bucket) const {
    const auto count = int64_t(bucket.size());
    const auto& image = bucket.front().image;
    return count == config.batch_size ||
           (config.max_batch_pixels > 0 &&
            count * image.height * image.width >= config.max_batch_pixels);
  }

  const std::shared_ptr<const ImageSource> source;
  const LoaderConfig config;
  const uint32_t epoch;
  const int64_t end;  // position behind the last of the pass
  const Permutation order;
  Preprocessing how;
  std::vector<bool> unwanted;
  int64_t first_index = -1;  // what first_channels() has decoded already
  SourceImage first;

  const std::vector<int64_t> first_positions;  // that are decoded once more
  const int64_t first_new;                     // the position behind them

  std::vector<DecodedImage> ready;  // images in hand
  size_t taken = 0;                 // how many of them are used
  int64_t after_taken;              // the position behind the last image taken
  std::vector<std::vector<DecodedImage>> waiting;  // by shape, the oldest first
  int64_t num_waiting = 0, waiting_bytes = 0;
  std::set<Shape> full_shapes;  // of this pass, if the rest of them is dropped
  std::vector<SkippedImage> skipped;
  PassNotes notes;
  std::optional<DecodeAhead> decoder;  // last: its threads use the rest
};

Loader::Loader(std::shared_ptr<const ImageSource> source,
               Preprocessing preprocessing, LoaderConfig config, uint32_t epoch,
               const LoaderPosition& from, const std::vector<bool>* skip)
    : impl_(std::make_unique<Impl>(std::move(source), std::move(preprocessing),
                                   config, epoch, from, skip)) {}

Loader::~Loader() = default;

std::optional<ImageBatch> Loader::next() {
  const ProfileZone zone("wait for images");
  return impl_->next();
}

const std::vector<SkippedImage>& Loader::skipped() const {
  return impl_->skipped;
}

const PassNotes& Loader::notes() const {
  return impl_->notes;
}

}  // namespace calotype
