#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "training/power_profile.h"

// What a run keeps of its averages on the way: RUN/ema/LENGTH-STEP.safetensors,
// one file for each length and moment, of which an average of another length is
// put together afterwards. In fp32: the shares of such a combination can be
// hundreds of either sign, and would blow up the rounding of fp16.
namespace calotype {

/// A snapshot that is there, whole.
struct EmaSnapshot {
  AverageProfile profile;
  std::filesystem::path path;
};

/// "0.050": lengths are whole thousandths, so that names tell them exactly.
std::string length_text(double length);

/// Throws ConfigError if `lengths` are not whole thousandths in
/// [kShortestAverage, kLongestAverage], each other than the others.
void check_lengths(const std::string& where,
                   const std::vector<double>& lengths);

/// Writes one atomically. `weights`: the averaged parameters by name.
void write_ema_snapshot(const std::filesystem::path& folder,
                        const AverageProfile& profile,
                        const std::map<std::string, at::Tensor>& weights);

/// Of a folder, by length and step; none if it is not there. Whatever else lies
/// there (what a kill left half-written) is not looked at.
std::vector<EmaSnapshot> list_ema_snapshots(
    const std::filesystem::path& folder);

/// The parameters of one. Throws DataError if it is damaged, or another than
/// its name says.
std::map<std::string, at::Tensor> read_ema_snapshot(
    const EmaSnapshot& snapshot);

/// Removes what a run that goes on from `step` writes again, and what a kill
/// left half-written.
void forget_ema_snapshots_after(const std::filesystem::path& folder,
                                int64_t step);

}  // namespace calotype
