#include "nn/comparable_rows.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "nn/distance_kernel.h"

namespace calotype {
namespace {

// 4 MiB of products stay near the processor while they are looked through.
constexpr int64_t kTileRows = 1024;

constexpr double kUnit = 0x1p-24;  // u of float

/// Of sums of `width` products. From 2 on it leaves every pair undecided.
double slack_of(double width) {
  const double error = width * kUnit;
  return error < 0.5 ? 1.01 * error / (1 - error) + 16 * kUnit : 4;
}

/// The largest float that is not above `value`.
float float_below(double value) {
  const auto nearest = float(value);
  return double(nearest) <= value
             ? nearest
             : std::nextafter(nearest, -std::numeric_limits<float>::infinity());
}

}  // namespace

double comparable_scale(const at::Tensor& a, const at::Tensor& b) {
  double largest = 0;
  for (const auto& rows : {a, b})
    if (rows.numel() > 0) {
      const auto [low, high] = at::aminmax(rows);  // abs() would copy them
      largest = std::max({largest, -low.item<double>(), high.item<double>()});
    }
  if (largest == 0) return 1;
  return std::exp2(-std::clamp(std::ilogb(largest), -1000, 1000));
}

ComparableRows::ComparableRows(const at::Tensor& rows, const at::Tensor& centre,
                               double scale)
    : exact_(rows * scale),
      rounded_((exact_ - centre * scale).to(at::kFloat)),
      norms_(size_t(rows.size(0))),
      slack_(slack_of(double(rows.size(1)))),
      floor_(double(rows.size(1)) * 0x1p-123) {
  const auto norms = rounded_.to(at::kDouble).square_().sum(1);
  std::copy_n(norms.data_ptr<double>(), norms_.size(), norms_.begin());
}

double ComparableRows::distance(int64_t i, const ComparableRows& other,
                                int64_t j) const {
  const auto width = exact_.size(1);
  return squared_difference(exact_.data_ptr<double>() + i * width,
                            other.exact_.data_ptr<double>() + j * width, width);
}

double ComparableRows::lower_bound(int64_t i, const ComparableRows& other,
                                   int64_t j, float product) const {
  const double norms = norms_[size_t(i)] + other.norms_[size_t(j)];
  return (1 - slack_) * norms - 2 * double(product) - floor_;
}

double ComparableRows::comparable(int64_t i, const ComparableRows& other,
                                  int64_t j, float product,
                                  std::initializer_list<double> limits) const {
  const double norms = norms_[size_t(i)] + other.norms_[size_t(j)];
  const double near = norms - 2 * double(product);
  const double error = slack_ * norms + floor_;
  for (const auto limit : limits)
    if (std::abs(near - limit) <= error) return distance(i, other, j);
  return near;
}

float ComparableRows::reach(int64_t i, double limit) const {
  return float_below(((1 - slack_) * norms_[size_t(i)] - floor_ - limit) / 2);
}

ComparableSets::ComparableSets(const at::Tensor& real, const at::Tensor& made)
    : ComparableSets(real, made, real.mean(0), comparable_scale(real, made)) {}

ComparableSets::ComparableSets(const at::Tensor& real, const at::Tensor& made,
                               const at::Tensor& centre, double scale)
    : reference(real, centre, scale), generated(made, centre, scale) {}

void for_each_tile(const ComparableRows& a, const ComparableRows& b, bool upper,
                   const std::function<void(const ProductTile&)>& visit) {
  auto products = at::empty({0}, at::kFloat);
  const auto visit_tile = [&](int64_t row, int64_t column) {
    const auto rows = std::min(kTileRows, a.size() - row);
    const auto columns = std::min(kTileRows, b.size() - column);
    products.resize_({rows, columns});
    at::mm_out(products, a.rounded().narrow(0, row, rows),
               b.rounded().narrow(0, column, columns).t());
    visit({row, column, rows, columns, products.data_ptr<float>()});
  };
  if (upper)
    for (int64_t row = 0; row < a.size(); row += kTileRows)
      visit_tile(row, row);
  for (int64_t row = 0; row < a.size(); row += kTileRows)
    for (int64_t column = upper ? row + kTileRows : 0; column < b.size();
         column += kTileRows)
      visit_tile(row, column);
}

}  // namespace calotype
