#pragma once

#include <optional>
#include <string>
#include <vector>

#include "models/initial_model.h"
#include "tools/prepare_training.h"

// Trainings that begin with the weights of a model, `train --init`.
namespace calotype {

/// The resolved configuration of the run that is there, null where it is new.
Json earlier_config(const TrainJob& job);

/// What `job.config.init` names; nothing if it names nothing, or if the run has
/// a checkpoint already, which goes on with its own weights.
std::optional<InitialModel> initial_model_of(const TrainJob& job);

/// Where config.model names no class, keys that are not given are those of the
/// initial model or, of a run that goes on, of the run; and so are "loss" and
/// "diffusion" where the initial model is a run of the same class. Throws ConfigError if there is no class then.
void complete_model(TrainConfig& config,
                    const std::optional<InitialModel>& initial,
                    const Json& earlier);

/// Shares the weights, tells what became of them and puts it among the run's
/// records.
void begin_with(const InitialModel& initial, Prepared& prepared);

/// Holds training.train and training.freeze against the model. Where a codec
/// encodes to the bits of its initial model and will go on so, its config.json
/// is to say it (_latents_of), which a run that goes on, of the model keys
/// `earlier`, has said. Throws ConfigError.
void settle_frozen(const std::optional<InitialModel>& initial,
                   const Json& earlier, Prepared& prepared);

}  // namespace calotype
