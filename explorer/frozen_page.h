#pragma once

#include <c10/core/Device.h>

#include <string>

#include "core/config.h"
#include "explorer/code_set.h"
#include "explorer/explorer.h"
#include "models/codec.h"

namespace calotype {

/// All that the page shows of a model, to be put into it: the answers of
/// `explorer`, codes and pictures of the set, and the decoder or, where the
/// page cannot run it, pictures of places of the plane ("lattice").
Json frozen_model(Explorer& explorer, const LoadedCodec& codec,
                  const CodeSet& set, c10::Device device);

/// The page with what it shows inside, which needs neither server nor network.
/// `beside` may be null.
std::string frozen_page(const Json& model, const Json& beside);

}  // namespace calotype
