#pragma once

#include "core/config.h"

namespace calotype {

/// The configuration that an earlier version wrote to a run.json, as this one
/// would write it: keys that it did not know yet are at their defaults. Throws
/// ConfigError for a key or a value that this version does not know.
Json completed_config(const Json& stored);

}  // namespace calotype
