#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <vector>

#include "core/config.h"
#include "core/slices.h"
#include "datasets/loader.h"
#include "evaluation/image_pass.h"
#include "nn/safetensors.h"

// What several processes measure, each of some blocks of the images, to be put
// together by one.
namespace calotype {

/// The images of a block among all.
Slice images_of_block(int64_t block, int64_t num_images);

/// A work of blocks that do not depend on each other.
struct BlockWork {
  int64_t num_blocks = 0;
  Json subject;  // what is measured, by its contents
  std::function<TensorFile(int64_t block)> measure;
};

/// Measurements of blocks in a folder. A file's name has the hash of its bytes:
/// no two processes write one name with other bytes, and what is damaged tells.
class MeasuredBlocks {
 public:
  explicit MeasuredBlocks(std::filesystem::path folder);

  /// As it was when this was made, or list() was called last.
  bool has(int64_t block) const { return files_.contains(block); }
  void list();

  void write(int64_t block, const TensorFile& measured) const;

  /// Throws DataError if there is no sound one; a damaged file is removed.
  TensorFile read(int64_t block) const;

 private:
  std::filesystem::path folder_;
  std::multimap<int64_t, std::filesystem::path> files_;  // by block, sorted
};

/// Hashes as int64 [N], which a file can hold, and back.
at::Tensor as_tensor(const std::vector<uint64_t>& hashes);
std::vector<uint64_t> as_hashes(const at::Tensor& tensor);

/// What a pass over a block met, as text for the file, and back.
void keep_pass(TensorFile& measured, const ImagePass& pass);
ImagePass kept_pass(const TensorFile& measured);

}  // namespace calotype
