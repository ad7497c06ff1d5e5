#include <fmt/format.h>

#include "tools/named_configs.h"

namespace calotype {

const std::vector<NamedConfig>& named_configs() {
  // Time and memory: bench/README.md.
  static const std::vector<NamedConfig> configs = {
      {"photo64_vae", "VAE of colour images of 64 pixels, latents 4x16x16",
       "COST"},
      {"photo64_vq", "tokenizer of the same, 16x16 of 1024 codes", "COST"},
      {"photo64_diffusion", "latent diffusion on a store of photo64_vae's",
       "COST"},
      {"photo128_vae", "VAE of colour images of 128 pixels, latents 4x16x16",
       "COST"},
      {"photo128_vq", "tokenizer of the same, 16x16 of 2048 codes", "COST"},
      {"photo128_diffusion", "latent diffusion on a store of photo128_vae's",
       "COST"},
      {"photo256_vae", "VAE of colour images of 256 pixels, latents 4x32x32",
       "COST"},
      {"photo256_vq", "tokenizer of the same, 32x32 of 4096 codes", "COST"},
      {"photo256_diffusion", "latent diffusion on a store of photo256_vae's",
       "COST"},
      {"fashion_vae", "VAE of Fashion-MNIST, the demo's", "COST"},
      {"fashion_vae_long", "the same, wider and longer, of --preset long",
       "COST"},
      {"fashion_vq", "tokenizer of Fashion-MNIST, 7x7 of 512 codes", "COST"},
      {"fashion_plane_vae", "VAE of two numbers an image, for the explorer",
       "COST"},
      {"fashion_plane_ae", "autoencoder of two numbers an image", "COST"},
      {"fashion_diffusion", "latent diffusion on a store of fashion_vae's",
       "COST"},
      {"fashion_diffusion_long", "the same on one of fashion_vae_long's",
       "COST"},
      {"fashion_dit", "the same by a transformer", "COST"},
      {"fashion_tokens", "masked generator on a store of fashion_vq's", "COST"},
      {"fashion_classifier", "classifier of Fashion-MNIST", "COST"},
      {"emoji_vq", "tokenizer of emoji of 64 pixels (./run data emoji)",
       "COST"},
      {"emoji_vqvae2", "two levels of tokens of the same", "COST"},
      {"emoji_tokens", "masked generator on a store of emoji_vq's", "COST"},
      {"emoji_diffusion", "latent diffusion on a store of emoji latents",
       "COST"},
      {"vq_f4", "tokenizer of 256 pixels as published in 2021, for a GPU",
       "COST"}};
  return configs;
}

Json list_named_configs() {
  auto list = Json::object();
  for (const auto& config : named_configs())
    list[config.name] = fmt::format("{}; {}", config.purpose, config.cost);
  return list;
}

}  // namespace calotype
