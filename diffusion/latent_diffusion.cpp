#include "diffusion/latent_diffusion.h"

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include "core/check.h"
#include "core/error.h"
#include "core/random.h"
#include "core/stop_signal.h"
#include "diffusion/initial_latents.h"
#include "diffusion/noise_levels.h"

namespace calotype {
namespace {

// Evaluation mode and no gradients for as long as it lives.
class Inference {
 public:
  explicit Inference(torch::nn::Module& module)
      : module_(module), was_training_(module.is_training()) {
    module_.eval();
  }
  ~Inference() { module_.train(was_training_); }
  Inference(const Inference&) = delete;
  Inference& operator=(const Inference&) = delete;

 private:
  torch::nn::Module& module_;
  bool was_training_;
  at::NoGradGuard no_grad_;
};

at::Device device_of(const torch::nn::Module& module) {
  const auto parameters = module.parameters();
  return parameters.empty() ? at::Device(at::kCPU)
                            : parameters.front().device();
}

}  // namespace

void PreviewConfig::validate() const {
  const auto* where = "preview";
  check_range(where, "count", double(count), 1, 1024);
  check_range(where, "num_steps", double(num_steps), 1, 1e6);
  check_range(where, "guidance", guidance, 0, 1000);
}

LatentDiffusion::LatentDiffusion(std::shared_ptr<Denoiser> denoiser,
                                 const LatentDiffusionConfig& config,
                                 const LatentSpace& space)
    : denoiser_(std::move(denoiser)),
      config_(config),
      space_(space),
      objective_(config.objective, config.scheduler.schedule, space) {
  config_.scheduler.validate();
  config_.preview.validate();
  const auto& schedule = config_.scheduler.schedule;
  const auto [low, high] = timestep_range(schedule);
  if (!denoiser_->takes_timesteps(low, high))
    throw ConfigError(fmt::format(
        "latent diffusion: the network's embedding of time cannot be told "
        "timesteps from {:g} to {:g}, which prediction_type {} needs; use "
        "time_embedding_type positional",
        low, high, schedule.prediction_type));
  const auto named = int64_t(space_.class_names.size());
  const auto known = denoiser_->num_classes();
  if (known > 0 && named > known)
    throw ConfigError(fmt::format(
        "latent diffusion: the latents have {} classes, the network knows {}",
        named, known));
}

Losses LatentDiffusion::losses(const Batch& batch) {
  const auto device = device_of(module());
  Batch here = batch;
  here.data = batch.data.to(device);
  if (batch.logvar.defined()) here.logvar = batch.logvar.to(device);
  if (batch.labels.defined()) here.labels = batch.labels.to(device);
  return objective_.losses(*denoiser_, here);
}

at::Tensor LatentDiffusion::preview(const Batch& batch) {
  GenerateRequest request;
  request.samples = at::arange(config_.preview.count, at::kLong);
  if (const auto num_classes = denoiser_->num_classes(); num_classes > 0) {
    request.classes = request.samples.remainder(num_classes);
    request.guidance.scale = config_.preview.guidance;
  }
  request.seed = batch.seed;
  request.num_steps = std::min(config_.preview.num_steps,
                               config_.scheduler.schedule.num_train_timesteps);
  request.sampler = usual_sampler(config_.scheduler.schedule);
  request.on_step = [](int64_t, int64_t) { throw_if_stopped(); };
  return generate(request);
}

at::Tensor LatentDiffusion::labels_of(const GenerateRequest& request) const {
  if (!request.classes.defined()) return at::full_like(request.samples, -1);
  check_shape("generate", "classes", request.classes,
              {request.samples.size(0)});
  if (denoiser_->num_classes() == 0 && request.classes.ge(0).any().item<bool>())
    throw ConfigError("generate: the model knows no classes");
  return request.classes;
}

std::string LatentDiffusion::sampler_of(const GenerateRequest& request) const {
  if (!request.sampler.empty()) return request.sampler;
  return calotype::sampler_of(config_.scheduler);
}

at::Tensor LatentDiffusion::initial_noise(const GenerateRequest& request,
                                          c10::Device device) const {
  const auto drawn = [&](uint64_t seed) {
    return normal_rows(space_.grid_shape, request.samples, seed,
                       Stream::kInitialNoise);
  };
  const auto noise = drawn(request.seed);
  if (!request.blend.defined()) return noise.to(device);
  check_shape("generate", "blend", request.blend, {request.samples.size(0)});
  return slerp(noise, drawn(request.other_seed), request.blend).to(device);
}

std::optional<PipelineDraws> LatentDiffusion::pipeline_draws(
    const GenerateRequest& request) const {
  if (!request.pipeline_noise) return {};
  const auto& noise = *request.pipeline_noise;
  if (request.blend.defined() || noise.first < 0 ||
      noise.first + request.samples.size(0) > noise.num_images)
    throw ShapeError(
        "generate: a pipeline's noise is of the rows of its call, and of one "
        "seed");
  const bool is_guided = request.guidance.scale != 1 && !request.guidance.weak;
  return PipelineDraws(noise, request.seed, space_.grid_shape, is_guided);
}

std::unique_ptr<Sampler> LatentDiffusion::sampler_for(
    const GenerateRequest& request) const {
  const auto name = sampler_of(request);
  auto options = request.sampler_options;
  if (options.spacing.empty())
    options.spacing = usual_spacing(config_.scheduler, name);
  return make_sampler(name, config_.scheduler.schedule, request.num_steps,
                      options);
}

void LatentDiffusion::expect_drawable(const GenerateRequest& request) const {
  request.guidance.expect_of(denoiser_->num_classes());
  sampler_for(request);
}

at::Tensor LatentDiffusion::generate(const GenerateRequest& request) {
  check_shape("generate", "samples", request.samples, {-1});
  expect_drawable(request);
  const auto sampler = sampler_for(request);

  const Inference inference(module());
  const auto device = device_of(module());
  const auto labels = labels_of(request).to(device);
  const Network network = [&](const at::Tensor& sample,
                              const at::Tensor& timestep, double sigma) {
    return guided_forward(*denoiser_, sample, timestep, labels,
                          request.guidance, sigma);
  };
  auto draws = pipeline_draws(request);
  const auto rows = request.samples.size(0);
  const auto step_noise = [&](int64_t index) {
    if (draws) return draws->of_step(rows).to(device);
    return normal_rows(space_.grid_shape, request.samples, request.seed,
                       Stream::kSamplerNoise, uint32_t(index))
        .to(device);
  };
  const auto noise =
      draws ? draws->initial(rows).to(device) : initial_noise(request, device);
  auto start = begin_walk(*sampler, request.initial, space_, noise);
  if (request.pipeline_noise && request.pipeline_noise->is_dit) {
    if (!request.initial.latents.defined()) start.state = noise;
    start.options.walks_on_input = true;
  }
  start.options.on_step = [&](const SamplerProgress& progress) {
    const auto done = progress.index + 1, of = sampler->num_questions();
    if (request.on_step) request.on_step(done, of);
    if (request.on_preview && request.preview_every > 0 &&
        done % request.preview_every == 0)
      request.on_preview(done, of,
                         space_.denormalise(progress.estimate()).to(at::kCPU));
  };
  const auto latents =
      run_sampler(*sampler, start.state, network, step_noise, start.options);
  return keep_known(request.initial, space_.denormalise(latents).to(at::kCPU));
}

}  // namespace calotype
