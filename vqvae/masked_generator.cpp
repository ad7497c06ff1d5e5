#include "vqvae/masked_generator.h"

#include <torch/nn/modules/container/modulelist.h>
#include <torch/utils.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "core/check.h"
#include "core/error.h"
#include "core/random.h"
#include "core/stop_signal.h"
#include "nn/batch_invariant.h"
#include "nn/sliced.h"

namespace calotype {
namespace {

constexpr const char* kGenerator = "CalotypeMaskedGenerator";

/// How many of `total` tokens are hidden at time u in [0,1].
int64_t num_hidden(double u, int64_t total) {
  return int64_t(
      std::floor(std::cos(u * std::numbers::pi / 2) * double(total)));
}

/// Numbers -log(-log u) for u in (0,1).
at::Tensor gumbel(const at::Tensor& uniform) {
  return -(-uniform.log()).log();
}

/// One code per position by log-probabilities [N,T,K] and uniform numbers
/// [N,T]: int64 [N,T]. One number a position, not one a code.
at::Tensor pick_codes(const at::Tensor& log_shares, const at::Tensor& uniform) {
  const auto cumulative = log_shares.exp().cumsum_(-1);
  const auto level = uniform.unsqueeze(2) * cumulative.narrow(2, -1, 1);
  return (cumulative < level).sum(-1).clamp_max(log_shares.size(2) - 1);
}

at::Tensor guided(MaskedGeneratorImpl& model, const at::Tensor& tokens,
                  const at::Tensor& labels, double guidance) {
  if (guidance == 1) return model.forward(tokens, labels);
  const auto none = torch::full_like(labels, -1);
  const auto both =
      model.forward(torch::cat({tokens, tokens}), torch::cat({labels, none}))
          .chunk(2);
  return both[1] + guidance * (both[0] - both[1]);
}

/// All of `request` at once: int64 [N,T].
at::Tensor draw_rows(MaskedGeneratorImpl& model, const TokenRequest& request) {
  const auto& c = model.config();
  const auto N = request.samples.size(0), T = model.num_tokens();
  const torch::NoGradGuard no_grad;
  const auto device = model.parameters()[0].device();
  const auto labels = request.labels.to(device);
  auto tokens = torch::full({N, T}, c.num_codes,
                            torch::dtype(torch::kLong).device(device));
  for (int64_t step = 0; step < request.num_steps; ++step) {
    const auto draws = [&](Stream stream) {
      return uniform_rows({T}, request.samples, request.seed, stream,
                          uint32_t(step))
          .to(device);
    };
    const auto logits = guided(model, tokens, labels, request.guidance);
    if (!logits.isfinite().all().item<bool>())
      throw DataError("draw_tokens: the network answers what is no number");
    const auto log_shares = logits.log_softmax(-1);
    const auto hidden = tokens == c.num_codes;
    const auto drawn = torch::where(
        hidden, pick_codes(log_shares, draws(Stream::kSamplerNoise)), tokens);
    const double u = double(step + 1) / double(request.num_steps);
    const auto left = step + 1 == request.num_steps ? 0 : num_hidden(u, T);
    auto confidence =
        log_shares.gather(2, drawn.unsqueeze(2)).squeeze(2) +
        request.temperature * (1 - u) * gumbel(draws(Stream::kMask));
    confidence = confidence.masked_fill(hidden.logical_not(),
                                        std::numeric_limits<float>::infinity());
    tokens = drawn;
    if (left > 0) {
      const auto least = std::get<1>(
          confidence.topk(left, 1, /*largest=*/false, /*sorted=*/false));
      // What is known already stays: it is infinitely sure.
      const auto again = torch::zeros_like(hidden).scatter(1, least, true);
      tokens = tokens.masked_fill(again.logical_and(hidden), c.num_codes);
    }
    if (request.on_step) request.on_step(step + 1, drawn);
  }
  return tokens.to(torch::kCPU);
}

}  // namespace

void MaskedGeneratorConfig::validate() const {
  check_range(kGenerator, "num_codes", double(num_codes), 2, 1 << 24);
  check_range(kGenerator, "num_levels", double(num_levels), 1, 64);
  check_range(kGenerator, "grid_height", double(grid_height), 1, 1 << 10);
  check_range(kGenerator, "grid_width", double(grid_width), 1, 1 << 10);
  check_range(kGenerator, "num_classes", double(num_classes), 0, 1 << 20);
  check_range(kGenerator, "num_layers", double(num_layers), 1, 256);
}

MaskedGeneratorImpl::MaskedGeneratorImpl(const MaskedGeneratorConfig& config)
    : config_(config) {
  config.validate();
  const auto W = config.width;
  const auto codes = config.num_levels * config.num_codes;
  // The last one is the hidden token.
  token_embed_ =
      register_module("token_embed", torch::nn::Embedding(codes + 1, W));
  // The last label is "none".
  label_embed_ = register_module(
      "label_embed", torch::nn::Embedding(config.num_classes + 1, W));
  positions_ = register_parameter("positions",
                                  0.02 * torch::randn({1, num_tokens(), W}));
  const auto list = register_module("blocks", torch::nn::ModuleList());
  for (int64_t i = 0; i < config.num_layers; ++i) {
    blocks_.emplace_back(TransformerBlockConfig{
        .width = W, .num_heads = config.num_attention_heads});
    list->push_back(blocks_.back());
  }
  norm_ = register_module("norm", transformer_norm(W));
  head_ = register_module("head", Linear(W, codes));
  const torch::NoGradGuard no_grad;
  for (auto* embedding : {&token_embed_, &label_embed_})
    (*embedding)->weight.mul_(0.02);
}

torch::Tensor MaskedGeneratorImpl::forward(const torch::Tensor& tokens,
                                           const torch::Tensor& labels) {
  check_shape(kGenerator, "tokens", tokens, {-1, num_tokens()});
  check_shape(kGenerator, "labels", labels, {tokens.size(0)});
  return in_slices(*this, {tokens, labels},
                   [this](const std::vector<at::Tensor>& inputs) {
                     return forward_rows(inputs[0], inputs[1]);
                   });
}

at::Tensor MaskedGeneratorImpl::forward_rows(const at::Tensor& tokens,
                                             const at::Tensor& labels) {
  const auto known = torch::where(
      labels < 0, torch::full_like(labels, config_.num_classes), labels);
  const auto K = config_.num_codes, L = config_.num_levels;
  const auto first = torch::arange(L, tokens.options())
                         .mul(K)
                         .repeat_interleave(num_tokens() / L);
  const auto codes = torch::where(tokens == K, torch::full_like(tokens, L * K),
                                  tokens + first);
  auto x = token_embed_(codes) + positions_ + label_embed_(known).unsqueeze(1);
  for (auto& block : blocks_) x = block(x);
  const auto of_level = norm_(x).chunk(L, 1);
  std::vector<at::Tensor> logits;
  for (int64_t level = 0; level < L; ++level)
    logits.push_back(invariant_linear(of_level[size_t(level)],
                                      head_->weight.narrow(0, level * K, K),
                                      head_->bias.narrow(0, level * K, K)));
  return torch::cat(logits, 1);
}

MaskedGenerator load_masked_generator(const ModelFolder& folder) {
  return load_model<MaskedGenerator, MaskedGeneratorConfig>(folder);
}

at::Tensor draw_tokens(MaskedGeneratorImpl& model,
                       const TokenRequest& request) {
  check_range("draw_tokens", "num_steps", double(request.num_steps), 1, 1e6);
  check_range("draw_tokens", "guidance", request.guidance, 0, 1e3);
  check_range("draw_tokens", "temperature", request.temperature, 0, 1e6);
  const auto& c = model.config();
  const auto N = request.samples.size(0), T = model.num_tokens();
  check_shape("draw_tokens", "labels", request.labels, {N});
  if (request.labels.lt(-1)
          .logical_or(request.labels.ge(c.num_classes))
          .any()
          .item<bool>())
    throw ConfigError(
        fmt::format("draw_tokens: labels must be in [-1, {})", c.num_classes));
  // A row does not depend on the others, and its logits are large.
  constexpr int64_t kMaxLogits = int64_t{1} << 26;
  const auto forwards = request.guidance == 1 ? 1 : 2;
  const auto rows =
      std::max<int64_t>(1, kMaxLogits / (forwards * T * c.num_codes));
  std::vector<at::Tensor> drawn{torch::empty({0, T}, torch::kLong)};
  for (int64_t begin = 0; begin < N; begin += rows) {
    const auto count = std::min(rows, N - begin);
    auto part = request;
    part.samples = request.samples.narrow(0, begin, count);
    part.labels = request.labels.narrow(0, begin, count);
    drawn.push_back(draw_rows(model, part));
  }
  return torch::cat(drawn).view({N, c.num_levels, c.grid_height, c.grid_width});
}

void MaskedTokenLossConfig::validate() const {
  check_range("loss", "label_dropout", label_dropout, 0, 1);
  check_range("loss", "label_smoothing", label_smoothing, 0, 1 - 1e-6);
}

MaskedTokenTraining::MaskedTokenTraining(
    std::shared_ptr<MaskedGeneratorImpl> model,
    const MaskedTokenLossConfig& config)
    : model_(std::move(model)), config_(config) {
  config.validate();
}

Losses MaskedTokenTraining::losses(const Batch& batch) {
  const auto& c = model_->config();
  check_shape(kGenerator, "tokens", batch.data,
              {-1, c.num_levels, c.grid_height, c.grid_width});
  const auto tokens = batch.data.flatten(1);
  if (tokens.ge(c.num_codes).any().item<bool>())
    throw DataError(
        fmt::format("{}: tokens must be below num_codes, {}, got {}",
                    kGenerator, c.num_codes, tokens.max().item<int64_t>()));
  if (batch.labels.ge(c.num_classes).any().item<bool>())
    throw ConfigError(fmt::format("{}: labels must be in [-1, {}), got {}",
                                  kGenerator, c.num_classes,
                                  batch.labels.max().item<int64_t>()));
  const auto N = tokens.size(0), T = tokens.size(1);
  const auto draws = [&](at::IntArrayRef shape, Stream stream) {
    return uniform_rows(shape, batch.samples, batch.seed, stream,
                        uint32_t(batch.step));
  };
  const auto times = draws({1}, Stream::kTimestep);
  auto counts = torch::empty({N, 1}, torch::kLong);
  for (int64_t i = 0; i < N; ++i)
    counts[i] = std::max<int64_t>(1, num_hidden(times[i][0].item<double>(), T));
  const auto rank =
      draws({T}, Stream::kMask).argsort(int64_t{1}).argsort(int64_t{1});
  const auto hidden = rank.lt(counts).to(tokens.device());
  const bool trains = model_->is_training();
  auto labels = batch.labels;
  if (trains && config_.label_dropout > 0)
    labels = torch::where(draws({1}, Stream::kLabelDropout)
                              .squeeze(1)
                              .lt(config_.label_dropout)
                              .to(labels.device()),
                          torch::full_like(labels, -1), labels);
  const auto logits =
      model_->forward(tokens.masked_fill(hidden, c.num_codes), labels);
  const auto wrong = torch::cross_entropy_loss(
      logits.index({hidden}), tokens.index({hidden}), /*weight=*/{},
      at::Reduction::Mean, /*ignore_index=*/-100,
      trains ? config_.label_smoothing : 0);
  const auto right = logits.detach()
                         .index({hidden})
                         .argmax(-1)
                         .eq(tokens.index({hidden}))
                         .to(torch::kFloat)
                         .mean();
  return {.total = wrong,
          .parts = {{"cross_entropy", wrong}, {"accuracy", right}}};
}

at::Tensor MaskedTokenTraining::preview(const Batch& batch) {
  constexpr int64_t kMostGrids = 16, kMostTokens = 4096;
  const auto count =
      std::clamp<int64_t>(kMostTokens / model_->num_tokens(), 1, kMostGrids);
  const auto samples = torch::arange(count);
  const auto classes = model_->config().num_classes;
  const auto labels =
      classes > 0 ? samples.remainder(classes) : torch::full_like(samples, -1);
  return draw_tokens(*model_, {.samples = samples,
                               .labels = labels,
                               .seed = batch.seed,
                               .guidance = classes > 0 ? 2.0 : 1.0,
                               .on_step = [](int64_t, const at::Tensor&) {
                                 throw_if_stopped();
                               }});
}

}  // namespace calotype
