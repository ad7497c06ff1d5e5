#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "nn/trainable.h"
#include "vae/autoencoder.h"
#include "vae/corruption.h"

namespace calotype {

struct SparsityConfig {
  std::string kind = "none";  // none, l1, kl
  double weight = 1e-3;
  double target = 0.05;  // kl: share of images for which a number is active

  void validate() const;  // throws ConfigError
};

template <class Visitor>
void visit_fields(SparsityConfig& c, Visitor&& visit) {
  visit("kind", c.kind);
  visit("weight", c.weight);
  visit("target", c.target);
}

struct ContractiveConfig {
  double weight = 0;       // 0: none
  int64_t num_probes = 1;  // of Hutchinson's estimate
  // Divide by the code's spread, so that a smaller code gains nothing.
  bool relative = false;

  void validate() const;  // throws ConfigError
};

template <class Visitor>
void visit_fields(ContractiveConfig& c, Visitor&& visit) {
  visit("weight", c.weight);
  visit("num_probes", c.num_probes);
  visit("relative", c.relative);
}

struct AutoencoderLossConfig {
  CorruptionConfig corruption;  // of the input; the clean image is the target
  SparsityConfig sparsity;
  ContractiveConfig contractive;
  double kl_weight = 1;  // variational: beta
  int64_t kl_anneal_steps = 0;
  double free_bits = 0;   // nats per code number that cost nothing
  bool binarize = false;  // bce: each value becomes 1 with its own probability
  double hidden_share = 0.75;  // masked: of the patches
  double visible_weight = 0;   // masked: of the error on the others
  int64_t pretrain_steps = 0;  // stacked: for each layer, before all together

  void validate() const;  // throws ConfigError
};

template <class Visitor>
void visit_fields(AutoencoderLossConfig& c, Visitor&& visit) {
  visit("corruption", c.corruption);
  visit("sparsity", c.sparsity);
  visit("contractive", c.contractive);
  visit("kl_weight", c.kl_weight);
  visit("kl_anneal_steps", c.kl_anneal_steps);
  visit("free_bits", c.free_bits);
  visit("binarize", c.binarize);
  visit("hidden_share", c.hidden_share);
  visit("visible_weight", c.visible_weight);
  visit("pretrain_steps", c.pretrain_steps);
}

/// One objective for the family. With the errors of reconstruction.h, averaged
/// over pixel values and batch,
///
///   total = error(x, decode(encode(corrupt(x))))
///         + (sparsity.weight * sparsity + contractive.weight * jacobian
///            + beta * KL) / (C H W),
///
/// so that each weight compares one image's penalty with one image's summed
/// error, and with bce or gaussian a variational total at beta = 1 is the
/// negative evidence lower bound in nats per value. A masked network is judged
/// on its hidden patches (arXiv:2111.06377, section 3). With pretrain_steps,
/// layer k of a dense network and its mirror learn alone to reconstruct what
/// layer k-1 puts out, in turn, and then all together (Bengio et al., "Greedy
/// Layer-Wise Training of Deep Networks", NIPS 2006, section 3).
class AutoencoderTraining : public Trainable {
 public:
  /// Throws ConfigError for settings that do not go with the model, among them
  /// a code as large as the image with nothing that keeps it from copying.
  AutoencoderTraining(CalotypeAutoencoder model,
                      const AutoencoderLossConfig& config);

  Losses losses(const Batch& batch) override;
  torch::nn::Module& module() override { return *model_; }

  /// Rows of eight: what the network is given (where that is not the original),
  /// originals, reconstructions.
  bool takes_slices(int64_t) const override {
    return config_.contractive.weight == 0;
  }
  at::Tensor preview(const Batch& batch) override;

  std::vector<std::string> trained_parameters(int64_t step) const override;

 private:
  int64_t pretrained_layer(int64_t step) const;  // -1: all together
  Losses layer_losses(const Batch& batch, int64_t layer);
  Losses masked_losses(const Batch& batch, const at::Tensor& images);
  Losses code_losses(const Batch& batch, const at::Tensor& images);

  std::shared_ptr<CalotypeAutoencoderImpl> model_;
  AutoencoderLossConfig config_;
};

}  // namespace calotype
