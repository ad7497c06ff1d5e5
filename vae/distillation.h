#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/latent_scale.h"
#include "nn/image_loss.h"
#include "nn/latent_codec.h"
#include "nn/trainable.h"
#include "vae/codec_training.h"

namespace calotype {

struct DistillConfig {
  std::string teacher;  // a codec's folder, or a latent store
  // What the student's pictures are compared with: images, those that the
  // latents are of; teacher, what it makes of them; both, at equal weights.
  std::string target = "images";
  double latent_weight = 1;  // of a trained encoder's error

  void validate() const;  // throws ConfigError
};

template <class Visitor>
void visit_fields(DistillConfig& c, Visitor&& visit) {
  visit("teacher", c.teacher);
  visit("target", c.target);
  visit("latent_weight", c.latent_weight);
}

/// The codec that is imitated.
struct DistillTeacher {
  std::shared_ptr<LatentCodec> codec;  // null: latents come with the batches
  LatentScale scale;
};

/// Trains the decoder of a small codec, the student, on the latents of another
/// (TAESD does so: github.com/madebyollin/taesd): draws of the teacher's
/// posterior, turned into the student's scale, are decoded and compared with
/// the images, by the loss of images, or with what the teacher decodes them to.
/// An encoder that is trained too learns the teacher's means, and log-variances
/// where both have them, by mean squared errors.
class Distillation : public Trainable {
 public:
  /// `scale`: the student's. `bound`: of latents that the student's decoder
  /// tells apart, if there is one; a warning says when many are beyond it.
  Distillation(std::shared_ptr<LatentCodec> student, const LatentScale& scale,
               const DistillTeacher& teacher, const DistillConfig& config,
               const CodecLossConfig& loss, std::optional<double> bound = {});

  /// `batch.data`: images; `batch.latents`, `batch.logvar`: theirs, where there
  /// is no teacher to be asked, in its scale.
  Losses losses(const Batch& batch) override;
  torch::nn::Module& module() override { return student_->module(); }
  torch::nn::Module& trained_module() override { return *trained_; }
  bool takes_slices(int64_t step) const override {
    return !image_loss_.asks_gradients(step);
  }

  /// Rows of eight images above what the student makes of their latents:
  /// [2N,C,H,W].
  at::Tensor preview(const Batch& batch) override;

 private:
  LatentGrid teacher_latents(const Batch& batch) const;
  bool trains_encoder() const;
  at::Tensor decoded(const LatentGrid& grid, const at::Tensor& images) const;
  at::Tensor encoder_error(const LatentGrid& grid,
                           const at::Tensor& images) const;
  std::string warning(const at::Tensor& latents) const;

  std::shared_ptr<LatentCodec> student_;
  LatentScale scale_;
  DistillTeacher teacher_;
  DistillConfig config_;
  std::string reconstruction_;
  ImageLoss image_loss_;
  std::shared_ptr<torch::nn::Module> trained_;
  std::optional<double> bound_;
};

}  // namespace calotype
