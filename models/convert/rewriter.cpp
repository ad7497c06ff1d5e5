#include "models/convert/rewriter.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/check.h"
#include "core/error.h"

namespace calotype {

void Rewriter::set(const std::string& to, const at::Tensor& numbers) {
  to_->tensors[to] = numbers.contiguous();
}

void Rewriter::tensor(const std::string& from, const std::string& to) {
  set(to, from_->take(from));
}

void Rewriter::layer(const std::string& from, const std::string& to) {
  tensor(from + ".weight", to + ".weight");
  tensor(from + ".bias", to + ".bias");
}

void Rewriter::linear(const std::string& from, const std::string& to) {
  const auto weight = from_->take(from + ".weight");
  if (weight.dim() < 2 || weight.numel() != weight.size(0) * weight.size(1))
    throw DataError(fmt::format(
        "{}: {}.weight must be a matrix or a convolution of one element, got "
        "{}",
        from_->where(), from, shape_text(weight.sizes())));
  set(to + ".weight", weight.reshape({weight.size(0), weight.size(1)}));
  tensor(from + ".bias", to + ".bias");
}

}  // namespace calotype
