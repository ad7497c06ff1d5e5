#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace calotype {

/// Throws ShapeError unless `tensor` has the shape `expected`; -1 stands for
/// any size. The message reads "Quantizer: latent must be [*, 64, *, *], got
/// [2, 32, 8, 8]".
void check_shape(std::string_view where, std::string_view what,
                 const at::Tensor& tensor,
                 std::initializer_list<int64_t> expected);

/// Throws ConfigError unless low <= value <= high. The message reads
/// "training: batch_size must be in [1, 65536], got 0".
void check_range(std::string_view where, std::string_view what, double value,
                 double low, double high);

/// Throws ConfigError unless `value` is one of `allowed`. The message reads
/// "schedule: beta_schedule must be one of linear, scaled_linear, got cosine".
void check_one_of(std::string_view where, std::string_view what,
                  std::string_view value,
                  std::initializer_list<std::string_view> allowed);

/// "[2, 4, 8, 8]".
std::string shape_text(at::IntArrayRef sizes);

}  // namespace calotype
