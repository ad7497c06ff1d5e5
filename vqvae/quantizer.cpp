#include "vqvae/quantizer.h"

#include <fmt/format.h>

#include <bit>

#include "core/check.h"
#include "core/error.h"
#include "vqvae/binary_spherical.h"
#include "vqvae/bit_codes.h"
#include "vqvae/cosine_codebook.h"
#include "vqvae/ema_codebook.h"
#include "vqvae/finite_scalar.h"
#include "vqvae/gradient_estimate.h"
#include "vqvae/learned_codebook.h"
#include "vqvae/lookup_free.h"
#include "vqvae/projected_quantizer.h"
#include "vqvae/residual_quantizer.h"
#include "vqvae/sim_vq.h"

namespace calotype {
namespace {

constexpr const char* kQuantizer = "quantizer";
constexpr int64_t kMaxCodes = int64_t{1} << kMaxBits;

bool is_binary(const std::string& kind) {
  return kind == "lfq" || kind == "bsq";
}

/// Numbers of a code: given by the grid where there is no codebook.
int64_t code_dim_of(const QuantizerConfig& config, int64_t dim) {
  if (config.kind == "fsq") return int64_t(config.levels.size());
  if (is_binary(config.kind))
    return std::countr_zero(uint64_t(config.num_codes));
  return config.code_dim > 0 ? config.code_dim : dim;
}

/// [N,D,h,w] -> [N*h*w,D].
at::Tensor to_vectors(const at::Tensor& grid) {
  return grid.permute({0, 2, 3, 1}).reshape({-1, grid.size(1)});
}

/// [N*h*w,D] -> [N,D,h,w], as `like` in all but D.
at::Tensor to_grid(const at::Tensor& vectors, const at::Tensor& like) {
  return vectors
      .view({like.size(0), like.size(2), like.size(3), vectors.size(1)})
      .permute({0, 3, 1, 2});
}

std::shared_ptr<Quantizer> make_inner(const QuantizerConfig& config,
                                      int64_t dim) {
  const auto& kind = config.kind;
  if (kind == "learned") return std::make_shared<LearnedCodebook>(config, dim);
  if (kind == "cosine") return std::make_shared<CosineCodebook>(config, dim);
  if (kind == "simvq") return std::make_shared<SimVq>(config, dim);
  if (kind == "fsq") return std::make_shared<FiniteScalar>(config.levels);
  if (kind == "lfq") return std::make_shared<LookupFree>(config, dim);
  if (kind == "bsq") return std::make_shared<BinarySpherical>(config, dim);
  if (kind == "residual")
    return std::make_shared<ResidualQuantizer>(config, dim);
  return std::make_shared<EmaCodebook>(config, dim);
}

}  // namespace

void QuantizerConfig::validate() const {
  check_one_of(
      kQuantizer, "kind", kind,
      {"learned", "ema", "cosine", "simvq", "fsq", "lfq", "bsq", "residual"});
  parse_gradient_estimate(gradient);
  check_range(kQuantizer, "num_codes", double(num_codes), 2, double(kMaxCodes));
  check_range(kQuantizer, "code_dim", double(code_dim), 0, 1 << 16);
  check_range(kQuantizer, "commitment_weight", commitment_weight, 0, 1e6);
  check_range(kQuantizer, "decay", decay, 0, 1 - 1e-9);
  check_range(kQuantizer, "restart_after", double(restart_after), 0, 1e12);
  check_range(kQuantizer, "entropy_weight", entropy_weight, 0, 1e6);
  check_range(kQuantizer, "diversity_gamma", diversity_gamma, 0, 1e6);
  check_range(kQuantizer, "inv_temperature", inv_temperature, 1e-6, 1e9);
  check_range(kQuantizer, "num_quantizers", double(num_quantizers), 1, 64);
  if (is_binary(kind) && !std::has_single_bit(uint64_t(num_codes)))
    throw ConfigError(
        fmt::format("quantizer: {} needs num_codes to be a power of 2, got {}",
                    kind, num_codes));
  if (legacy_beta && kind != "learned")
    throw ConfigError("quantizer: legacy_beta needs kind learned, got " + kind);
  if (kind != "fsq") return;
  check_range(kQuantizer, "number of levels", double(levels.size()), 1, 64);
  double product = 1;
  for (const auto level : levels) {
    check_range(kQuantizer, "levels", double(level), 2, 1 << 16);
    product *= double(level);
  }
  check_range(kQuantizer, "product of levels", product, 2, double(kMaxCodes));
}

std::shared_ptr<Quantizer> make_quantizer(const QuantizerConfig& config,
                                          int64_t dim) {
  config.validate();
  const auto code_dim = code_dim_of(config, dim);
  auto inner = make_inner(config, code_dim);
  if (code_dim == dim) return inner;
  return std::make_shared<ProjectedQuantizer>(std::move(inner), dim, code_dim);
}

QuantizerConfig with_num_codes(const char* where, QuantizerConfig config,
                               int64_t num_codes) {
  config.num_codes = num_codes;
  config.validate();
  int64_t product = 1;
  for (const auto level : config.levels) product *= level;
  if (config.kind == "fsq" && product != num_codes)
    throw ConfigError(
        fmt::format("{}: quantizer.levels make {} codes, num_vq_embeddings is "
                    "{}",
                    where, product, num_codes));
  return config;
}

Quantized quantize_grid(Quantizer& quantizer, const at::Tensor& latent,
                        const QuantizerStep* training) {
  auto result = quantizer.quantize(to_vectors(latent), training);
  result.vectors = to_grid(result.vectors, latent);
  result.indices = to_grid(result.indices, latent);
  return result;
}

at::Tensor lookup_grid(Quantizer& quantizer, const at::Tensor& tokens) {
  check_shape(kQuantizer, "tokens", tokens,
              {-1, quantizer.num_levels(), -1, -1});
  return to_grid(quantizer.lookup(to_vectors(tokens)), tokens);
}

void check_indices(const at::Tensor& indices, int64_t num_codes,
                   int64_t num_levels) {
  check_shape(kQuantizer, "indices", indices, {-1, num_levels});
  if (indices.numel() == 0) return;
  const auto lowest = indices.min().item<int64_t>();
  const auto highest = indices.max().item<int64_t>();
  if (lowest < 0 || highest >= num_codes)
    throw DataError(
        fmt::format("quantizer: code {} is outside the codebook of {} codes",
                    lowest < 0 ? lowest : highest, num_codes));
}

}  // namespace calotype
