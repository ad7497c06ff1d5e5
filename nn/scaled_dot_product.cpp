#include "nn/scaled_dot_product.h"

#include <torch/autograd.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>

#include "core/parallel.h"
#include "core/profile.h"
#include "nn/libtorch_compat.h"
#include "nn/second_derivative.h"
#include "nn/softmax_kernel.h"

namespace calotype {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// The scores [B,L,K] in parts that hold at most so many numbers: several heads
/// at once if theirs fit, otherwise rows of one head.
struct Blocks {
  int64_t num_heads, num_rows;  // in all: B, L
  int64_t heads, rows;          // of one part

  Blocks(const Tensor& q, const Tensor& k, int64_t max_numbers)
      : num_heads(q.size(0)), num_rows(q.size(1)) {
    const auto row = std::max<int64_t>(k.size(1), 1);
    const auto fit = std::max<int64_t>(max_numbers / row, 1);  // rows
    rows = std::min(fit, num_rows);
    heads = rows < num_rows
                ? 1
                : std::clamp<int64_t>(fit / std::max<int64_t>(num_rows, 1), 1,
                                      std::max<int64_t>(num_heads, 1));
  }

  /// Calls visit(first head, heads, first row, rows).
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (int64_t head = 0; head < num_heads; head += heads)
      for (int64_t row = 0; row < num_rows; row += rows)
        visit(head, std::min(heads, num_heads - head), row,
              std::min(rows, num_rows - row));
  }
};

Tensor part(const Tensor& x, int64_t head, int64_t heads, int64_t row,
            int64_t rows) {
  return x.narrow(0, head, heads).narrow(1, row, rows);
}

/// Rows whose exponentials are worth a thread.
constexpr int64_t kScoresPerTask = 1 << 14;

/// The softmax over the last dimension, in the place of `scores`.
Tensor softmax_of(Tensor scores) {
  if (!scores.device().is_cpu() || scores.scalar_type() != torch::kFloat)
    return scores.softmax(-1);
  scores = scores.contiguous();
  const auto count = scores.size(-1);
  auto* const data = scores.data_ptr<float>();
  parallel_for(0, scores.numel() / std::max<int64_t>(count, 1),
               grain_of(count, kScoresPerTask),
               [&](int64_t begin, int64_t end) {
                 for (int64_t row = begin; row < end; ++row)
                   softmax_row(data + row * count, count);
               });
  return scores;
}

/// Keys over which a product adds up in float, where there are many; how many
/// of them it holds in one number is the BLAS's choice.
constexpr int64_t kKeysPerSum = 128;
constexpr int64_t kManyKeys = 1024;

/// weights [B,L,K] by values [B,K,d]. Over many keys in parts whose sums are
/// added in double: of 16,384 weights beside a large one each is below half a
/// unit of the sum's last place.
Tensor weighted_sum(const Tensor& weights, const Tensor& values) {
  const auto num_keys = values.size(1);
  if (num_keys <= kManyKeys || !values.device().is_cpu())
    return weights.bmm(values);
  auto sum = torch::zeros({weights.size(0), weights.size(1), values.size(2)},
                          values.options().dtype(torch::kDouble));
  for (int64_t key = 0; key < num_keys; key += kKeysPerSum) {
    const auto keys = std::min(kKeysPerSum, num_keys - key);
    sum.add_(weights.narrow(2, key, keys).bmm(values.narrow(1, key, keys)));
  }
  return sum.to(values.scalar_type());
}

/// Queries, keys and values are [B,L,d], the queries scaled already.
struct BlockwiseAttention : torch::autograd::Function<BlockwiseAttention> {
  static Tensor forward(AutogradContext* context, const Tensor& q,
                        const Tensor& k, const Tensor& v, int64_t max_numbers) {
    auto out = torch::empty({q.size(0), q.size(1), v.size(2)}, q.options());
    const auto keys = k.transpose(1, 2);
    // Scores, and elsewhere than on the CPU their softmax.
    Blocks(q, k, max_numbers / 2)
        .for_each([&](int64_t head, int64_t heads, int64_t row, int64_t rows) {
          const auto weights = softmax_of(
              part(q, head, heads, row, rows).bmm(keys.narrow(0, head, heads)));
          part(out, head, heads, row, rows)
              .copy_(weighted_sum(weights, v.narrow(0, head, heads)));
        });
    context->save_for_backward({q, k, v, out});
    context->saved_data["max_numbers"] = max_numbers;
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto saved = context->get_saved_variables();
    const auto &q = saved[0], &k = saved[1], &v = saved[2], &out = saved[3];
    const auto& grad = grads[0];
    if (torch::GradMode::is_enabled()) {
      auto gradients = differentiable_gradients(
          q.bmm(k.transpose(1, 2)).softmax(-1).bmm(v), {q, k, v}, grad);
      gradients.resize(4);
      return gradients;
    }
    auto dq = torch::empty_like(q);
    auto dk = torch::zeros_like(k), dv = torch::zeros_like(v);
    // Softmax subtracts from each row's gradient its mean under the weights,
    // which is grad . out.
    const auto mean = (grad * out).sum(-1, /*keepdim=*/true);
    // The weights, and for a moment the scores or the weights' gradient.
    Blocks(q, k, context->saved_data["max_numbers"].toInt() / 2)
        .for_each([&](int64_t head, int64_t heads, int64_t row, int64_t rows) {
          const auto of = [&](const Tensor& x) {
            return part(x, head, heads, row, rows);
          };
          const auto keys = k.narrow(0, head, heads);
          const auto weights =
              softmax_of(of(q).bmm(keys.transpose(1, 2)));  // [heads,rows,K]
          const auto go = of(grad);
          dv.narrow(0, head, heads).baddbmm_(weights.transpose(1, 2), go);
          const auto ds = go.bmm(v.narrow(0, head, heads).transpose(1, 2))
                              .sub_(of(mean))
                              .mul_(weights);
          of(dq).copy_(ds.bmm(keys));
          dk.narrow(0, head, heads).baddbmm_(ds.transpose(1, 2), of(q));
        });
    return {dq, dk, dv, Tensor()};
  }
};

bool is_bf16(const Tensor& x) {
  return x.scalar_type() == torch::kBFloat16;
}

}  // namespace

at::Tensor scaled_dot_product(const at::Tensor& q, const at::Tensor& k,
                              const at::Tensor& v) {
  // Normed or rotated queries and keys are floats where values are bf16.
  if (is_bf16(q) || is_bf16(k) || is_bf16(v)) {
    const auto type = q.is_cpu() ? at::kFloat : at::kBFloat16;
    if (q.scalar_type() != type || k.scalar_type() != type ||
        v.scalar_type() != type)
      return scaled_dot_product(q.to(type), k.to(type), v.to(type));
  }
  // Weights add up to 1, so that what all values share is kept out of their
  // float sums, which err alike over many equal tokens (3e-5 of 16,384).
  const auto shared = v.detach().mean(2, /*keepdim=*/true);
  const auto apart = v - shared;
  // On the CPU ours sums in double and is the same in any batch, which that of
  // LibTorch 2 is not.
  if (is_profiling())
    count_operations((torch::GradMode::is_enabled() ? 12.0 : 4.0) *
                     double(q.numel()) * double(k.size(2)));
  const bool is_fused = kHasFusedAttention && !q.device().is_cpu();
  return shared + (is_fused ? fused_attention(q, k, apart)
                            : bounded_attention(q, k, apart));
}

at::Tensor bounded_attention(const at::Tensor& q, const at::Tensor& k,
                             const at::Tensor& v, int64_t max_bytes) {
  const auto N = q.size(0), heads = q.size(1);
  const double scale = 1 / std::sqrt(double(q.size(3)));
  const auto max_numbers = max_bytes / int64_t(q.element_size());
  // All at once only where LibTorch keeps the weights for the gradient.
  if (torch::GradMode::is_enabled() &&
      2 * N * heads * q.size(2) * k.size(2) <= max_numbers)
    return (q * scale).matmul(k.transpose(2, 3)).softmax(-1).matmul(v);
  const auto flat = [&](const Tensor& x) {
    return x.reshape({N * heads, x.size(2), x.size(3)});
  };
  return BlockwiseAttention::apply(flat(q) * scale, flat(k), flat(v),
                                   max_numbers)
      .view({N, heads, q.size(2), v.size(3)});
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
