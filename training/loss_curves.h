#pragma once

#include <string>

#include "training/run_folder.h"

namespace calotype {

/// The loss and its validation over the steps of a run, as an SVG picture.
std::string loss_curves_svg(const std::filesystem::path& metrics_file);

/// Perplexity and dead codes over the steps; empty if the run has no codebook.
std::string codebook_curves_svg(const std::filesystem::path& metrics_file);

/// Writes them to curves.svg and codebook.svg.
void write_loss_curves(const RunFolder& run);

}  // namespace calotype
