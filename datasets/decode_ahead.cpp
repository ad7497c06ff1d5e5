#include "datasets/decode_ahead.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/parallel.h"

namespace calotype {
namespace {

/// Small images are handed over together, since a lock costs more than one.
constexpr int64_t kHandOverBytes = 1 << 20;

int64_t bytes_of(const std::vector<DecodedImage>& images) {
  int64_t bytes = 0;
  for (const auto& image : images) bytes += int64_t(image.image.pixels.size());
  return bytes;
}

}  // namespace

DecodeAhead::DecodeAhead(const Range& range, int num_workers, Decode decode)
    : range_(range),
      decode_(std::move(decode)),
      num_chunks_((range.end - range.begin + range.chunk_size - 1) /
                  range.chunk_size) {
  for (int i = 0; i < num_workers; ++i)
    workers_.emplace_back([this](std::stop_token stop) { work(stop); });
}

DecodeAhead::~DecodeAhead() {
  // All of them first: each would else go on while the one before it is waited
  // for.
  for (auto& worker : workers_) worker.request_stop();
}

std::optional<std::vector<DecodedImage>> DecodeAhead::next() {
  std::unique_lock lock(mutex_);
  ready_bytes_ -= std::exchange(taken_bytes_, 0);
  may_decode_.notify_all();
  if (next_to_take_ == num_chunks_) return {};
  may_take_.wait(lock, [&] {
    const auto found = begun_.find(next_to_take_);
    return found != begun_.end() &&
           (found->second.is_done || !found->second.images.empty());
  });
  auto& chunk = begun_.at(next_to_take_);
  if (chunk.error && chunk.images.empty()) std::rethrow_exception(chunk.error);
  auto images = std::exchange(chunk.images, {});
  taken_bytes_ = bytes_of(images);
  if (chunk.is_done && !chunk.error) {
    begun_.erase(next_to_take_++);
    may_decode_.notify_all();
  }
  return images;
}

void DecodeAhead::work(std::stop_token stop) {
  use_one_thread();  // the workers are many already
  std::unique_lock lock(mutex_);
  const auto has_room = [&] {
    return next_to_start_ < next_to_take_ + range_.max_chunks;
  };
  while (may_decode_.wait(lock, stop, has_room) &&
         next_to_start_ < num_chunks_) {
    const int64_t number = next_to_start_++;
    begun_.try_emplace(number);
    lock.unlock();
    std::exception_ptr error;
    try {
      decode_chunk(number, stop);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    auto& chunk = begun_.at(number);
    chunk.is_done = true;
    chunk.error = error;
    may_take_.notify_one();
  }
}

void DecodeAhead::decode_chunk(int64_t number, const std::stop_token& stop) {
  const int64_t begin = range_.begin + number * range_.chunk_size;
  const int64_t end = std::min(begin + range_.chunk_size, range_.end);
  std::vector<DecodedImage> images;
  int64_t num_bytes = kHandOverBytes;  // room is asked for at the beginning
  try {
    for (int64_t position = begin; position < end; ++position) {
      if (num_bytes >= kHandOverBytes) {
        publish(number, std::exchange(images, {}));
        num_bytes = 0;
        if (!wait_for_room(number, stop)) return;
      }
      if (stop.stop_requested()) return;
      auto image = decode_(position);
      if (!image) continue;
      num_bytes += int64_t(image->image.pixels.size());
      images.push_back(std::move(*image));
    }
  } catch (...) {
    publish(number, std::move(images));
    throw;
  }
  publish(number, std::move(images));
}

void DecodeAhead::publish(int64_t number, std::vector<DecodedImage> images) {
  if (images.empty()) return;
  const std::lock_guard lock(mutex_);
  ready_bytes_ += bytes_of(images);
  auto& ready = begun_.at(number).images;
  std::move(images.begin(), images.end(), std::back_inserter(ready));
  may_take_.notify_one();
}

/// False if there is nothing more to do. The chunk that is waited for always
/// has room for an image, so that the largest of images comes through.
bool DecodeAhead::wait_for_room(int64_t number, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  return may_decode_.wait(lock, stop, [&] {
    return ready_bytes_ < range_.max_bytes ||
           (number == next_to_take_ && begun_.at(number).images.empty());
  });
}

}  // namespace calotype
