#pragma once

#include <c10/core/Device.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/config.h"
#include "models/codec.h"
#include "vqvae/masked_generator.h"

namespace calotype {

/// What the page asks of a generator of tokens, in JSON (docs/explorer.md), in
/// the words of diffusion_view.h: "seed", "class", "steps", "guidance".
class TokenView {
 public:
  /// `tokenizer`: the codec that its tokens are of. `image_size`: H and W, or
  /// empty. Throws ConfigError if it is no tokenizer, or has other tokens.
  TokenView(std::shared_ptr<MaskedGeneratorImpl> model,
            std::vector<std::string> class_names,
            std::vector<int64_t> image_size, LoadedCodec tokenizer,
            c10::Device device);

  /// Classes and defaults.
  Json facts() const;

  /// One picture, which is sample 0 of `generate`: its tokens, what they decode
  /// to, the code that this picture is encoded to, and the way there: what the
  /// picture would be after each step, on one sheet. `on_step`: told after each
  /// step; may throw.
  Json draw(const Json& request, const std::function<void()>& on_step) const;

 private:
  at::Tensor decoded(const at::Tensor& tokens) const;

  std::shared_ptr<MaskedGeneratorImpl> model_;
  std::vector<std::string> class_names_;
  std::vector<int64_t> image_size_;
  LoadedCodec codec_;
  c10::Device device_;
};

}  // namespace calotype
