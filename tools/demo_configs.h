#pragma once

#include "core/config.h"

namespace calotype {

/// configs/NAME.json as it was when the program was built.
Json demo_config(const std::string& name);

}  // namespace calotype
