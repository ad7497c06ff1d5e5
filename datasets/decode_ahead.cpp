#include "datasets/decode_ahead.h"

#include <algorithm>
#include <utility>

#include "core/parallel.h"

namespace calotype {

DecodeAhead::DecodeAhead(const Range& range, int num_workers, Decode decode)
    : range_(range),
      decode_(std::move(decode)),
      num_chunks_((range.end - range.begin + range.chunk_size - 1) /
                  range.chunk_size) {
  for (int i = 0; i < num_workers; ++i)
    workers_.emplace_back([this](std::stop_token stop) { work(stop); });
}

std::optional<std::vector<DecodedImage>> DecodeAhead::next() {
  std::unique_lock lock(mutex_);
  if (next_to_take_ == num_chunks_) return {};
  may_take_.wait(lock, [&] { return done_.contains(next_to_take_); });
  auto& chunk = done_.at(next_to_take_);
  if (chunk.error && chunk.images.empty()) std::rethrow_exception(chunk.error);
  auto images = std::exchange(chunk.images, {});
  if (!chunk.error) {
    done_.erase(next_to_take_++);
    may_start_.notify_one();
  }
  return images;
}

void DecodeAhead::work(std::stop_token stop) {
  use_one_thread();  // the workers are many already
  std::unique_lock lock(mutex_);
  const auto has_room = [&] {
    return next_to_start_ < next_to_take_ + range_.max_chunks;
  };
  while (may_start_.wait(lock, stop, has_room) &&
         next_to_start_ < num_chunks_) {
    const int64_t number = next_to_start_++;
    lock.unlock();
    auto chunk = decode_chunk(number, stop);
    lock.lock();
    done_.emplace(number, std::move(chunk));
    may_take_.notify_one();
  }
}

DecodeAhead::Chunk DecodeAhead::decode_chunk(
    int64_t chunk, const std::stop_token& stop) const {
  Chunk done;
  const int64_t begin = range_.begin + chunk * range_.chunk_size;
  const int64_t end = std::min(begin + range_.chunk_size, range_.end);
  try {
    for (int64_t position = begin; position < end && !stop.stop_requested();
         ++position)
      if (auto image = decode_(position))
        done.images.push_back(std::move(*image));
  } catch (...) {
    done.error = std::current_exception();
  }
  return done;
}

}  // namespace calotype
