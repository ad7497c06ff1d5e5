#pragma once

#include <memory>
#include <string>

#include "core/latent_grid.h"
#include "nn/image_loss.h"
#include "nn/latent_codec.h"
#include "nn/trainable.h"

namespace calotype {

struct VaeLossConfig {
  ImageLossConfig image;        // its keys stand beside the following
  double kl_weight = 1e-3;      // beta
  int64_t kl_anneal_steps = 0;  // beta grows linearly from 0 over so many steps
  double free_bits = 0;         // nats per latent number that cost nothing

  void validate() const;  // throws ConfigError
};

template <class Visitor>
void visit_fields(VaeLossConfig& c, Visitor&& visit) {
  visit_fields(c.image, visit);
  visit("kl_weight", c.kl_weight);
  visit("kl_anneal_steps", c.kl_anneal_steps);
  visit("free_bits", c.free_bits);
}

/// Scalars, averaged over the batch.
struct KlLoss {
  at::Tensor charged;  // what is minimised: per pixel value
  at::Tensor kl;       // nats per image, summed over the grid
};

/// The divergence's share of a negative evidence lower bound per pixel value,
///
///   (sum |x - y|^p + beta * KL) / (C H W),  p = 2 (mse) or 1 (l1),
///
/// averaged over the batch: Gaussian (beta = 2 sigma^2) or Laplacian likelihood
/// of arXiv:1312.6114, equation 7, with the weight beta of beta-VAE. KL is
/// summed over the grid; with free bits each latent number's mean over the
/// batch costs only what is above them (arXiv:1606.04934, appendix C.8). `step`
/// sets where annealing is. Throws ShapeError without a log-variance.
KlLoss kl_loss(const VaeLossConfig& config, const LatentGrid& posterior,
               int64_t values_per_image, int64_t step);

/// Trains any codec whose encoder gives a Gaussian. Images of any size are
/// padded as for encoding, and compared where they are images.
class VaeTraining : public Trainable {
 public:
  VaeTraining(std::shared_ptr<LatentCodec> codec, const VaeLossConfig& config);

  Losses losses(const Batch& batch) override;
  torch::nn::Module& module() override { return codec_->module(); }
  torch::nn::Module& trained_module() override { return *trained_; }

  /// Rows of eight originals above their reconstructions: [2N,C,H,W].
  bool takes_slices(int64_t step) const override {
    return !image_loss_.asks_gradients(step);
  }
  at::Tensor preview(const Batch& batch) override;

 private:
  std::shared_ptr<LatentCodec> codec_;
  VaeLossConfig config_;
  ImageLoss image_loss_;
  std::shared_ptr<torch::nn::Module> trained_;
};

}  // namespace calotype
