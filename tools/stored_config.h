#pragma once

#include <optional>
#include <string>

#include "core/config.h"
#include "models/registry.h"
#include "tools/train.h"

namespace calotype {

/// The configuration that an earlier version wrote to a run.json, as this one
/// would write it: keys that it did not know yet are at their defaults. Throws
/// ConfigError for a key or a value that this version does not know.
Json completed_config(const Json& stored);

/// All keys of "loss" as a training of this class has them, or nothing where it
/// has none: of a distillation, those of images.
std::optional<Json> completed_loss(const TrainConfig& config,
                                   const ModelClass& known, const Json& keys,
                                   const std::string& where);

}  // namespace calotype
