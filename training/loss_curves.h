#pragma once

#include <string>

#include "training/run_folder.h"

namespace calotype {

/// The loss and its validation over the steps of a run, as an SVG picture.
std::string loss_curves_svg(const std::filesystem::path& metrics_file);

/// Writes it to curves.svg.
void write_loss_curves(const RunFolder& run);

}  // namespace calotype
