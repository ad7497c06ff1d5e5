#include "tools/token_use.h"

#include <torch/torch.h>

#include <bit>
#include <cmath>

#include "core/error.h"
#include "vqvae/codebook_health.h"

namespace calotype {
namespace {

/// Bars of the codes in order, some codes to a bar.
std::string histogram_text(const at::Tensor& counts) {
  constexpr int64_t kBars = 32;
  static const char* const kHeights[] = {" ", "▁", "▂", "▃", "▄",
                                         "▅", "▆", "▇", "█"};
  const auto num_bars = std::min(kBars, counts.size(0));
  std::vector<int64_t> bars;
  int64_t highest = 1;
  for (int64_t i = 0; i < num_bars; ++i) {
    const auto begin = i * counts.size(0) / num_bars;
    const auto end = (i + 1) * counts.size(0) / num_bars;
    bars.push_back(counts.slice(0, begin, end).sum().item<int64_t>());
    highest = std::max(highest, bars.back());
  }
  std::string text;
  for (const auto bar : bars)
    text += kHeights[(8 * bar + highest - 1) / highest];
  return text;
}

}  // namespace

TokenUse::TokenUse(int64_t num_codes)
    : counts_(torch::zeros({num_codes}, torch::kLong)) {}

void TokenUse::add(const at::Tensor& tokens) {
  const auto flat = tokens.to(torch::kCPU).flatten();
  const auto lowest = flat.min().item<int64_t>();
  const auto highest = flat.max().item<int64_t>();
  if (lowest < 0 || highest >= counts_.size(0))
    throw DataError(
        fmt::format("tokens: {} is outside the codebook of {} codes",
                    lowest < 0 ? lowest : highest, counts_.size(0)));
  counts_ += torch::bincount(flat, {}, counts_.size(0));
}

void TokenUse::write(Json& result, int64_t num_pixels) const {
  const auto num_tokens = double(counts_.sum().item<int64_t>());
  if (num_tokens == 0) return;
  const auto used = counts_.gt(0).sum().item<int64_t>();
  const auto entropy = std::log2(perplexity(counts_));  // bits per token
  const auto bits = std::bit_width(uint64_t(counts_.size(0) - 1));
  result["codes"] = counts_.size(0);
  result["codes_in_use"] = used;
  result["dead_codes"] = counts_.size(0) - used;
  result["perplexity"] = perplexity(counts_);
  result["histogram"] = histogram_text(counts_);
  result["bits_per_token"] = bits;
  result["entropy_bits_per_token"] = entropy;
  if (num_pixels == 0) return;
  result["rate_bpp"] = num_tokens * double(bits) / double(num_pixels);
  result["entropy_coded_bpp"] = num_tokens * entropy / double(num_pixels);
}

}  // namespace calotype
