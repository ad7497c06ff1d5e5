#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

// What quantizers share whose codes are signs: bits of an index, and how sure
// and how varied they are.
namespace calotype {

/// The most bits of a code: the distribution over all codes is a table of 2^d.
inline constexpr int64_t kMaxBits = 24;

/// Where `vectors` [M,D] are above 0, as a number whose highest bit is the
/// first: int64 [M,1].
at::Tensor bits_to_indices(const at::Tensor& vectors);

/// +1 and -1 from indices [M,1]: float [M,num_bits].
at::Tensor indices_to_signs(const at::Tensor& indices, int64_t num_bits);

struct BitEntropies {
  at::Tensor per_sample;  // mean over M of the entropy of one soft code, nats
  at::Tensor over_batch;  // entropy of the mean of the soft codes, nats
};

/// A soft code takes bit k with probability sigmoid(logits[m,k]), independently
/// of the others, which is exactly the softmax of squared distances to all 2^D
/// codes (arXiv:2310.05737, section 3.2). Both entropies are exact; the second
/// is a product of two matrices of 2^(D/2) columns, not a table of M x 2^D.
/// `logits`: [M,D], D at most kMaxBits.
BitEntropies bit_entropies(const at::Tensor& logits);

}  // namespace calotype
