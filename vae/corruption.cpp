#include "vae/corruption.h"

#include "core/check.h"
#include "core/random.h"

namespace calotype {
namespace {

constexpr double kBlack = -1, kWhite = 1;
constexpr double kUnitScale = 2;  // [-1,1] is twice as wide as [0,1]

}  // namespace

void CorruptionConfig::validate() const {
  const auto where = "loss: corruption";
  check_one_of(where, "kind", kind,
               {"none", "gaussian", "pixels", "patches", "salt_and_pepper"});
  check_range(where, "sigma", sigma, 0, 100);
  check_range(where, "share", share, 0, 1);
  check_range(where, "patch_size", double(patch_size), 1, 1 << 15);
}

at::Tensor corrupt(const CorruptionConfig& config, const at::Tensor& images,
                   const at::Tensor& samples, uint64_t seed, int64_t step) {
  check_shape("corrupt", "images", images, {-1, -1, -1, -1});
  if (config.kind == "none") return images;
  if (config.kind == "gaussian") {
    const auto noise = normal_rows(images.sizes().slice(1), samples, seed,
                                   Stream::kCorruption, uint32_t(step));
    return images + kUnitScale * config.sigma * noise.to(images.device());
  }
  const auto H = images.size(2), W = images.size(3);
  const bool patches = config.kind == "patches";
  const auto edge = patches ? config.patch_size : 1;
  const auto cells = [&](int64_t size) { return (size + edge - 1) / edge; };
  const auto drawn = uniform_rows({1, cells(H), cells(W)}, samples, seed,
                                  Stream::kCorruption, uint32_t(step))
                         .to(images.device());
  if (config.kind == "salt_and_pepper")
    return images.masked_fill(drawn < config.share, kBlack)
        .masked_fill(drawn < config.share / 2, kWhite);
  const auto hidden = drawn.repeat_interleave(edge, 2)
                          .repeat_interleave(edge, 3)
                          .narrow(2, 0, H)
                          .narrow(3, 0, W);
  return images.masked_fill(hidden < config.share, kBlack);
}

}  // namespace calotype
