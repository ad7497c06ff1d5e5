#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/config.h"
#include "diffusion/denoiser.h"
#include "nn/model_folder.h"

// Denoisers by the name of their class, so that nothing else need know which
// there are.
namespace calotype {

/// The classes that there are: UNet2DModel, DiTTransformer2DModel, CalotypeDiT.
std::vector<std::string> denoiser_classes();

bool is_denoiser(const std::string& class_name);

/// What the latents to be learned decide of a network.
struct LatentShape {
  std::vector<int64_t> grid_shape;  // D, h, w
  int64_t num_classes = 0;          // 0: without labels
  bool learned_variance = false;    // then twice the channels are answered
};

/// A network with the first values of its class, and its whole configuration.
struct MadeDenoiser {
  std::shared_ptr<Denoiser> denoiser;
  Json config;  // without _class_name
};

/// Makes the network that `config["_class_name"]` names. Keys that `config`
/// leaves out are set to fit `latents` (channels, grid, classes), the others to
/// the class's defaults. Throws ConfigError for an unknown class or key, or for
/// values that cannot be.
MadeDenoiser make_denoiser(const Json& config, const LatentShape& latents);

/// Reads a model folder, ready to be used. Throws ConfigError for a class that
/// is no denoiser or keys that cannot be, DataError for weights that do not
/// fit.
std::shared_ptr<Denoiser> load_denoiser(const ModelFolder& folder);

}  // namespace calotype
