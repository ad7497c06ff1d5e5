#include "training/flat_parameters.h"

#include <torch/utils.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace calotype {
namespace {

constexpr int64_t kAlignment =
    16;  // floats: a cache line, as convolution kernels like

int64_t aligned(int64_t count) {
  return (count + kAlignment - 1) / kAlignment * kAlignment;
}

at::Tensor view_of(const at::Tensor& flat, int64_t offset,
                   at::IntArrayRef shape) {
  return flat.narrow(0, offset, c10::multiply_integers(shape)).view(shape);
}

}  // namespace

double euclidean_norm(const at::Tensor& flat) {
  constexpr int64_t kPiece = 1 << 16;  // stays in a cache as doubles
  // Added up where the numbers are: a GPU is waited for once.
  auto sum = torch::zeros({}, flat.options().dtype(torch::kDouble));
  for (const auto& piece : flat.split(kPiece))
    sum += piece.to(torch::kDouble).square().sum();
  return std::sqrt(sum.item<double>());
}

FlatParameters::FlatParameters(torch::nn::Module& module) {
  const torch::NoGradGuard no_grad;
  int64_t size = 0;
  at::TensorOptions options;
  for (const auto& item : module.named_parameters()) {
    if (!item.value().requires_grad()) continue;
    slices_.push_back({item.key(), size, item.value().sizes().vec()});
    size += aligned(item.value().numel());
    options = item.value().options();
  }
  if (slices_.empty())
    throw ShapeError("FlatParameters: the module has no parameters");
  values_ = torch::zeros({size}, options.requires_grad(false));
  gradients_ = torch::zeros_like(values_);
  auto parameters = module.named_parameters();
  for (const auto& slice : slices_) {
    auto& parameter = parameters[slice.name];
    auto view = view_of(values_, slice.offset, slice.shape);
    view.copy_(parameter);
    parameter.set_data(view);
    parameter.mutable_grad() = view_of(gradients_, slice.offset, slice.shape);
  }
}

std::map<std::string, at::Tensor> FlatParameters::by_name(
    const at::Tensor& flat) const {
  std::map<std::string, at::Tensor> parts;
  for (const auto& slice : slices_)
    parts[slice.name] = view_of(flat, slice.offset, slice.shape);
  return parts;
}

at::Tensor FlatParameters::mask_of(
    const std::vector<std::string>& names) const {
  const auto mask = torch::zeros_like(values_, torch::kBool);
  for (const auto& name : names) {
    const auto slice =
        std::find_if(slices_.begin(), slices_.end(),
                     [&](const Slice& s) { return s.name == name; });
    if (slice == slices_.end())
      throw ShapeError("FlatParameters: no parameter is called " + name);
    view_of(mask, slice->offset, slice->shape).fill_(true);
  }
  return mask;
}

std::vector<std::string> FlatParameters::names_with_bad_gradient() const {
  std::vector<std::string> names;
  for (const auto& slice : slices_)
    if (!view_of(gradients_, slice.offset, slice.shape)
             .isfinite()
             .all()
             .item<bool>())
      names.push_back(slice.name);
  return names;
}

}  // namespace calotype
