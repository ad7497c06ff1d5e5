#pragma once

#include "tools/demo.h"

namespace calotype {

/// Tokens on a set of colour images: trains a VQ-VAE, stores its tokens and the
/// vectors before them, trains a masked generator on the one and a latent
/// diffusion model on the other, draws with both, measures, and leaves
/// report/index.html. What was done by an earlier call is not done again.
/// Presets: emoji, emoji-tiny (drawn images; for tests).
Json token_demo(const DemoJob& job);

}  // namespace calotype
