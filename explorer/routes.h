#pragma once

#include <map>
#include <memory>
#include <string>

#include "explorer/diffusion_view.h"
#include "explorer/explorer.h"
#include "explorer/local_server.h"
#include "explorer/token_view.h"

namespace calotype {

/// What is explored; all but the first may be null.
struct Explored {
  std::shared_ptr<Explorer> codec;
  std::shared_ptr<Explorer> beside;          // to compare with
  std::shared_ptr<DiffusionView> diffusion;  // of the codec's latents
  std::shared_ptr<TokenView> tokens;         // of a tokenizer's
};

/// The page at "/" and what it asks, each at /api/NAME and, of the model to
/// compare with, at /api/beside/NAME.
std::map<std::string, WebRoute> explorer_routes(const Explored& explored);

/// The toy page alone, at "/".
std::map<std::string, WebRoute> toy_routes();

}  // namespace calotype
