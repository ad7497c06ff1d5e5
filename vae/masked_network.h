#pragma once

#include <vector>

#include "nn/batch_invariant.h"
#include "nn/layer_norm.h"
#include "nn/transformer_block.h"
#include "vae/code_network.h"

namespace calotype {

struct MaskedNetworkConfig {
  int64_t image_channels = 1;  // C
  int64_t sample_size = 28;    // H and W
  int64_t patch_size = 4;      // p
  int64_t width = 96;          // of the encoder's tokens
  int64_t num_layers = 4;
  int64_t num_heads = 4;
  int64_t code_channels = 96;  // D, of each token's code
  int64_t decoder_width = 64;
  int64_t decoder_layers = 2;
};

/// A masked autoencoder (He et al., arXiv:2111.06377, section 3): a transformer
/// that sees the visible patches alone, and a light one that is told where the
/// hidden ones were. Parameters have the names of its published code:
/// patch_embed.proj, blocks.I, norm; decoder_embed, mask_token,
/// decoder_blocks.I, decoder_norm, decoder_pred; `code` is ours, from the width
/// to D.
class MaskedNetwork : public CodeNetwork {
 public:
  explicit MaskedNetwork(const MaskedNetworkConfig& config);

  /// All patches visible: a code for each, [N,D,H/p,W/p].
  at::Tensor encode(const at::Tensor& images) override;
  at::Tensor decode(const at::Tensor& code) override;
  int64_t downsample() const override { return config_.patch_size; }

  /// Images as the decoder sees them from the patches that `visible` names:
  /// int64 [N,V], positions in [0,L) in row order. Returns [N,C,H,W].
  at::Tensor complete(const at::Tensor& images, const at::Tensor& visible);

  int64_t num_patches() const { return grid_ * grid_; }  // L

 private:
  at::Tensor tokens(const at::Tensor& images);  // [N,L,W] with positions
  at::Tensor codes(at::Tensor tokens);          // [N,V,W] -> [N,V,D]
  at::Tensor pixels(at::Tensor tokens);         // [N,L,decoder] -> [N,C,H,W]

  MaskedNetworkConfig config_;
  int64_t grid_;  // patches along an edge
  at::Tensor positions_, decoder_positions_, mask_token_;
  Conv2d patch_proj_{nullptr};
  std::vector<TransformerBlock> blocks_, decoder_blocks_;
  LayerNorm norm_{nullptr}, decoder_norm_{nullptr};
  Linear code_{nullptr}, decoder_embed_{nullptr}, decoder_pred_{nullptr};
};

/// Which patches stay visible: for each sample a random subset of
/// round((1 - share) L), at least one, sorted. int64 [N,V].
at::Tensor visible_patches(int64_t num_patches, double hidden_share,
                           const at::Tensor& samples, uint64_t seed,
                           int64_t step);

}  // namespace calotype
