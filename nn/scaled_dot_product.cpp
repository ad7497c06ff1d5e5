#include "nn/scaled_dot_product.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>

namespace calotype {
namespace {

constexpr int64_t kMaxScores = int64_t{64}
                               << 20;  // floats of one block: 256 MiB

}  // namespace

at::Tensor scaled_dot_product(const at::Tensor& q, const at::Tensor& k,
                              const at::Tensor& v) {
  const auto keys = (k / std::sqrt(double(q.size(3)))).transpose(2, 3);
  const auto attend = [&](const torch::Tensor& rows) {
    return rows.matmul(keys).softmax(-1).matmul(v);
  };
  const int64_t length = q.size(2);
  const int64_t scores_per_row = q.size(0) * q.size(1) * k.size(2);
  const int64_t block =
      std::max<int64_t>(1, kMaxScores / std::max<int64_t>(scores_per_row, 1));
  if (block >= length) return attend(q);
  std::vector<torch::Tensor> parts;
  for (int64_t at = 0; at < length; at += block)
    parts.push_back(attend(q.narrow(2, at, std::min(block, length - at))));
  return torch::cat(parts, 2);
}

at::Tensor split_heads(const at::Tensor& tokens, int64_t num_heads) {
  return tokens
      .reshape({tokens.size(0), tokens.size(1), num_heads,
                tokens.size(2) / num_heads})
      .transpose(1, 2);
}

at::Tensor merge_heads(const at::Tensor& heads) {
  return heads.transpose(1, 2).reshape(
      {heads.size(0), heads.size(2), heads.size(1) * heads.size(3)});
}

}  // namespace calotype
