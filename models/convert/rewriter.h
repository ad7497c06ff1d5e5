#pragma once

#include <string>

#include "models/convert/source_tensors.h"
#include "nn/safetensors.h"

namespace calotype {

/// Carries tensors from a part of a checkpoint to a model under its own names.
class Rewriter {
 public:
  Rewriter(SourcePart& from, TensorFile& to) : from_(&from), to_(&to) {}

  /// One tensor.
  void tensor(const std::string& from, const std::string& to);

  /// A weight and its bias.
  void layer(const std::string& from, const std::string& to);

  /// Of a convolution of 1x1 or of one element (or a linear layer already) a
  /// linear layer, [D,C]. Throws DataError for another kernel.
  void linear(const std::string& from, const std::string& to);

  void set(const std::string& to, const at::Tensor& numbers);
  SourcePart& source() { return *from_; }

 private:
  SourcePart* from_;
  TensorFile* to_;
};

}  // namespace calotype
