#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <vector>

// Squared distances of all rows with all, compared exactly and mostly not
// computed: a matrix product of floats tells them well enough for nearly all
// pairs, and the rest is computed from differences in double.
//
// With y a row around a common centre, rounded to float, |y_a|^2 + |y_b|^2 -
// 2 y_a.y_b is |x_a - x_b|^2 to within slack * (|y_a|^2 + |y_b|^2) + floor: a
// sum of F products in any order errs by F u / (1 - F u) of the product of the
// norms (Higham, "Accuracy and Stability of Numerical Algorithms", 2002,
// section 3.1; u = 2^-24), which is at most half the sum of their squares; the
// rounding of y adds less than 5 u of that sum, the comparison in float
// another, and `floor` is what may underflow.
namespace calotype {

/// One set, prepared. `rounded` and all distances are in units that put the
/// largest number of both sets near 1.
class ComparableRows {
 public:
  /// `rows`: [N,F] double; `centre`: [F]; `scale`: a power of two.
  ComparableRows(const at::Tensor& rows, const at::Tensor& centre,
                 double scale);

  int64_t size() const { return exact_.size(0); }
  const at::Tensor& rounded() const { return rounded_; }  // [N,F] float

  /// |x_i - y_j|^2 from differences in double.
  double distance(int64_t i, const ComparableRows& other, int64_t j) const;

  /// What distance() is not below, from the product of the rounded rows.
  double lower_bound(int64_t i, const ComparableRows& other, int64_t j,
                     float product) const;

  /// A number that compares with every one of `limits` as distance() does:
  /// distance() itself only if `product`, that of the rounded rows, leaves one
  /// of them undecided.
  double comparable(int64_t i, const ComparableRows& other, int64_t j,
                    float product, std::initializer_list<double> limits) const;

  /// Row i and row j of another set may lie within `limit` (a squared
  /// distance) of each other only if the product of the rounded rows is at
  /// least reach(i, limit) + other.reach(j, 0).
  float reach(int64_t i, double limit) const;

 private:
  at::Tensor exact_, rounded_;
  std::vector<double> norms_;  // squared, of the rounded rows
  double slack_, floor_;
};

/// The power of two that puts the largest number of both sets near 1, for the
/// ComparableRows of each. At least one number; all are finite.
double comparable_scale(const at::Tensor& a, const at::Tensor& b);

/// Both sets around their common centre. Throws nothing: rows are [N,F] and
/// [M,F] double and finite.
struct ComparableSets {
  ComparableSets(const at::Tensor& reference, const at::Tensor& generated);
  ComparableRows reference, generated;

 private:
  ComparableSets(const at::Tensor& reference, const at::Tensor& generated,
                 const at::Tensor& centre, double scale);
};

/// The products of rows [row, row + rows) of one set with rows
/// [column, column + columns) of another; row i of them begins at
/// products[i * columns].
struct ProductTile {
  int64_t row = 0, column = 0, rows = 0, columns = 0;
  const float* products = nullptr;
};

/// Calls `visit` for tiles that cover all pairs; if `upper`, for those on the
/// diagonal and then for those above it.
void for_each_tile(const ComparableRows& a, const ComparableRows& b, bool upper,
                   const std::function<void(const ProductTile&)>& visit);

}  // namespace calotype
