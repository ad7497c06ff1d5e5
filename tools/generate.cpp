#include "tools/generate.h"

#include <torch/utils.h>

#include <algorithm>
#include <functional>

#include "core/check.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/note.h"
#include "core/printable.h"
#include "core/profile.h"
#include "core/progress.h"
#include "core/random.h"
#include "core/stop_signal.h"
#include "models/diffusion_model.h"
#include "models/pipeline_folder.h"
#include "models/registry.h"
#include "models/token_space.h"
#include "nn/precision.h"
#include "tools/class_choice.h"
#include "tools/drawing.h"
#include "tools/generate_cost.h"
#include "tools/generate_output.h"
#include "tools/guidance_interval.h"
#include "tools/init_image.h"
#include "tools/pipeline_settings.h"
#include "vqvae/masked_generator.h"

namespace calotype {
namespace {

/// Throws ConfigError for a setting that only diffusion models have.
void refuse_diffusion_settings(const GenerateJob& job, const char* instead) {
  const GenerateJob plain;
  const std::vector<std::pair<const char*, bool>> settings = {
      {"--sampler", job.sampler != plain.sampler},
      {"--eta", job.eta != plain.eta},
      {"--churn", job.churn.has_value()},
      {"--spacing", job.spacing != plain.spacing},
      {"--guidance-interval", job.guidance_interval != plain.guidance_interval},
      {"--guidance-rescale", job.guidance_rescale != plain.guidance_rescale},
      {"--guide", !job.guide.empty()},
      {"--init-image", !job.init_image.empty()},
      {"--mask", !job.mask.empty()},
      {"--strength", job.strength != plain.strength},
      {"--to-seed", job.to_seed.has_value()},
      {"--preview-every", job.preview_every != plain.preview_every},
      {"--noise", job.noise != plain.noise},
  };
  for (const auto& [name, given] : settings)
    if (given)
      throw ConfigError(fmt::format("{}: {}; {} belongs to a diffusion model",
                                    job.model.string(), instead, name));
}

/// Codes of an autoencoder: standard normal numbers, its prior if it is
/// variational.
Json generate_from_prior(GenerateJob job) {
  const GenerateJob plain;
  const char* instead = "an autoencoder draws from its prior in one go";
  refuse_diffusion_settings(job, instead);
  if (job.classes != plain.classes || job.steps != plain.steps ||
      job.guidance.has_value())
    throw ConfigError(fmt::format(
        "{}: {}; --class, --steps and --guidance belong to a diffusion model",
        job.model.string(), instead));
  const auto codec = load_codec(job.model, job.device);
  const auto size = codec.codec->prior_size().value();
  const auto f = codec.codec->downsample();
  const auto edge = (size + f - 1) / f;
  const LatentSpace space{
      .grid_shape = {codec.codec->latent_channels(), edge, edge},
      .codec = codec_record(codec),
      .image_size = {size, size}};
  job.codec = job.model;
  if (!codec.codec->has_variance())
    note(job.model.string() +
         ": is not variational, so nothing makes its decoder fit standard "
         "normal codes");
  const Json recipe{
      {"model", codec.sha256}, {"seed", job.seed}, {"sampler", "prior"}};
  return draw_all(
      {.job = job, .space = space, .recipe = recipe}, {-1},
      [] { return RowCost{}; },
      [&](const DrawnRows& part, GenerateOutput&) {
        return normal_rows(space.grid_shape, part.samples, job.seed,
                           Stream::kPrior);
      });
}

/// Throws ConfigError unless `guide` answers as `model` does.
void expect_alike(const GenerateJob& job, const LatentDiffusion& model,
                  const LatentDiffusion& guide) {
  const auto differ = [&](const char* what, const std::string& ours,
                          const std::string& theirs) {
    if (ours != theirs)
      throw ConfigError(fmt::format(
          "{}: cannot guide {}: {} is {} there and {} here", job.guide.string(),
          job.model.string(), what, ours, theirs));
  };
  differ("the latents' shape", shape_text(model.space().grid_shape),
         shape_text(guide.space().grid_shape));
  differ("the latents' codec", model.space().codec.sha256(),
         guide.space().codec.sha256());
  const auto of_space = [](const LatentDiffusion& m) {
    return write_config(m.space());
  };
  for (const auto* key : {"mean", "std", "class_names"})
    differ(key, of_space(model)[key].dump(), of_space(guide)[key].dump());
  const auto ours = write_config(model.scheduler().schedule),
             theirs = write_config(guide.scheduler().schedule);
  for (const auto* key :
       {"prediction_type", "num_train_timesteps", "beta_start", "beta_end",
        "beta_schedule", "trained_betas", "rescale_betas_zero_snr",
        "sigma_data"})
    differ(key, ours[key].dump(), theirs[key].dump());
}

Guidance guidance_of(const GenerateJob& job, const LatentDiffusion& model) {
  Guidance guidance{.scale = *job.guidance, .rescale = job.guidance_rescale};
  parse_interval(job.guidance_interval, guidance);
  if (job.guide.empty()) return guidance;
  const auto guide = load_latent_diffusion(job.guide, job.device);
  expect_alike(job, model, *guide);
  guidance.weak = guide->denoiser();
  guidance.weak->module().eval();
  return guidance;
}

std::string denoiser_sha256(const std::filesystem::path& path) {
  return weights_sha256(open_model_folder(denoiser_folder(path)));
}

Json diffusion_recipe(const GenerateJob& job) {
  const GenerateJob plain;
  Json recipe{{"model", denoiser_sha256(job.model)},
              {"seed", job.seed},
              {"steps", job.steps},
              {"sampler", job.sampler},
              {"eta", job.eta},
              {"guidance", *job.guidance}};
  if (current_precision() != Precision::kFp32)
    recipe["precision"] = precision_name(current_precision());
  if (job.churn) recipe["churn"] = *job.churn;
  if (!job.spacing.empty()) recipe["spacing"] = job.spacing;
  if (job.guidance_interval != plain.guidance_interval)
    recipe["guidance_interval"] = job.guidance_interval;
  if (job.guidance_rescale != 0)
    recipe["guidance_rescale"] = job.guidance_rescale;
  if (!job.guide.empty()) recipe["guide"] = denoiser_sha256(job.guide);
  if (!job.init_image.empty()) {
    recipe["init_image"] = printable(job.init_image.filename().string());
    recipe["init_image_sha256"] = sha256_hex_of_file(job.init_image);
    recipe["strength"] = job.strength;
  }
  if (!job.mask.empty()) {
    recipe["mask"] = printable(job.mask.filename().string());
    recipe["mask_sha256"] = sha256_hex_of_file(job.mask);
  }
  if (job.to_seed) recipe["to_seed"] = *job.to_seed;
  return recipe;
}

/// Settings that depend on each other, resolved.
void resolve(GenerateJob& job, const LatentDiffusion& model) {
  if (job.steps == 0) job.steps = 50;
  resolve_pipeline(job, model);
  const bool shows_classes =
      model.denoiser()->num_classes() > 0 && job.classes != "none";
  if (!job.guidance) job.guidance = shows_classes || !job.guide.empty() ? 2 : 1;
  if (job.preview_every > 0 && job.latents)
    throw ConfigError(
        "generate: --preview-every shows images, and --latents makes none");
  if (job.sampler == "auto")
    job.sampler = usual_sampler(model.scheduler().schedule);
  if (job.spacing.empty())
    job.spacing = usual_spacing(model.scheduler(), job.sampler);
  if (job.init_image.empty() && (!job.mask.empty() || job.strength != 0))
    throw ConfigError(
        "generate: --mask and --strength need an --init-image to start from");
  for (const auto& file : {job.init_image, job.mask})
    if (!file.empty() && !std::filesystem::is_regular_file(file))
      throw ConfigError(file.string() + ": there is no such file");
  if (job.strength == 0) job.strength = job.mask.empty() ? 0.6 : 1;
}

std::vector<int64_t> classes_of(const GenerateJob& job,
                                const LatentDiffusion& model) {
  const auto& names = model.space().class_names;
  const bool knows_classes = model.denoiser()->num_classes() > 0;
  if (!knows_classes && !names.empty() && job.classes != "none")
    note(job.model.string() +
         ": its network knows no classes, so that images are drawn of none");
  // A pipeline may name none or some of its classes, and all are those then.
  const bool names_all =
      is_pipeline_folder(job.model) && (names.empty() || job.classes != "all");
  const auto num_classes =
      names_all ? model.denoiser()->num_classes() : int64_t(names.size());
  return choose_classes(job.classes, names, knows_classes ? num_classes : 0);
}

Json generate_by_diffusion(GenerateJob job) {
  const auto model = load_latent_diffusion(job.model, job.device);
  const auto& space = model->space();
  resolve(job, *model);
  const auto noise = pipeline_noise(job);
  if (const auto which = space.constant_channels(); !which.empty())
    note(fmt::format("{}: {}", job.model.string(), which));
  GenerateRequest request{
      .seed = job.seed,
      .num_steps = job.steps,
      .guidance = guidance_of(job, *model),
      .sampler = job.sampler,
      .sampler_options = {.eta = job.eta,
                          .churn = job.churn,
                          .spacing = job.spacing},
      .other_seed = job.to_seed.value_or(0),
      .pipeline_noise = noise,
      .on_step = [](int64_t, int64_t) { throw_if_stopped(); },
      .preview_every = job.preview_every};

  model->expect_drawable(request);  // ahead of any output

  InitImage init;
  OutputSetup setup{
      .job = job, .space = space, .recipe = diffusion_recipe(job)};
  add_pipeline(setup.recipe, job, *model);
  if (!job.init_image.empty()) {
    setup.codec = codec_of(job, space);
    init = read_init_image(job.init_image, job.mask, limits_of(job.reading),
                           space, *setup.codec, job.device);
    init.latents.strength = job.strength;
    setup.init = &init;
    request.initial = init.latents;
  }
  const auto classes = classes_of(job, *model);
  const auto cost = [&] {
    auto one = request;
    one.samples = torch::zeros({1}, torch::kLong);
    one.classes = torch::full({1}, classes.front(), torch::kLong);
    one.num_steps = std::min<int64_t>(2, job.steps);
    one.initial = {};
    one.pipeline_noise.reset();
    return drawing_cost(one.num_steps, job.steps,
                        [&] { model->generate(one); });
  };
  return draw_all(
      std::move(setup), classes, cost,
      [&](const DrawnRows& part, GenerateOutput& output) {
        request.samples = part.samples;
        if (request.pipeline_noise) request.pipeline_noise->first = part.begin;
        request.classes = part.labels;
        if (job.to_seed)
          request.blend = (torch::arange(part.samples.size(0), torch::kFloat) +
                           part.begin) /
                          double(std::max<int64_t>(1, job.count - 1));
        request.on_preview = [&](int64_t, int64_t, const at::Tensor& latents) {
          output.preview(latents);
        };
        const ProfileZone zone("sample");
        return model->generate(request);
      });
}

Json generate_by_unmasking(GenerateJob job) {
  refuse_diffusion_settings(job, "reveals tokens");
  const auto folder = open_model_folder(job.model);
  const auto model =
      load_any_model(folder, "a generator of tokens",
                     [](const ModelClass& known) {
                       return known.kind == ModelKind::kGenerator;
                     })
          .generator;
  model->to(job.device);
  if (job.steps == 0) job.steps = 12;
  if (!job.guidance) job.guidance = 2;
  const auto tokens = read_token_space(job.model);
  const LatentSpace space{.class_names = tokens.class_names,
                          .codec = tokens.codec,
                          .image_size = tokens.image_size};
  const Json recipe{{"model", weights_sha256(folder)},
                    {"seed", job.seed},
                    {"steps", job.steps},
                    {"sampler", "unmasking"},
                    {"guidance", *job.guidance}};
  const auto classes = choose_classes(job.classes, space.class_names,
                                      model->config().num_classes);
  const auto drawn = [&](const at::Tensor& samples, const at::Tensor& labels,
                         int64_t num_steps) {
    const ProfileZone zone("sample");
    return draw_tokens(
        *model,
        {.samples = samples,
         .labels = labels,
         .seed = job.seed,
         .num_steps = num_steps,
         .guidance = classes.front() < 0 ? 1 : *job.guidance,
         .on_step = [](int64_t, const at::Tensor&) { throw_if_stopped(); }});
  };
  const auto cost = [&] {
    return drawing_cost(1, job.steps, [&] {
      drawn(torch::zeros({1}, torch::kLong),
            torch::full({1}, classes.front(), torch::kLong), 1);
    });
  };
  return draw_all(
      {.job = job, .space = space, .recipe = recipe, .tokens = true}, classes,
      cost, [&](const DrawnRows& part, GenerateOutput&) {
        return drawn(part.samples, part.labels, job.steps);
      });
}

}  // namespace

Json generate(const GenerateJob& job) {
  check_range("generate", "--count", double(job.count), 1, 1e9);
  check_range("generate", "--batch-size", double(job.batch_size), 1, 1 << 16);
  check_range("generate", "--first", double(job.first), 0, 1e15);
  if (is_pipeline_folder(job.model)) return generate_by_diffusion(job);
  const auto folder = open_model_folder(job.model);
  const auto& known = expect_model_class(
      folder, "a model that draws", [](const ModelClass& model) {
        return model.has_prior || model.kind == ModelKind::kDenoiser ||
               model.kind == ModelKind::kGenerator;
      });
  if (known.has_prior) return generate_from_prior(job);
  if (known.kind == ModelKind::kGenerator) return generate_by_unmasking(job);
  return generate_by_diffusion(job);
}

}  // namespace calotype
