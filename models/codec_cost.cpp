#include "models/codec_cost.h"

#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <torch/types.h>

#include <algorithm>
#include <vector>

#include "core/error.h"
#include "core/memory.h"
#include "core/progress.h"
#include "core/runtime.h"
#include "core/slices.h"
#include "nn/row_memory.h"

namespace calotype {
namespace {

constexpr int64_t kSmallTrial = 64;  // edge in pixels, at least

int64_t rounded_up(int64_t size, int64_t step) {
  return (size + step - 1) / step * step;
}

}  // namespace

/// One pass over an image of zeros.
CodecCost::Trial CodecCost::tried(CodecPass pass, int64_t edge) const {
  const c10::InferenceMode inference;
  const bool encodes = pass == CodecPass::kEncode;
  const auto side = encodes ? edge : edge / codec_->downsample();
  const auto input =
      torch::zeros(
          {1, encodes ? codec_->image_channels() : codec_->latent_channels(),
           side, side})
          .to(device_);
  const TensorMemory memory;
  const double begin = monotonic_s();
  if (encodes)
    codec_->encode(input).mean.to(torch::kCPU);
  else
    codec_->decode(input).to(torch::kCPU);
  return {.pixels = double(edge * edge),
          .bytes = double(memory.peak_bytes()),
          .seconds = monotonic_s() - begin};
}

const CodecCost::Trial& CodecCost::small(CodecPass pass) {
  auto& first = trials_[{pass, current_precision()}][0];
  if (first.pixels == 0)
    first = tried(pass, rounded_up(codec_->fixed_size().value_or(kSmallTrial),
                                   codec_->downsample()));
  return first;
}

const CodecCost::Trials& CodecCost::both(CodecPass pass) {
  small(pass);
  auto& trials = trials_[{pass, current_precision()}];
  if (trials[1].pixels == 0 && !codec_->fixed_size()) {
    const auto step = codec_->downsample();
    const auto edge = rounded_up(kSmallTrial, step);
    trials[0].seconds = tried(pass, edge).seconds;  // without setting up
    trials[1] = tried(pass, 2 * edge);
  }
  return trials;
}

/// Of the image that is padded to what the codec takes.
double CodecCost::pixels(int64_t height, int64_t width) const {
  const auto step = codec_->downsample();
  return double(rounded_up(height, step)) * double(rounded_up(width, step));
}

namespace {

/// On the line through two points; the first alone is a constant.
double on_line(double at, double x0, double y0, double x1, double y1) {
  if (x1 == 0) return y0;
  return std::max(0.0, y0 + std::max(0.0, y1 - y0) / (x1 - x0) * (at - x0));
}

}  // namespace

RowCost CodecCost::of(CodecPass pass, int64_t height, int64_t width) {
  if (pass == CodecPass::kBoth) {
    const auto there = of(CodecPass::kEncode, height, width),
               back = of(CodecPass::kDecode, height, width);
    return {.bytes = std::max(there.bytes, back.bytes),
            .seconds = there.seconds + back.seconds};
  }
  const auto& [a, b] = both(pass);
  const auto at = pixels(height, width);
  return {.bytes = with_scratch(
              int64_t(on_line(at, a.pixels, a.bytes, b.pixels, b.bytes))),
          .seconds = on_line(at, a.pixels, a.seconds, b.pixels, b.seconds)};
}

RowCost CodecCost::of(CodecPass pass, const ImageSource& source,
                      const Preprocessing& preprocessing) {
  RowCost cost;
  const auto sizes = some_sizes(source, preprocessing);
  for (const auto& [height, width] : sizes) {
    const auto one = of(pass, height, width);
    cost.bytes = std::max(cost.bytes, one.bytes);
    cost.seconds += one.seconds / double(sizes.size());
  }
  return cost;
}

void CodecCost::expect_fits(CodecPass pass, int64_t height, int64_t width,
                            const std::string& where) {
  if (pass == CodecPass::kBoth) {
    expect_fits(CodecPass::kEncode, height, width, where);
    return expect_fits(CodecPass::kDecode, height, width, where);
  }
  if (memory_limit() == 0) return;
  const auto left = memory_left();
  const auto& first = small(pass);
  const double share = std::max(1.0, pixels(height, width) / first.pixels);
  if (double(with_scratch(int64_t(share * first.bytes))) <= double(left))
    return;
  const auto needs = of(pass, height, width).bytes;
  if (needs <= left) return;
  const auto step = codec_->downsample();
  int64_t fits = 0;  // edge, in steps
  for (auto more = int64_t{1} << 16; more > 0; more /= 2)
    if (const auto edge = (fits + more) * step;
        of(pass, edge, edge).bytes <= left)
      fits += more;
  throw ConfigError(fmt::format(
      "{}: {} an image of {}x{} needs about {} of memory, and {} are left of "
      "{} (--memory): {}",
      where, pass == CodecPass::kEncode ? "encoding" : "decoding", width,
      height, bytes_text(double(needs)), bytes_text(double(left)),
      bytes_text(double(memory_limit())),
      fits == 0 || codec_->fixed_size()
          ? "no smaller one fits"
          : fmt::format("{0}x{0} would fit", fits * step)));
}

std::vector<std::array<int64_t, 2>> some_sizes(
    const ImageSource& source, const Preprocessing& preprocessing) {
  constexpr int64_t kProbes = 8;
  if (const auto edge = preprocessing.size; edge > 0) return {{{edge, edge}}};
  std::vector<std::array<int64_t, 2>> sizes;
  const auto probes =
      std::min(source.is_in_order() ? 1 : kProbes, source.size());
  for (int64_t i = 0; i < probes; ++i) try {
      const auto image = source.load(i * source.size() / probes).image;
      sizes.push_back({image.height, image.width});
    } catch (const DataError&) {  // reported when its turn comes
    }
  return sizes;
}

Json expected_cost(const RowCost& row, int64_t count, int64_t batch_size) {
  const auto rows =
      std::min({std::max<int64_t>(1, count), batch_size,
                rows_in_flight(row.bytes, num_slice_threads(), at::kCPU)});
  Json expected{{"seconds", row.seconds * double(count)},
                {"rows_in_flight", rows},
                {"memory_bytes", memory_in_use() + rows * row.bytes}};
  if (memory_limit() > 0) expected["memory_limit_bytes"] = memory_limit();
  return expected;
}

}  // namespace calotype
