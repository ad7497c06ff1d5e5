#include "tests/models/original_magvit2.h"

#include <fmt/format.h>

#include <string>

namespace calotype::original {
namespace {

/// `row`.0 and so on.
at::Tensor plain_blocks(Weights& w, const std::string& row, at::Tensor x,
                        int64_t width, int64_t num_blocks) {
  for (int64_t i = 0; i < num_blocks; ++i) {
    const auto block = fmt::format("{}.{}.", row, i);
    const auto layer = [&](const char* name, const at::Tensor& in,
                           int64_t kernel) {
      return conv(w, block + name, in, width, kernel, 1, kernel / 2, false);
    };
    auto h = layer("conv1", at::silu(norm(w, block + "norm1", x, 1e-6)), 3);
    h = layer("conv2", at::silu(norm(w, block + "norm2", h, 1e-6)), 3);
    x = (x.size(1) == width ? x : layer("nin_shortcut", x, 1)) + h;
  }
  return x;
}

}  // namespace

at::Tensor magvit2_encoder(Weights& w, const Autoencoder& c, at::Tensor x,
                           int64_t out) {
  x = conv(w, "encoder.conv_in", x, c.widths[0], 3, 1, 1, false);
  for (size_t i = 0; i < c.widths.size(); ++i) {
    const auto level = fmt::format("encoder.down.{}.", i);
    x = plain_blocks(w, level + "block", x, c.widths[i], c.num_blocks);
    if (i + 1 < c.widths.size())
      x = conv(w, level + "downsample", x, c.widths[i], 3, 2);
  }
  x = plain_blocks(w, "encoder.mid_block", x, x.size(1), c.num_blocks);
  return conv(w, "encoder.conv_out",
              at::silu(norm(w, "encoder.norm_out", x, 1e-6)), out, 1, 1, 0);
}

at::Tensor magvit2_decoder(Weights& w, const Autoencoder& c,
                           const at::Tensor& codes) {
  const auto cells = codes.flatten(2);
  const auto deviation = (cells.var(2) + 1e-6).sqrt(), mean = cells.mean(2);
  auto z = conv(w, "decoder.conv_in", codes, c.widths.back(), 3);
  z = plain_blocks(w, "decoder.mid_block", z, z.size(1), c.num_blocks);
  for (size_t i = c.widths.size(); i-- > 0;) {
    const auto level = fmt::format("decoder.up.{}.", i);
    const auto adaptive = fmt::format("decoder.adaptive.{}.", i);
    const auto per_channel = [&](const char* name, const at::Tensor& rows) {
      return linear(w, adaptive + name, rows, z.size(1))
          .unsqueeze(2)
          .unsqueeze(3);
    };
    z = at::group_norm(z, 32, {}, {}, 1e-6) * per_channel("gamma", deviation) +
        per_channel("beta", mean);
    z = plain_blocks(w, level + "block", z, c.widths[i], c.num_blocks);
    if (i == 0) continue;
    const auto C = z.size(1), H = z.size(2), W = z.size(3);
    z = conv(w, level + "upsample.conv1", z, 4 * C, 3)
            .view({-1, 2, 2, C, H, W})
            .permute({0, 3, 4, 1, 5, 2})
            .reshape({-1, C, 2 * H, 2 * W});
  }
  return conv(w, "decoder.conv_out",
              at::silu(norm(w, "decoder.norm_out", z, 1e-6)), 3, 3);
}

}  // namespace calotype::original
