#pragma once

#include <memory>
#include <string>

#include "core/latent_grid.h"
#include "nn/latent_codec.h"
#include "nn/trainable.h"

namespace calotype {

struct VaeLossConfig {
  std::string reconstruction = "mse";  // mse, l1
  double kl_weight = 1e-3;             // beta
  int64_t kl_anneal_steps = 0;  // beta grows linearly from 0 over so many steps
  double free_bits = 0;         // nats per latent number that cost nothing

  void validate() const;  // throws ConfigError
};

template <class Visitor>
void visit_fields(VaeLossConfig& c, Visitor&& visit) {
  visit("reconstruction", c.reconstruction);
  visit("kl_weight", c.kl_weight);
  visit("kl_anneal_steps", c.kl_anneal_steps);
  visit("free_bits", c.free_bits);
}

/// The parts of the loss, each a scalar averaged over the batch.
struct VaeLoss {
  at::Tensor total;           // what is minimised
  at::Tensor reconstruction;  // mean over pixels of |x - y|^p on [-1,1]
  at::Tensor kl;              // nats per image, summed over the grid
};

/// A negative evidence lower bound per pixel value,
///
///   total = (sum |x - y|^p + beta * KL) / (C H W),  p = 2 (mse) or 1 (l1),
///
/// averaged over the batch: Gaussian (beta = 2 sigma^2) or Laplacian likelihood
/// of arXiv:1312.6114, equation 7, with the weight beta of beta-VAE. KL is
/// summed over the grid; with free bits each latent number's mean over the
/// batch costs only what is above them (arXiv:1606.04934, appendix C.8). `step`
/// sets where annealing is.
VaeLoss vae_loss(const VaeLossConfig& config, const at::Tensor& images,
                 const at::Tensor& reconstruction, const LatentGrid& posterior,
                 int64_t step);

/// Trains any codec whose encoder gives a Gaussian.
class VaeTraining : public Trainable {
 public:
  VaeTraining(std::shared_ptr<LatentCodec> codec, const VaeLossConfig& config);

  Losses losses(const Batch& batch) override;
  torch::nn::Module& module() override { return codec_->module(); }

  /// Rows of eight originals above their reconstructions: [2N,C,H,W].
  at::Tensor preview(const Batch& batch) override;

 private:
  std::shared_ptr<LatentCodec> codec_;
  VaeLossConfig config_;
};

}  // namespace calotype
