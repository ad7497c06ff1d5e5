#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/pimpl.h>

#include <functional>
#include <memory>
#include <vector>

#include "nn/batch_invariant.h"
#include "nn/layer_norm.h"
#include "nn/model_folder.h"
#include "nn/trainable.h"
#include "nn/transformer_block.h"

namespace calotype {

struct MaskedGeneratorConfig {
  int64_t num_codes = 0;    // K; 0: the store's
  int64_t num_levels = 0;   // L, tokens to a cell; 0: the store's
  int64_t grid_height = 0;  // h; 0: the store's
  int64_t grid_width = 0;   // w
  int64_t num_classes = 0;  // 0: the store's, and none if it has none
  int64_t width = 192;      // channels of a token, a multiple of the heads
  int64_t num_layers = 6;
  int64_t num_attention_heads = 6;

  void validate() const;  // throws ConfigError
};

template <class Visitor>
void visit_fields(MaskedGeneratorConfig& c, Visitor&& visit) {
  visit("num_codes", c.num_codes);
  visit("num_levels", c.num_levels);
  visit("grid_height", c.grid_height);
  visit("grid_width", c.grid_width);
  visit("num_classes", c.num_classes);
  visit("width", c.width);
  visit("num_layers", c.num_layers);
  visit("num_attention_heads", c.num_attention_heads);
}

/// A bidirectional transformer over a grid of tokens, some of which are hidden
/// (MaskGIT, arXiv:2202.04200, section 3). Tokens of several levels follow one
/// another, T = L h w, each level with codes of its own. Ours in its names.
class MaskedGeneratorImpl : public torch::nn::Module {
 public:
  static constexpr const char* kClassName = "CalotypeMaskedGenerator";

  explicit MaskedGeneratorImpl(const MaskedGeneratorConfig& config);

  /// `tokens`: int64 [N,T] in [0,K], K for a hidden one; `labels`: int64 [N] in
  /// [-1,num_classes), -1 for none. Returns logits [N,T,K].
  torch::Tensor forward(const torch::Tensor& tokens,
                        const torch::Tensor& labels);

  int64_t num_tokens() const {
    return config_.num_levels * config_.grid_height * config_.grid_width;
  }
  const MaskedGeneratorConfig& config() const { return config_; }

 private:
  at::Tensor forward_rows(const at::Tensor& tokens, const at::Tensor& labels);

  MaskedGeneratorConfig config_;
  torch::nn::Embedding token_embed_{nullptr}, label_embed_{nullptr};
  torch::Tensor positions_;  // [1,T,width], learned
  std::vector<TransformerBlock> blocks_;
  LayerNorm norm_{nullptr};
  Linear head_{nullptr};
};
TORCH_MODULE(MaskedGenerator);

/// Reads a model folder. Throws ConfigError for another class, DataError for
/// weights that do not fit.
MaskedGenerator load_masked_generator(const ModelFolder& folder);

/// A batch of token grids to draw.
struct TokenRequest {
  at::Tensor samples;  // int64 [N], names each grid's random draws
  at::Tensor labels;   // int64 [N], -1 for none
  uint64_t seed = 0;
  int64_t num_steps = 12;
  double guidance = 1;       // 1: as the class says; more: further away
  double temperature = 4.5;  // of the noise on the confidences, falling to 0
  // Called after each step of some of the grids, with what they would be if
  // nothing were drawn again, [n,L h w]; may throw to break off.
  std::function<void(int64_t steps_done, const at::Tensor& guess)> on_step;
};

/// Draws tokens by revealing, in each step, those that the network is surest of
/// (arXiv:2202.04200, section 3.2), along a cosine. Row k is a function of
/// (seed, samples[k], labels[k]) and the settings. Returns int64 [N,L,h,w] on
/// the CPU. Throws ConfigError for labels or settings that cannot be.
at::Tensor draw_tokens(MaskedGeneratorImpl& model, const TokenRequest& request);

struct MaskedTokenLossConfig {
  double label_dropout = 0.1;    // share of labels hidden, for guidance
  double label_smoothing = 0.1;  // of the cross-entropy

  void validate() const;  // throws ConfigError
};

template <class Visitor>
void visit_fields(MaskedTokenLossConfig& c, Visitor&& visit) {
  visit("label_dropout", c.label_dropout);
  visit("label_smoothing", c.label_smoothing);
}

/// Trains it: the cross-entropy of hidden tokens, of which there are
/// cos(u pi / 2) of all with u uniform (arXiv:2202.04200, section 3.3).
/// `Batch::data`: int64 [N,L,h,w].
class MaskedTokenTraining : public Trainable {
 public:
  MaskedTokenTraining(std::shared_ptr<MaskedGeneratorImpl> model,
                      const MaskedTokenLossConfig& config);

  Losses losses(const Batch& batch) override;
  torch::nn::Module& module() override { return *model_; }

  /// Drawn grids of tokens, their classes in turn; the same draws each time. 16
  /// of them, fewer if they are large.
  at::Tensor preview(const Batch& batch) override;

 private:
  std::shared_ptr<MaskedGeneratorImpl> model_;
  MaskedTokenLossConfig config_;
};

}  // namespace calotype
