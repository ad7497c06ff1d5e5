#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace calotype {

/// Kernel distance of two sets of features (KID, arXiv:1801.01401, section 4):
/// the unbiased estimate of the squared maximum mean discrepancy with the
/// kernel (x.y / F + 1)^3. Less is better; 0 in the mean for sets of one
/// distribution at any size, so single values may be a little below 0.
///
/// `reference`: [N,F], `generated`: [M,F]. Over all pairs of rows and not, as
/// is common, as a mean over drawn subsets, which has the same expectation and
/// scatters more. Time O((N + M)^2 F), memory O((N + M) F) and a few blocks of
/// 8 MiB. Throws ConfigError for fewer than 2 rows in a set, ShapeError for
/// different widths, DataError for values that are not finite.
double kernel_distance(const at::Tensor& reference,
                       const at::Tensor& generated);

struct KernelDistance {
  double value = 0;
  std::vector<double> left_out;  // of each group: the value without its rows
};

/// The same in one pass with what jackknife() needs. `groups`: int64 [M], the
/// group in [0,10) of each generated row, as image_groups() tells. Throws
/// ShapeError for other groups, ConfigError if the generated set without one of
/// them has fewer than 2 rows.
KernelDistance kernel_distance(const at::Tensor& reference,
                               const at::Tensor& generated,
                               const at::Tensor& groups);

/// The same of reconstructions, row i of both sets being of one image: such a
/// pair is left out too, as its kernel is large by right (the U-statistic of
/// Gretton et al., "A Kernel Two-Sample Test", JMLR 13, 2012, lemma 6, equation
/// 5). Throws ShapeError for sets of different sizes.
double paired_kernel_distance(const at::Tensor& reference,
                              const at::Tensor& generated);

/// With groups, which both rows leave together.
KernelDistance paired_kernel_distance(const at::Tensor& reference,
                                      const at::Tensor& generated,
                                      const at::Tensor& groups);

}  // namespace calotype
