#include "vae/distillation.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <utility>

#include "core/check.h"
#include "core/error.h"
#include "core/random.h"
#include "nn/padding.h"
#include "nn/preview.h"
#include "vae/gaussian.h"

namespace calotype {
namespace {

at::Tensor error_between(const std::string& kind, const at::Tensor& a,
                         const at::Tensor& b) {
  return kind == "l1" ? (a - b).abs().mean() : (a - b).square().mean();
}

}  // namespace

void DistillConfig::validate() const {
  check_one_of("distill", "target", target, {"images", "teacher", "both"});
  check_range("distill", "latent_weight", latent_weight, 0, 1e6);
}

Distillation::Distillation(std::shared_ptr<LatentCodec> student,
                           const LatentScale& scale,
                           const DistillTeacher& teacher,
                           const DistillConfig& config,
                           const CodecLossConfig& loss,
                           std::optional<double> bound)
    : student_(std::move(student)),
      scale_(scale),
      teacher_(teacher),
      config_(config),
      reconstruction_(loss.image.reconstruction),
      image_loss_(loss.image, student_->image_channels()),
      trained_(image_loss_.with_discriminator(student_->module())),
      bound_(bound) {
  config.validate();
  loss.validate();
  if (!teacher_.codec && config.target != "images")
    throw ConfigError(fmt::format(
        "distill: target {} needs the teacher itself, and there are its "
        "latents alone",
        config.target));
  if (teacher_.codec) {
    teacher_.codec->module().eval();
    for (auto& parameter : teacher_.codec->module().parameters())
      parameter.set_requires_grad(false);
  }
}

LatentGrid Distillation::teacher_latents(const Batch& batch) const {
  if (batch.latents.defined())
    return {.mean = batch.latents, .logvar = batch.logvar};
  if (!teacher_.codec)
    throw ShapeError("Distillation: a batch without latents, and no teacher");
  const at::NoGradGuard no_grad;
  return teacher_.codec->encode(
      pad_to_multiple(batch.data, student_->downsample()));
}

bool Distillation::trains_encoder() const {
  for (const auto& item : student_->module().named_parameters())
    if (item.value().requires_grad() && !item.key().starts_with("decoder.") &&
        !item.key().starts_with("post_quant_conv."))
      return true;
  return false;
}

at::Tensor Distillation::decoded(const LatentGrid& grid,
                                 const at::Tensor& images) const {
  return crop_to(student_->decode(rescaled(grid.mean, teacher_.scale, scale_)),
                 images.size(2), images.size(3));
}

at::Tensor Distillation::encoder_error(const LatentGrid& grid,
                                       const at::Tensor& images) const {
  const auto wanted = rescaled(grid, teacher_.scale, scale_);
  const auto got =
      student_->encode(pad_to_multiple(images, student_->downsample()));
  auto error = error_between("mse", got.mean, wanted.mean);
  if (got.logvar.defined() && wanted.logvar.defined())
    error = error + error_between("mse", got.logvar, wanted.logvar);
  return error;
}

std::string Distillation::warning(const at::Tensor& latents) const {
  constexpr double kMany = 0.05;
  if (!bound_) return {};
  const auto own = rescaled(latents, teacher_.scale, scale_);
  const auto beyond =
      own.abs().gt(*bound_).to(at::kDouble).mean().item<double>();
  if (beyond < kMany) return {};
  return fmt::format(
      "{:.0f} % of the teacher's latents are beyond {:g} in the student's "
      "scale, "
      "where its decoder hardly tells them apart; model.scaling_factor {:.3g} "
      "makes their spread 1",
      100 * beyond, *bound_,
      scale_.scale * own.to(at::kDouble).std().item<double>());
}

Losses Distillation::losses(const Batch& batch) {
  const at::AutoGradMode with_gradients(
      at::GradMode::is_enabled() ||
      image_loss_.asks_gradients(batch.steps_done));
  const auto& images = batch.data;
  const auto grid = teacher_latents(batch);
  const auto noise =
      normal_rows(grid.mean.sizes().slice(1), batch.samples, batch.seed,
                  Stream::kPosterior, uint32_t(batch.step));
  const LatentGrid drawn{.mean = sample(grid, noise.to(grid.mean.device()))};
  at::Tensor of_teacher;
  if (config_.target != "images") {
    const at::NoGradGuard no_grad;
    of_teacher = crop_to(teacher_.codec->decode(drawn.mean), images.size(2),
                         images.size(3));
  }
  const auto made = decoded(drawn, images);
  const auto image = image_loss_(
      made, config_.target == "teacher" ? of_teacher : images,
      student_->module(), batch.steps_done, at::GradMode::is_enabled());
  Losses losses{.total = image.codec + image.discriminator,
                .parts = image.parts,
                .warning = warning(drawn.mean)};
  const auto add = [&](const char* name, double weight, at::Tensor error) {
    losses.total = losses.total + weight * error;
    losses.parts.emplace_back(name, error);
  };
  if (config_.target == "both")
    add("teacher", 1, error_between(reconstruction_, made, of_teacher));
  if (config_.latent_weight > 0 && trains_encoder())
    add("latent", config_.latent_weight, encoder_error(grid, images));
  return losses;
}

at::Tensor Distillation::preview(const Batch& batch) {
  return interleave_rows(
      {batch.data, decoded(teacher_latents(batch), batch.data)});
}

}  // namespace calotype
