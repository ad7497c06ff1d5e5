#pragma once

#include <string>

#include "training/run_folder.h"

namespace calotype {

/// The loss and its validation over the steps of a run, as an SVG picture.
std::string loss_curves_svg(const std::filesystem::path& metrics_file);

/// Perplexity and dead codes over the steps; empty if the run has no codebook.
std::string codebook_curves_svg(const std::filesystem::path& metrics_file);

/// The loss over the noise levels at a few moments of a run, from the first to
/// the last: of the validation, of training if there was none. Empty if the
/// model knows no noise levels.
std::string noise_curves_svg(const std::filesystem::path& metrics_file);

/// Writes them to curves.svg, codebook.svg and loss_by_noise.svg.
void write_loss_curves(const RunFolder& run);

}  // namespace calotype
