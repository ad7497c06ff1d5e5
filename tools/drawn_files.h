#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "core/config.h"
#include "tools/generate_output.h"

namespace calotype {

/// What image k of a call is of, and where it is named: on the way from seed to
/// seed all are of one sample, and counted. `setup` must outlive it.
class DrawnFiles {
 public:
  explicit DrawnFiles(const OutputSetup& setup) : setup_(setup) {}

  /// k of [0, count).
  int64_t number(int64_t k) const;
  int64_t sample(int64_t k) const;
  int64_t label(int64_t k) const;
  std::string class_name(int64_t k) const;  // "any" for label -1
  std::string name(int64_t k) const;        // without an ending

  /// Images `begin` to `begin + count - 1`.
  DrawnRows rows(int64_t begin, int64_t count) const;

  /// Whether a file is one of this call's.
  bool has(const std::string& file) const;

  /// What the call draws, beside the recipe of each: which samples of which
  /// classes.
  Json settings() const;

 private:
  int64_t first_number() const;
  std::string class_name_of(int64_t label) const;

  const OutputSetup& setup_;
};

}  // namespace calotype
