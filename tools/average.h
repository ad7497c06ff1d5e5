#pragma once

#include <cstdint>
#include <filesystem>

#include "core/config.h"

namespace calotype {

/// The worst fit that is taken: the L2 distance of the profiles relative to the
/// norm of the one that was asked for. Snapshots of 0.05 and 0.1 at every
/// eighth of a run give lengths from 0.04 to 0.15 within it, at every 64th
/// those from 0.02 to 0.25.
constexpr double kWorstAverageFit = 0.05;

struct AverageJob {
  std::filesystem::path run;  // run folder of `train` with training.ema_lengths
  double length = 0;          // in [kShortestAverage, kLongestAverage]
  std::filesystem::path out;  // model folder, written anew
  int64_t step = 0;  // the average as it was then; 0: at the last snapshot
};

/// Puts an average of another length together out of a run's snapshots (EDM2,
/// arXiv:2312.02696, section 3.2) and writes a model folder that holds all that
/// the run's has beside it. Parameters that were not trained, and buffers, are
/// the run's. Returns the snapshots that were used and the error of the fit.
/// Throws ConfigError if there are no snapshots, or the length is outside of
/// what they can represent.
Json average(const AverageJob& job);

}  // namespace calotype
