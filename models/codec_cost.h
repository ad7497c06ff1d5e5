#pragma once

#include <c10/core/Device.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/config.h"
#include "datasets/image_source.h"
#include "images/transforms.h"
#include "nn/latent_codec.h"
#include "nn/precision.h"

namespace calotype {

enum class CodecPass { kEncode, kDecode, kBoth };  // both: one after the other

/// What a row of a batch costs.
struct RowCost {
  int64_t bytes = 0;   // in flight, from above
  double seconds = 0;  // on all threads, about
};

/// What an image of some size costs a codec, in the precision that networks
/// compute in just now. From trials on images of 64x64 and, where that does not
/// tell enough, 128x128: layers each see a part of the image, so that memory
/// and time grow with its pixels, and attention has no memory of its own
/// (nn/scaled_dot_product.h).
class CodecCost {
 public:
  CodecCost(std::shared_ptr<LatentCodec> codec, c10::Device device)
      : codec_(std::move(codec)), device_(device) {}

  RowCost of(CodecPass pass, int64_t height, int64_t width);

  /// Of an image of a set as it is prepared: where sizes differ, the memory of
  /// the largest of some that are looked at, and the time of their mean.
  RowCost of(CodecPass pass, const ImageSource& source,
             const Preprocessing& preprocessing);

  /// Throws ConfigError where not one image of this size fits into what is left
  /// of the memory (core/memory.h), naming what it needs and the largest that
  /// would fit; `where` comes first. Costs a trial of 64x64 at most where it
  /// fits by far.
  void expect_fits(CodecPass pass, int64_t height, int64_t width,
                   const std::string& where);

 private:
  struct Trial {
    double pixels = 0, bytes = 0, seconds = 0;
  };
  using Trials = std::array<Trial, 2>;

  Trial tried(CodecPass pass, int64_t edge) const;
  const Trial& small(CodecPass pass);
  const Trials& both(CodecPass pass);
  double pixels(int64_t height, int64_t width) const;

  std::shared_ptr<LatentCodec> codec_;
  c10::Device device_;
  std::map<std::pair<CodecPass, Precision>, Trials> trials_;
};

/// Sizes, height and width, of images of a set as they are prepared: one where
/// all have it, else of up to eight that are spread over the set, or of the
/// first where that is all that can be had quickly.
std::vector<std::array<int64_t, 2>> some_sizes(
    const ImageSource& source, const Preprocessing& preprocessing);

/// What --dry-run says of `count` rows in batches: seconds, rows in flight,
/// memory in all and what may be taken.
Json expected_cost(const RowCost& row, int64_t count, int64_t batch_size);

}  // namespace calotype
