#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "images/image.h"
#include "images/image_notes.h"

namespace calotype {

/// What became of one image of a pass.
struct DecodedImage {
  int64_t position = 0;  // in the pass
  int64_t index = 0;     // in the source
  std::string name;
  std::string problem;  // why it is bad; the rest is then unset
  Image image;
  int64_t label = -1;
  std::array<int32_t, 2> size{};  // height, width as in the file
  int32_t channels = 0;           // likewise
  uint64_t hash = 0;
  int64_t file_bytes = 0;
  ImageNotes notes;
};

/// Calls a function for each position of a range on worker threads, a bounded
/// way ahead of who takes the results, and hands them out in order. The
/// destructor waits for no more than the images that are being decoded.
class DecodeAhead {
 public:
  struct Range {
    int64_t begin = 0, end = 0;
    int64_t chunk_size = 1;  // positions that one worker takes at a time
    int64_t max_chunks = 1;  // decoded or being decoded at any time
    // Of pixels that are decoded and not taken, where no worker begins another
    // image but the one that is waited for: what there is at most is this and
    // one image, or 1 MiB of smaller ones, a worker.
    int64_t max_bytes = INT64_MAX;
  };

  /// `decode` is called from several threads; it gives nothing for a position
  /// that is not wanted.
  using Decode = std::function<std::optional<DecodedImage>(int64_t position)>;

  DecodeAhead(const Range& range, int num_workers, Decode decode);
  ~DecodeAhead();

  /// The next images, perhaps none; no vector at the end. They count as taken
  /// when more are asked for. Throws what `decode` threw, after the images
  /// ahead of it, and again at each later call.
  std::optional<std::vector<DecodedImage>> next();

 private:
  struct Chunk {
    std::vector<DecodedImage> images;  // that are ready
    bool is_done = false;              // there will be no more
    std::exception_ptr error;
  };

  void work(std::stop_token stop);
  void decode_chunk(int64_t number, const std::stop_token& stop);
  void publish(int64_t number, std::vector<DecodedImage> images);
  bool wait_for_room(int64_t number, const std::stop_token& stop);

  const Range range_;
  const Decode decode_;
  const int64_t num_chunks_;
  std::mutex mutex_;
  std::condition_variable_any may_decode_, may_take_;
  int64_t next_to_start_ = 0, next_to_take_ = 0;
  std::map<int64_t, Chunk> begun_;
  int64_t ready_bytes_ = 0;  // of what is ready, and of what was taken last
  int64_t taken_bytes_ = 0;  // of the latter
  std::vector<std::jthread> workers_;  // last: they end before what they use
};

}  // namespace calotype
