#pragma once

#include "diffusion/scheduler_config.h"
#include "models/convert/converted.h"
#include "models/convert/source_tensors.h"

namespace calotype {

/// The schedule that a LatentDiffusion was trained with, walked as the project
/// samples: DDIM from timestep 1, to the least noise there is. `arguments`: of
/// its constructor; without them the buffer `betas` tells. Throws ConfigError
/// where both disagree by more than a thousandth, or for a schedule that no
/// class here has.
SchedulerConfig convert_ldm_schedule(const ConvertContext& context,
                                     const Json& arguments, SourcePart part);

}  // namespace calotype
