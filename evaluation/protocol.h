#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/config.h"
#include "datasets/image_source.h"

// What a number depends on beside what it measures. Two numbers compare if
// their protocols are alike.
namespace calotype {

/// The hash of a set of images that come in any order: of the hashes of their
/// files and of their places, which draws and groups go by. 16 bytes an image.
class SetHash {
 public:
  /// `indices`: int64 [N], places in the set.
  void add(const at::Tensor& indices, const std::vector<uint64_t>& hashes);

  int64_t count() const { return int64_t(hashes_.size()); }

  /// Places and hashes as they came, int64 [N,2].
  at::Tensor table() const;
  void add(const at::Tensor& table);

  /// 16 hex digits.
  std::string text() const;

 private:
  std::vector<std::pair<int64_t, uint64_t>> hashes_;
};

/// What a protocol says of a set: how the user names it, its images that could
/// be read, and their hash.
Json set_record(const std::string& spec, const SetHash& hash);

/// The first difference of two protocols ("preprocessing.resize: area and
/// bilinear"); empty if there is none. How a set is named does not count, nor
/// does the version.
std::string protocol_difference(const Json& a, const Json& b);

}  // namespace calotype
