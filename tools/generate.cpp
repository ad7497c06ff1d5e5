#include "tools/generate.h"

#include <torch/torch.h>

#include <algorithm>
#include <cctype>
#include <functional>

#include "core/check.h"
#include "core/error.h"
#include "core/files.h"
#include "core/progress.h"
#include "core/random.h"
#include "core/runtime.h"
#include "core/stop_signal.h"
#include "core/text.h"
#include "datasets/latent_store.h"
#include "diffusion/unet2d_model.h"
#include "tools/classifier_model.h"
#include "tools/codec.h"
#include "tools/image_files.h"
#include "tools/token_space.h"
#include "vae/autoencoder.h"
#include "vqvae/masked_generator.h"

namespace calotype {
namespace {

constexpr int64_t kGridColumns = 10;

/// Class numbers that the samples take in turn; -1 for none.
std::vector<int64_t> parse_classes(const std::string& text,
                                   const LatentSpace& space,
                                   int64_t num_classes) {
  std::vector<int64_t> classes;
  if (text == "none" || num_classes == 0) return {-1};
  if (text == "all") {
    for (int64_t c = 0; c < num_classes; ++c) classes.push_back(c);
    return classes;
  }
  for (const auto& part : split_at_commas(text)) {
    const auto& names = space.class_names;
    const auto named = std::find(names.begin(), names.end(), part);
    if (named != names.end()) {
      classes.push_back(named - names.begin());
      continue;
    }
    const bool digits =
        !part.empty() && part.size() < 10 &&
        std::all_of(part.begin(), part.end(),
                    [](unsigned char c) { return std::isdigit(c); });
    if (!digits || std::stoll(part) >= num_classes)
      throw ConfigError(
          fmt::format("generate: --class must be all, none, a number below {} "
                      "or one of {}; got {}",
                      num_classes, fmt::join(names, ", "), part));
    classes.push_back(std::stoll(part));
  }
  if (classes.empty()) throw ConfigError("generate: --class is empty");
  return classes;
}

std::string class_name(const LatentSpace& space, int64_t label) {
  if (label < 0) return "any";
  return label < int64_t(space.class_names.size())
             ? space.class_names[size_t(label)]
             : std::to_string(label);
}

Json recipe_of(const GenerateJob& job, const std::string& model_sha256) {
  return {{"model", model_sha256}, {"seed", job.seed},
          {"steps", job.steps},    {"sampler", job.sampler},
          {"eta", job.eta},        {"guidance", job.guidance}};
}

bool draws_tokens(const GenerateJob& job) {
  return open_model_folder(job.model).class_name ==
         MaskedGeneratorImpl::kClassName;
}

/// Where the drawn latents go: PNG files by class and a grid, or a store.
class Output {
 public:
  virtual ~Output() = default;
  virtual void add(const at::Tensor& latents, const at::Tensor& samples,
                   const at::Tensor& labels) = 0;
  virtual void finish() = 0;
};

class ImageOutput : public Output {
 public:
  ImageOutput(const GenerateJob& job, const LatentSpace& space, Json recipe)
      : job_(job),
        space_(space),
        recipe_(std::move(recipe)),
        writer_(job.out),
        codec_(load_codec(
            job.codec.empty() ? remembered_codec(job, space) : job.codec,
            job.device)) {
    if (!job.any_codec)
      expect_same_codec(codec_, space.codec, job.model.string());
    if (draws_tokens(job) && !codec_.tokenizer)
      throw ConfigError(fmt::format("{}: draws tokens, and a {} has none",
                                    job.model.string(), codec_.class_name));
    recipe_["codec"] = codec_.sha256;
  }

  void add(const at::Tensor& latents, const at::Tensor& samples,
           const at::Tensor& labels) override {
    const auto images = decoded(latents).to(torch::kCPU);
    for (int64_t i = 0; i < images.size(0); ++i) {
      const auto sample = samples[i].item<int64_t>();
      const auto name = class_name(space_, labels[i].item<int64_t>());
      auto recipe = recipe_;
      recipe["sample"] = sample;
      recipe["class"] = name;
      writer_.write(
          fmt::format("{}/{:05}.png", file_word(name), sample), images[i],
          {{"Software", version_text()}, {"calotype", recipe.dump()}});
    }
    images_.push_back(images);
  }

  void finish() override {
    const auto all =
        torch::cat(images_).narrow(0, 0, std::min<int64_t>(job_.count, 100));
    const auto grid = image_grid(all, kGridColumns, all.size(3) < 64 ? 2 : 1);
    auto recipe = recipe_;
    recipe["samples"] = {job_.first, job_.first + all.size(0) - 1};
    write_file_atomic(grid_file(job_.out),
                      encode_png(grid, {{"Software", version_text()},
                                        {"calotype", recipe.dump()}}));
  }

 private:
  /// Latents, or tokens, which are whole numbers.
  at::Tensor decoded(const at::Tensor& latents) {
    const auto on_device = latents.to(job_.device);
    return latents.scalar_type() == torch::kLong
               ? codec_.tokenizer->detokenize(on_device)
               : codec_.codec->decode(on_device);
  }

  static std::filesystem::path remembered_codec(const GenerateJob& job,
                                                const LatentSpace& space) {
    const auto path = space.codec.value("path", "");
    if (path.empty() || !std::filesystem::is_directory(path))
      throw ConfigError(
          fmt::format("{}: its codec was at \"{}\", which is not there; name "
                      "it with --codec, or write "
                      "latents with --latents",
                      job.model.string(), path));
    return path;
  }

  const GenerateJob& job_;
  const LatentSpace& space_;
  Json recipe_;
  ImageFolderWriter writer_;
  LoadedCodec codec_;
  std::vector<at::Tensor> images_;
};

class StoreOutput : public Output {
 public:
  StoreOutput(const GenerateJob& job, const LatentSpace& space,
              const Json& recipe)
      : space_(space), writer_(job.out, info(job, space, recipe)) {
    if (writer_.num_stored() > 0)
      throw ConfigError(job.out.string() +
                        ": holds latents already; choose another --out");
  }

  void add(const at::Tensor& latents, const at::Tensor& samples,
           const at::Tensor& labels) override {
    StoreRows rows{.labels = labels, .indices = samples};
    (latents.scalar_type() == torch::kLong ? rows.tokens : rows.grid.mean) =
        latents;
    for (int64_t i = 0; i < latents.size(0); ++i) {
      rows.names.push_back(fmt::format(
          "{}/{:05}", file_word(class_name(space_, labels[i].item<int64_t>())),
          samples[i].item<int64_t>()));
      rows.sizes.push_back({0, 0});
      rows.hashes.push_back(0);
    }
    writer_.append(rows);
  }

  void finish() override { writer_.finish(); }

 private:
  static StoreInfo info(const GenerateJob& job, const LatentSpace& space,
                        const Json& recipe) {
    StoreInfo info{.kind = "latents", .dtype = "fp32"};
    if (draws_tokens(job)) {
      info.kind = "tokens";
      info.dtype =
          token_dtype(space.codec.value("num_codes", int64_t{1} << 24));
    }
    info.codec = space.codec;
    info.recipe = recipe;
    info.source = {{"spec", "generated"},
                   {"fingerprint", recipe.dump()},
                   {"count", job.first + job.count}};
    info.class_names = space.class_names;
    return info;
  }

  const LatentSpace& space_;
  StoreWriter writer_;
};

}  // namespace

std::shared_ptr<LatentDiffusion> load_latent_diffusion(
    const std::filesystem::path& path, c10::Device device) {
  const auto folder = open_model_folder(path);
  auto unet = load_unet2d_model(folder);
  unet->to(device);
  LatentDiffusionConfig config;
  config.scheduler = read_scheduler_config(path / "scheduler_config.json");
  return std::make_shared<LatentDiffusion>(
      unet.ptr(), config, read_latent_space(path / "latent_space.json"));
}

namespace {

/// Latents of `samples` and their classes.
using Draw = std::function<at::Tensor(const at::Tensor& samples,
                                      const at::Tensor& labels)>;

Json generate_with(const GenerateJob& job, const LatentSpace& space,
                   const Json& recipe, const std::vector<int64_t>& classes,
                   const Draw& draw) {
  std::unique_ptr<Output> output;
  if (job.latents)
    output = std::make_unique<StoreOutput>(job, space, recipe);
  else
    output = std::make_unique<ImageOutput>(job, space, recipe);

  const torch::InferenceMode inference;
  Progress progress("generate", job.count, "images");
  for (int64_t done = 0; done < job.count;) {
    const auto count = std::min(job.batch_size, job.count - done);
    const auto samples =
        torch::arange(count, torch::kLong) + (job.first + done);
    auto labels = torch::empty({count}, torch::kLong);
    for (int64_t i = 0; i < count; ++i)
      labels[i] = classes[size_t(samples[i].item<int64_t>()) % classes.size()];
    const auto latents = draw(samples, labels);
    throw_if_stopped();
    output->add(latents, samples, labels);
    progress.update(done += count);
  }
  output->finish();
  progress.finish();
  return {{job.latents ? "store" : "folder", job.out.string()},
          {"images", job.count},
          {"images_per_s", progress.rate()},
          {"recipe", recipe}};
}

/// Codes of an autoencoder: standard normal numbers, its prior if it is
/// variational.
Json generate_from_prior(GenerateJob job) {
  const GenerateJob untouched;
  if (job.classes != untouched.classes || job.steps != untouched.steps ||
      job.sampler != untouched.sampler || job.eta != untouched.eta ||
      job.guidance != untouched.guidance)
    throw ConfigError(
        fmt::format("{}: an autoencoder draws from its prior in one go; "
                    "--class, --steps, --sampler, --eta and --guidance belong "
                    "to a diffusion model",
                    job.model.string()));
  const auto codec = load_codec(job.model, job.device);
  const auto* autoencoder =
      dynamic_cast<CalotypeAutoencoderImpl*>(codec.codec.get());
  const auto edge =
      autoencoder->config().sample_size / codec.codec->downsample();
  const LatentSpace space{
      .grid_shape = {codec.codec->latent_channels(), edge, edge},
      .codec = codec_record(codec)};
  job.codec = job.model;
  if (!codec.codec->has_variance())
    fmt::print(stderr,
               "{}: is not variational, so nothing makes its decoder fit "
               "standard normal codes\n",
               job.model.string());
  return generate_with(
      job, space,
      {{"model", codec.sha256}, {"seed", job.seed}, {"sampler", "prior"}}, {-1},
      [&](const at::Tensor& samples, const at::Tensor&) {
        return normal_rows(space.grid_shape, samples, job.seed, Stream::kPrior);
      });
}

Json generate_by_diffusion(GenerateJob job) {
  if (job.steps == 0) job.steps = 50;
  const auto model = load_latent_diffusion(job.model, job.device);
  const auto& space = model->space();
  return generate_with(
      job, space, recipe_of(job, weights_sha256(open_model_folder(job.model))),
      parse_classes(job.classes, space, int64_t(space.class_names.size())),
      [&](const at::Tensor& samples, const at::Tensor& labels) {
        return model->generate(
            {.samples = samples,
             .classes = labels,
             .seed = job.seed,
             .num_steps = job.steps,
             .guidance = job.guidance,
             .sampler = job.sampler,
             .eta = job.eta,
             .on_step = [](int64_t) { throw_if_stopped(); }});
      });
}

Json generate_by_unmasking(GenerateJob job) {
  const auto folder = open_model_folder(job.model);
  auto model = load_masked_generator(folder);
  model->to(job.device);
  const GenerateJob untouched;
  if (job.sampler != untouched.sampler || job.eta != untouched.eta)
    throw ConfigError(job.model.string() +
                      ": reveals tokens; --sampler and --eta belong to a "
                      "diffusion model");
  if (job.steps == 0) job.steps = 12;
  const auto tokens = read_token_space(job.model);
  const LatentSpace space{.class_names = tokens.class_names,
                          .codec = tokens.codec};
  const Json recipe{{"model", weights_sha256(folder)},
                    {"seed", job.seed},
                    {"steps", job.steps},
                    {"sampler", "unmasking"},
                    {"guidance", job.guidance}};
  const auto classes =
      parse_classes(job.classes, space, model->config().num_classes);
  return generate_with(
      job, space, recipe, classes,
      [&](const at::Tensor& samples, const at::Tensor& labels) {
        return draw_tokens(*model,
                           {.samples = samples,
                            .labels = labels,
                            .seed = job.seed,
                            .num_steps = job.steps,
                            .guidance = classes.front() < 0 ? 1 : job.guidance,
                            .on_step = [](int64_t) { throw_if_stopped(); }});
      });
}

}  // namespace

Json generate(const GenerateJob& job) {
  check_range("generate", "--count", double(job.count), 1, 1e9);
  check_range("generate", "--batch-size", double(job.batch_size), 1, 1 << 16);
  check_range("generate", "--first", double(job.first), 0, 1e15);
  const auto class_name = open_model_folder(job.model).class_name;
  if (class_name == CalotypeAutoencoderImpl::kClassName)
    return generate_from_prior(job);
  if (class_name == MaskedGeneratorImpl::kClassName)
    return generate_by_unmasking(job);
  return generate_by_diffusion(job);
}

}  // namespace calotype
