#include "vqvae/bit_codes.h"

#include <torch/types.h>

namespace calotype {
namespace {

/// Values of the bits, the first highest: [D].
at::Tensor bit_values(int64_t num_bits, at::Device device) {
  return torch::pow(2,
                    torch::arange(num_bits - 1, -1, -1,
                                  torch::dtype(torch::kLong).device(device)));
}

/// Probabilities of all combinations of the bits: [M,2^D].
at::Tensor all_products(const at::Tensor& ones) {
  auto all = torch::ones({ones.size(0), 1}, ones.options());
  for (int64_t bit = 0; bit < ones.size(1); ++bit) {
    const auto one = ones.narrow(1, bit, 1);
    all = torch::cat({all * (1 - one), all * one}, 1);
  }
  return all;
}

}  // namespace

at::Tensor bits_to_indices(const at::Tensor& vectors) {
  return ((vectors > 0).to(torch::kLong) *
          bit_values(vectors.size(1), vectors.device()))
      .sum(1, /*keepdim=*/true);
}

at::Tensor indices_to_signs(const at::Tensor& indices, int64_t num_bits) {
  const auto bits = indices.bitwise_and(bit_values(num_bits, indices.device()));
  return bits.ne(0).to(torch::kFloat) * 2 - 1;
}

BitEntropies bit_entropies(const at::Tensor& logits) {
  const auto M = logits.size(0), D = logits.size(1);
  // H(sigmoid(l)) = log(1 + e^-|l|) + |l| sigmoid(-|l|), without overflow.
  const auto size = logits.abs();
  const auto per_bit = torch::softplus(-size) + size * (-size).sigmoid();
  const auto ones = logits.sigmoid();
  const auto front = all_products(ones.narrow(1, 0, D / 2));
  const auto back = all_products(ones.narrow(1, D / 2, D - D / 2));
  const auto mean = front.t().matmul(back) / double(M);
  constexpr double kTiny = 1e-12;  // 0 log 0 is 0
  return {.per_sample = per_bit.sum(1).mean(),
          .over_batch = -(mean * mean.clamp_min(kTiny).log()).sum()};
}

}  // namespace calotype
