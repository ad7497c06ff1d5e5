#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace calotype {

/// Tokens [N,h*w,p*p*C] -> the grid [N,C,h*p,w*p] that they are the p x p
/// patches of. A token holds row by row and column by column its C channels
/// (DiT, arXiv:2212.09748, section 3.2, "Transformer decoder").
at::Tensor grid_of_patches(const at::Tensor& tokens, int64_t h, int64_t w,
                           int64_t patch_size);

/// Throws ConfigError, in the name of the model `where`, unless the grid
/// [N,C,H,W] can be cut into patches of patch_size x patch_size.
void check_patches(const char* where, const at::Tensor& grid,
                   int64_t patch_size);

}  // namespace calotype
