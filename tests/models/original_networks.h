#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

// The networks of other projects, written after the layouts of their
// checkpoints with LibTorch's functions alone: a second implementation to hold
// conversions to. Weights are drawn where they are first used, so that what is
// computed also says what a checkpoint holds.
namespace calotype::original {

/// Weights under their projects' names.
class Weights {
 public:
  explicit Weights(uint64_t seed) { at::manual_seed(seed); }

  /// Those of one element a row near 1 for norms, else normal numbers that keep
  /// the scale of what goes through.
  at::Tensor get(const std::string& name, std::vector<int64_t> shape);

  std::map<std::string, at::Tensor> tensors;
};

at::Tensor conv(Weights& w, const std::string& name, const at::Tensor& x,
                int64_t out, int64_t kernel, int64_t stride = 1,
                int64_t padding = 1, bool bias = true);
at::Tensor linear(Weights& w, const std::string& name, const at::Tensor& x,
                  int64_t out);
at::Tensor norm(Weights& w, const std::string& name, const at::Tensor& x,
                double eps);

/// Encoder and decoder of latent-diffusion and taming-transformers, or of
/// LlamaGen.
struct Autoencoder {
  std::vector<int64_t> widths;
  int64_t num_blocks = 1;
  std::vector<bool> attention;  // of each level, the finest first
  bool mid_attention = true;
  bool is_llamagen = false;
};
at::Tensor encoder(Weights& w, const Autoencoder& c, at::Tensor x, int64_t out,
                   const std::string& prefix = "");
at::Tensor decoder(Weights& w, const Autoencoder& c, at::Tensor z,
                   const std::string& prefix = "");

/// latent-diffusion's U-Net.
struct Unet {
  std::vector<int64_t> widths;
  int64_t num_blocks = 1;
  std::vector<bool> attention;
  int64_t head_channels = 16;
  bool new_order = false;    // use_new_attention_order
  bool scale_shift = false;  // use_scale_shift_norm
  int64_t num_classes = 0;
};
at::Tensor unet(Weights& w, const Unet& c, const at::Tensor& x,
                const at::Tensor& timesteps, const at::Tensor& labels,
                const std::string& prefix);

/// Images in [0,1] to latents and back.
at::Tensor taesd_encoder(Weights& w, at::Tensor x, int64_t width,
                         std::vector<int64_t> num_blocks, int64_t out);
at::Tensor taesd_decoder(Weights& w, at::Tensor z, int64_t width,
                         std::vector<int64_t> num_blocks);

struct Dit {
  int64_t width = 0, depth = 1, heads = 1, patch = 2, num_classes = 0;
};
at::Tensor dit(Weights& w, const Dit& c, const at::Tensor& x,
               const at::Tensor& timesteps, const at::Tensor& labels);

}  // namespace calotype::original
