#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace calotype {

struct QuantizerConfig {
  // learned, ema, cosine, simvq: codebooks; fsq, lfq, bsq: fixed grids;
  // residual: several codebooks of kind ema, one after the other
  std::string kind = "ema";
  // K; fsq: the product of levels; lfq, bsq: 2^dim. No key: num_vq_embeddings.
  int64_t num_codes = 512;
  int64_t code_dim = 0;  // of projected vectors; 0: the latent's own
  // What replaces the gradient of rounding: straight_through, rotation.
  std::string gradient = "straight_through";
  double commitment_weight = 0.25;  // of |x - sg(code)|^2
  bool legacy_beta = false;  // learned: the weight on |sg(x) - code|^2 instead
  double decay = 0.99;       // ema, cosine: of the running means
  bool kmeans_init = true;   // codebooks: from the first batch
  int64_t restart_after = 100;           // steps without use; 0: never
  std::vector<int64_t> levels{8, 8, 8};  // fsq: values per dimension
  double entropy_weight = 0.1;           // lfq, bsq
  double diversity_gamma = 1;            // of the entropy over the batch
  double inv_temperature = 100;          // of the soft assignment
  int64_t num_quantizers = 4;            // residual

  void validate() const;  // throws ConfigError
};

template <class Visitor>
void visit_fields(QuantizerConfig& c, Visitor&& visit) {
  visit("kind", c.kind);
  visit("code_dim", c.code_dim);
  visit("gradient", c.gradient);
  visit("commitment_weight", c.commitment_weight);
  visit("legacy_beta", c.legacy_beta);
  visit("decay", c.decay);
  visit("kmeans_init", c.kmeans_init);
  visit("restart_after", c.restart_after);
  visit("levels", c.levels);
  visit("entropy_weight", c.entropy_weight);
  visit("diversity_gamma", c.diversity_gamma);
  visit("inv_temperature", c.inv_temperature);
  visit("num_quantizers", c.num_quantizers);
}

/// Names the draws of a training step.
struct QuantizerStep {
  uint64_t seed = 0;
  int64_t step = 0;

  /// Of one of several codebooks, which draw apart from one another.
  QuantizerStep of_part(uint64_t part) const {
    return {.seed = seed + part * 0x9E3779B97F4A7C15u, .step = step};
  }
};

/// What a quantizer makes of M vectors.
struct Quantized {
  at::Tensor vectors;  // [M,D] the codes, with a gradient towards the input
  at::Tensor indices;  // [M,L] int64 in [0,K)
  at::Tensor loss;     // scalar: what encoder and codebook are to minimise
  std::vector<std::pair<std::string, at::Tensor>> parts;  // scalars, for show
};

/// Vectors to codes and back. L is 1 but for residual quantizers.
class Quantizer : public torch::nn::Module {
 public:
  /// `vectors`: [M,D]. With `training`, codebooks learn from them: running
  /// means, first values, restarts. Throws NumericError for a vector that is
  /// not finite.
  virtual Quantized quantize(const at::Tensor& vectors,
                             const QuantizerStep* training) = 0;

  /// Codes [M,D] of `indices` [M,L]. Throws DataError for one outside [0,K).
  virtual at::Tensor lookup(const at::Tensor& indices) = 0;

  virtual int64_t num_codes() const = 0;            // K
  virtual int64_t num_levels() const { return 1; }  // L

  /// Training begins with the codes that are there, which were learnt
  /// elsewhere: the first batch does not replace them.
  virtual void keep_codes() {}

  /// What only training needs, by name: in the checkpoint, not in the model.
  virtual std::vector<std::pair<std::string, at::Tensor>> training_state() {
    return {};
  }
};

/// `config` with `num_codes` codes, the num_vq_embeddings of the model `where`.
/// Throws ConfigError if that cannot be.
QuantizerConfig with_num_codes(const char* where, QuantizerConfig config,
                               int64_t num_codes);

/// A quantizer of vectors of `dim` numbers. Throws ConfigError for one that
/// cannot have this dimension.
std::shared_ptr<Quantizer> make_quantizer(const QuantizerConfig& config,
                                          int64_t dim);

/// Quantizes the vectors of a grid: `latent` [N,D,h,w] to codes of that shape,
/// and indices [N,L,h,w].
Quantized quantize_grid(Quantizer& quantizer, const at::Tensor& latent,
                        const QuantizerStep* training);

/// Codes [N,D,h,w] of `tokens` [N,L,h,w]. Throws DataError as lookup does.
at::Tensor lookup_grid(Quantizer& quantizer, const at::Tensor& tokens);

/// Throws DataError unless `indices` are int64 [M,num_levels] in
/// [0,num_codes).
void check_indices(const at::Tensor& indices, int64_t num_codes,
                   int64_t num_levels);

}  // namespace calotype
