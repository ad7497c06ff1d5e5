#include <fmt/format.h>

#include <string>

#include "tools/named_configs.h"

namespace calotype {

const std::vector<NamedConfig>& named_configs() {
  // Time and memory of those that say so: measured over ten steps and
  // multiplied.
  static const std::vector<NamedConfig> configs = {
      {"photo64_vae", "VAE of colour images of 64 pixels, latents 4x16x16",
       "0.9 M parameters, 650 MiB, half an hour"},
      {"photo64_vq", "tokenizer of the same, 16x16 of 1024 codes",
       "0.9 M parameters, 680 MiB, half an hour"},
      {"photo64_diffusion", "latent diffusion on a store of photo64_vae's", ""},
      {"photo128_vae", "VAE of colour images of 128 pixels, latents 4x16x16",
       "2.3 M parameters, 1.2 GiB, 3 hours"},
      {"photo128_vq", "tokenizer of the same, 16x16 of 2048 codes",
       "2.3 M parameters, 1.2 GiB, 3 hours"},
      {"photo128_diffusion", "latent diffusion on a store of photo128_vae's",
       ""},
      {"photo256_vae", "VAE of colour images of 256 pixels, latents 4x32x32",
       "3.8 M parameters"},
      {"photo256_vq", "tokenizer of the same, 32x32 of 4096 codes",
       "3.8 M parameters"},
      {"photo256_diffusion", "latent diffusion on a store of photo256_vae's",
       ""},
      {"finetune_codec", "a codec that is there (--init) on other images", ""},
      {"finetune_decoder", "the decoder of one alone: latents stay as they are",
       ""},
      {"distill_tiny",
       "small codec of the latents of a large one (--teacher), as TAESD", ""},
      {"distill_decoder",
       "narrower decoder for a codec (--init and --teacher), whose encoder "
       "stays",
       ""},
      {"fashion_vae", "VAE of Fashion-MNIST, the demo's", "330 MiB, 3 minutes"},
      {"fashion_vae_long", "the same, wider and longer, of --preset long", ""},
      {"fashion_tiny", "codec of Fashion-MNIST without posteriors, as TAESD",
       ""},
      {"fashion_vq", "tokenizer of Fashion-MNIST, 7x7 of 512 codes",
       "5 minutes"},
      {"fashion_plane_vae", "VAE of two numbers an image, for the explorer",
       ""},
      {"fashion_plane_ae", "autoencoder of two numbers an image", ""},
      {"fashion_diffusion", "latent diffusion on a store of fashion_vae's", ""},
      {"fashion_diffusion_long", "the same on one of fashion_vae_long's", ""},
      {"fashion_dit", "the same by a transformer", ""},
      {"fashion_tokens", "masked generator on a store of fashion_vq's", ""},
      {"fashion_classifier", "classifier of Fashion-MNIST", ""},
      {"emoji_vq", "tokenizer of emoji of 64 pixels (./run data emoji)", ""},
      {"emoji_vqvae2", "two levels of tokens of the same", ""},
      {"emoji_magvit2", "the same by signs, without a codebook", ""},
      {"emoji_tokens", "masked generator on a store of emoji_vq's", ""},
      {"emoji_diffusion", "latent diffusion on a store of emoji latents", ""},
      {"vq_f4", "tokenizer of 256 pixels as published in 2021, for a GPU", ""}};
  return configs;
}

Json list_named_configs() {
  auto list = Json::object();
  for (const auto& config : named_configs())
    list[config.name] = std::string(config.purpose) +
                        (*config.cost ? fmt::format("; {}", config.cost) : "");
  return list;
}

}  // namespace calotype
