#pragma once

#include <string>

#include "diffusion/guidance.h"

namespace calotype {

/// Of --guidance-interval: "0.3:5", either of which may be left out. Throws
/// ConfigError for anything else.
void parse_interval(const std::string& text, Guidance& guidance);

}  // namespace calotype
