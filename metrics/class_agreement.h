#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace calotype {

/// How often images of a class are taken for that class.
struct ClassShare {
  int64_t label = 0;
  int64_t num_asked = 0;
  int64_t num_agreed = 0;
  double share = 0;  // num_agreed / num_asked, 0 where nothing was asked
};

/// Counts asked against predicted classes.
class ClassAgreement {
 public:
  /// Throws ConfigError unless num_classes is at least 2.
  explicit ClassAgreement(int64_t num_classes);

  /// `asked`, `predicted`: int64 [N] in [0, num_classes). Throws ShapeError.
  void add(const at::Tensor& asked, const at::Tensor& predicted);

  /// Over all images together. Throws ConfigError if there were none.
  double overall() const;

  /// One entry per class, in order.
  std::vector<ClassShare> per_class() const;

  /// int64 [num_classes,num_classes]: row asked, column predicted.
  const at::Tensor& counts() const { return counts_; }

 private:
  at::Tensor counts_;
};

}  // namespace calotype
