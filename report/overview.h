#pragma once

#include <string>
#include <vector>

#include "report/html_report.h"

namespace calotype {

/// Pictures side by side, each twice its size with its label below, as one SVG
/// that needs nothing else.
std::string overview_svg(const std::vector<ReportImage>& panels);

}  // namespace calotype
