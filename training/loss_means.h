#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "nn/trainable.h"

namespace calotype {

/// Means of losses over rows, of batches that need not have the same number of
/// them: each row counts alike.
class LossMeans {
 public:
  /// `full_rows`: of which a share of 1 consists.
  explicit LossMeans(int64_t full_rows) : full_rows_(full_rows) {}

  /// What `num_rows` count for in a sum over batches.
  double share(int64_t num_rows) const {
    return double(num_rows) / double(full_rows_);
  }

  /// The losses of a batch of `num_rows`, whose parts are named alike in every
  /// batch.
  void add(const Losses& losses, int64_t num_rows);

  int64_t num_rows() const { return num_rows_; }
  double total() const { return total_ * scale(); }
  std::vector<std::pair<std::string, double>> parts() const;

 private:
  double scale() const { return 1 / share(num_rows_); }

  int64_t full_rows_, num_rows_ = 0;
  double total_ = 0;
  std::vector<std::pair<std::string, double>> parts_;
};

}  // namespace calotype
