#include "datasets/loader.h"

#include <ATen/Functions.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/error.h"
#include "core/parallel.h"
#include "core/random.h"
#include "datasets/decode_ahead.h"

namespace calotype {
namespace {

/// Images wait until their shape fills a batch, but no more of them than this
/// many batches: a folder of photographs may hold a thousand shapes.
constexpr int64_t kMaxWaitingBatches = 8;

bool same_shape(const Image& a, const Image& b) {
  return a.height == b.height && a.width == b.width && a.channels == b.channels;
}

ImageBatch make_batch(std::vector<DecodedImage> decoded) {
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
  return config;
}

}  // namespace

struct Loader::Impl {
  Impl(std::shared_ptr<const ImageSource> from, Preprocessing preprocessing,
       LoaderConfig loader_config, uint32_t epoch_number,
       int64_t start_position, const std::vector<bool>* skip)
      : source(std::move(from)),
        config(checked(loader_config)),
        epoch(epoch_number),
        order(source->size(), config.seed, epoch),
        how(std::move(preprocessing)) {
    how.validate();
    check_range("loader", "start_position", double(start_position), 0,
                double(source->size()));
    if (skip) unwanted = *skip;
    if (skip && int64_t(skip->size()) != source->size())
      throw ShapeError(fmt::format("Loader: skip must have {} entries, got {}",
                                   source->size(), skip->size()));
    if (how.channels == 0 && !config.own_channels)
      how.channels = first_channels();
    start(start_position);
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

  void start(int64_t start_position) {
    // Small enough that all workers share the first batch, large enough that
    // locks do not count for tiny images.
    const int64_t share =
        (config.batch_size + config.num_workers - 1) / config.num_workers;
    DecodeAhead::Range range{start_position, source->size(),
                             std::clamp<int64_t>(share, 1, 64)};
    const int64_t ahead =
        config.prefetch * config.batch_size / range.chunk_size;
    range.max_chunks = std::max<int64_t>(ahead, config.num_workers);
    decoder.emplace(range, config.num_workers,
                    [this](int64_t position) { return decode(position); });
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
      decoded.size = {int32_t(loaded.image.height),
                      int32_t(loaded.image.width)};
      decoded.channels = int32_t(loaded.image.channels);
      decoded.hash = loaded.hash;
      decoded.file_bytes = loaded.file_bytes;
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
    return is_first ? std::exchange(first, {}) : source->load(index);
  }

  Image prepare(Image image, const DecodedImage& decoded) const try {
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
      return same_shape(bucket[0].image, image);
    });
    if (found != waiting.end()) return *found;
    return waiting.emplace_back();
  }

  ImageBatch emit(std::vector<DecodedImage>& bucket) {
    auto batch = make_batch(std::move(bucket));
    num_waiting -= int64_t(batch.names.size());
    waiting.erase(waiting.begin() + (&bucket - waiting.data()));
    batch.next_position =
        waiting.empty() ? after_taken : waiting[0][0].position;
    return batch;
  }

  std::optional<ImageBatch> next() {
    while (auto* decoded = take()) {
      after_taken = decoded->position + 1;
      if (!decoded->problem.empty()) {
        skipped.push_back({decoded->index, decoded->name, decoded->problem});
        continue;
      }
      auto& bucket = bucket_of(decoded->image);
      bucket.push_back(std::move(*decoded));
      ++num_waiting;
      if (is_full(bucket)) return emit(bucket);
      if (num_waiting == kMaxWaitingBatches * config.batch_size)
        return emit(waiting[0]);
    }
    after_taken = source->size();
    if (config.drop_last || waiting.empty()) return {};
    return emit(waiting[0]);
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
  const Permutation order;
  Preprocessing how;
  std::vector<bool> unwanted;
  int64_t first_index = -1;  // what first_channels() has decoded already
  SourceImage first;

  std::vector<DecodedImage> ready;  // the chunk in hand
  size_t taken = 0;                 // how many of it are used
  int64_t after_taken = 0;          // the position behind the last image taken
  std::vector<std::vector<DecodedImage>> waiting;  // by shape, the oldest first
  int64_t num_waiting = 0;
  std::vector<SkippedImage> skipped;
  std::optional<DecodeAhead> decoder;  // last: its threads use the rest
};

Loader::Loader(std::shared_ptr<const ImageSource> source,
               Preprocessing preprocessing, LoaderConfig config, uint32_t epoch,
               int64_t start_position, const std::vector<bool>* skip)
    : impl_(std::make_unique<Impl>(std::move(source), std::move(preprocessing),
                                   config, epoch, start_position, skip)) {}

Loader::~Loader() = default;

std::optional<ImageBatch> Loader::next() {
  return impl_->next();
}

const std::vector<SkippedImage>& Loader::skipped() const {
  return impl_->skipped;
}

}  // namespace calotype
