#include <string>

#include "tools/command.h"
#include "tools/convert.h"
#include "tools/option_range.h"

// The options of convert.
namespace calotype {

CommandRun add_convert(CLI::App& app) {
  auto job = new_job<ConvertJob>();
  auto& options = job->options;
  app.add_option("source", job->source,
                 "Checkpoint (.ckpt, .pt, .pth, .bin, .safetensors) of "
                 "latent-diffusion, taming-transformers, LlamaGen, IBQ, "
                 "Open-MAGVIT2, TAESD or DiT, or a folder with one; a model or a pipeline of "
                 "diffusers of any age. Nothing in it is run")
      ->required();
  app.add_option("--out", job->out, "Model folder, or a pipeline's")
      ->required();
  app.add_option("--config", options.config,
                 "The project's configuration (YAML or JSON); default: what "
                 "lies beside the checkpoint");
  app.add_option("--kind", options.kind,
                 "Of VQ autoencoders, whose names do not tell, and where no "
                 "configuration does: whose it is")
      ->check(CLI::IsMember({"auto", "ldm_vq", "taming_vqgan", "seed_ibq"}))
      ->capture_default_str();
  app.add_option(
         "--weights", options.weights,
         "Averaged over the training, or plain, of its last step, where "
         "the file has both; auto: as the project takes them")
      ->check(CLI::IsMember({"auto", "averaged", "plain"}))
      ->capture_default_str();
  app.add_option("--heads", options.heads,
                 "Of attention, where the file does not say how many (DiT, "
                 "U-Nets)")
      ->check(in_range(1, 1024));
  app.add_option("--head-channels", options.head_channels,
                 "The same as the channels of a head")
      ->check(in_range(1, 65536));
  app.add_option("--scaling-factor", options.scaling_factor,
                 "Of latents, before a diffusion model sees them; default: "
                 "what the file or its configuration says, or 1")
      ->check(in_range(1e-6, 1e6));
  app.add_option("--sample-size", options.sample_size,
                 "Edge of a codec's images in pixels, or of a denoiser's "
                 "latents; default: as the configuration says")
      ->check(in_range(1, 65536));
  add_fresh(app, job->fresh);
  return [job](const CommandContext&) { return convert(*job); };
}

}  // namespace calotype
