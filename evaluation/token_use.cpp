#include "evaluation/token_use.h"

#include <torch/types.h>

#include <cmath>

#include "core/check.h"
#include "core/error.h"
#include "store/token_packing.h"
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

/// The only value alone, several as a list.
template <class T>
Json one_or_list(const std::vector<T>& values) {
  return values.size() == 1 ? Json(values[0]) : Json(values);
}

}  // namespace

TokenUse::TokenUse(int64_t num_codes, std::vector<int64_t> codebooks)
    : codebooks_(std::move(codebooks)),
      counts_(count_codes(
          torch::zeros({0, int64_t(codebooks_.size())}, torch::kLong),
          codebooks_, num_codes)) {}

void TokenUse::add(const at::Tensor& tokens) {
  check_shape("TokenUse", "tokens", tokens,
              {-1, int64_t(codebooks_.size()), -1, -1});
  const auto on_cpu = tokens.to(torch::kCPU);
  const auto lowest = on_cpu.min().item<int64_t>();
  const auto highest = on_cpu.max().item<int64_t>();
  if (lowest < 0 || highest >= counts_.size(1))
    throw DataError(
        fmt::format("tokens: {} is outside the codebook of {} codes",
                    lowest < 0 ? lowest : highest, counts_.size(1)));
  counts_ += count_codes(on_cpu.movedim(1, -1).flatten(0, -2), codebooks_,
                         counts_.size(1));
}

void TokenUse::write(Json& result, int64_t num_pixels) const {
  const auto num_tokens = double(counts_.sum().item<int64_t>());
  if (num_tokens == 0) return;
  const auto used = counts_.gt(0).sum().item<int64_t>();
  std::vector<double> perplexities;
  std::vector<std::string> histograms;
  double entropy = 0;  // bits of all tokens
  for (const auto& counts : counts_.unbind()) {
    perplexities.push_back(perplexity(counts));
    histograms.push_back(histogram_text(counts));
    entropy +=
        std::log2(perplexities.back()) * double(counts.sum().item<int64_t>());
  }
  const auto bits = bits_per_token(counts_.size(1));
  result["codes"] = counts_.numel();
  result["codes_in_use"] = used;
  result["dead_codes"] = counts_.numel() - used;
  result["perplexity"] = one_or_list(perplexities);
  result["histogram"] = one_or_list(histograms);
  result["bits_per_token"] = bits;
  result["entropy_bits_per_token"] = entropy / num_tokens;
  if (num_pixels == 0) return;
  result["rate_bpp"] = num_tokens * double(bits) / double(num_pixels);
  result["entropy_coded_bpp"] = entropy / double(num_pixels);
}

}  // namespace calotype
