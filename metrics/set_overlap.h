#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace calotype {

struct SetOverlapConfig {
  int64_t precision_neighbours = 3;  // k of precision and recall
  int64_t density_neighbours = 5;    // k of density and coverage

  void validate() const;  // throws ConfigError

  /// Each set needs so many rows: a row is no neighbour of its own.
  int64_t min_rows() const;
};

/// How two sets of features lie in each other. The balls of a set: one around
/// each of its rows, closed, out to the row's k-th nearest other row.
struct SetOverlap {
  double precision = 0;  // generated rows in a ball of the reference, [0,1]
  double recall = 0;     // reference rows in a ball of the generated, [0,1]
  double density = 0;    // balls of the reference around a generated row / k,
                         // mean; near 1 for alike sets, above it where the
                         // generated rows crowd
  double coverage = 0;   // balls of the reference with a generated row, [0,1]

  // What each row says; the four above are their means (density: over k).
  at::Tensor precise;   // [M] bool: in a ball of the reference
  at::Tensor recalled;  // [N] bool: in a ball of the generated
  at::Tensor balls;     // [M] int64: so many balls of the reference hold it
  at::Tensor covered;   // [N] bool: its ball holds a generated row
};

/// Improved precision and recall (arXiv:1904.06991, equations 1 and 2), density
/// and coverage (arXiv:2002.09797, equations 3 and 4); more is better for each
/// of the four.
///
/// `reference`: [N,F], `generated`: [M,F]. Exact: as if all N^2 + M^2 + N M
/// distances came from differences in double, so that equal rows are at
/// distance 0 and ties count as ties; see comparable_rows.h. Time O((N + M)^2
/// F), mostly in matrix products of floats, and up to some fifty times that
/// where sets are narrow beside their distance from each other, so that floats
/// tell nothing. Memory O((N + M) F) and a block of 4 MiB. Throws ConfigError
/// if a set has fewer rows than min_rows(), ShapeError for different widths,
/// DataError for values that are not finite.
SetOverlap set_overlap(const at::Tensor& reference, const at::Tensor& generated,
                       const SetOverlapConfig& config = {});

}  // namespace calotype
