#pragma once

#include <string>
#include <vector>

#include "core/config.h"

namespace calotype {

/// What `train --list` says of a configuration.
struct NamedConfig {
  const char* name;
  const char* purpose;
  const char* cost;  // parameters, memory, time on two cores; "": not measured
};

/// Those that the program knows by name, in the order in which they are listed.
const std::vector<NamedConfig>& named_configs();

/// configs/NAME.json as it was when the program was built. Throws ConfigError
/// for a name that is not known.
Json named_config(const std::string& name);

/// The table of all of them: what each is for and what it costs, by name.
Json list_named_configs();

}  // namespace calotype
