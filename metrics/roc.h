#pragma once

#include <cstdint>
#include <vector>

namespace calotype {

/// The area under the receiver operating characteristic: the probability that a
/// positive has the higher score than a negative, ties counted half (Hanley and
/// McNeil, Radiology 143, 1982). Throws ConfigError unless there is at least
/// one of each, ShapeError if the lengths differ, DataError for a score that is
/// not a number.
double roc_auc(const std::vector<double>& scores,
               const std::vector<bool>& positive);

}  // namespace calotype
