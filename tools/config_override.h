#pragma once

#include <string>

#include "core/config.h"

namespace calotype {

/// Changes `config` as --set does: `text` is "key.key=value", the value JSON,
/// or else a text. Objects on the way are made where they are missing. Throws
/// ConfigError for a text of another form, and where a key on the way holds
/// what has no keys.
void override_key(Json& config, const std::string& text);

}  // namespace calotype
