#pragma once

#include <string>

namespace calotype {

/// Whether a scheduler of diffusers, of any version, has the key. A file often
/// holds keys of another class, since pipelines exchange their schedulers.
bool is_scheduler_key(const std::string& key);

}  // namespace calotype
