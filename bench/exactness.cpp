// exactness: the largest error of encoding and decoding in float, against the
// same network in double, as a Markdown table (docs/exactness.md).
#include <fmt/format.h>
#include <torch/utils.h>

#include <cmath>
#include <cstdlib>
#include <string>

#include "core/runtime.h"
#include "vae/autoencoder_kl.h"

namespace calotype {
namespace {

struct Picture {
  const char* name;
  int64_t side;
  at::Tensor (*draw)(int64_t side);
};

/// Coordinates from 0 to 1: [side,1] and [1,side].
at::Tensor line(int64_t side) {
  return torch::linspace(0, 1, side);
}

at::Tensor as_bytes(const at::Tensor& image) {
  return (image.clamp(-1, 1) * 127.5 + 127.5).round() / 127.5 - 1;
}

at::Tensor white(int64_t side) {
  return torch::ones({1, 3, side, side});
}

/// Something round and shaded that fills a third of a white image.
at::Tensor product_on_white(int64_t side) {
  const auto x = line(side).view({1, 1, 1, side}) - 0.5;
  const auto y = line(side).view({1, 1, side, 1}) - 0.45;
  const auto inside = (x.square() + y.square()).lt(0.1).expand({1, 3, -1, -1});
  const auto shade = torch::tensor({0.5f, 0.1f, -0.4f}).view({1, 3, 1, 1}) +
                     0.8 * x - 0.5 * y + 0.2 * (60 * x).sin();
  return as_bytes(torch::where(inside, shade, torch::ones_like(shade)));
}

/// A sky, hills with a texture, an edge and the noise of a sensor.
at::Tensor photograph(int64_t side) {
  torch::manual_seed(2);
  const auto x = line(side).view({1, 1, 1, side});
  const auto y = line(side).view({1, 1, side, 1});
  const auto colour = [](float r, float g, float b) {
    return torch::tensor({r, g, b}).view({1, 3, 1, 1});
  };
  const auto sky = colour(0.1f, 0.4f, 0.9f) + 0.5 * y;
  const auto ground = colour(-0.3f, 0.f, -0.6f) +
                      0.3 * (90 * x + 20 * y).sin() * (70 * y).cos() +
                      0.2 * (300 * x * y).sin();
  const auto horizon = y.gt(0.55 + 0.08 * (9 * x).sin());
  return as_bytes(torch::where(horizon.expand({1, 3, -1, -1}), ground, sky) +
                  0.03 * torch::randn({1, 3, side, side}));
}

/// Weights of the size that trained networks have: signals stay near 1.
AutoencoderKL network() {
  AutoencoderKL model(
      AutoencoderKLConfig{.down_block_types = {4, "DownEncoderBlock2D"},
                          .up_block_types = {4, "UpDecoderBlock2D"},
                          .block_out_channels = {8, 16, 16, 16},
                          .layers_per_block = 1,
                          .norm_num_groups = 4});
  torch::manual_seed(1);
  const torch::NoGradGuard no_grad;
  for (auto& item : model->named_parameters()) {
    auto& values = item.value();
    const bool scales = item.key().find("norm") != std::string::npos &&
                        item.key().ends_with("weight");
    if (values.dim() > 1)
      values.normal_(0, 1 / std::sqrt(double(values[0].numel())));
    else
      values.normal_(scales ? 1 : 0, 0.1);
  }
  model->eval();
  return model;
}

double largest_error(const at::Tensor& got, const at::Tensor& want) {
  return (got.to(torch::kDouble) - want).abs().max().item<double>();
}

void print_row(const Picture& picture) {
  const torch::InferenceMode inference;
  const auto image = picture.draw(picture.side);
  auto narrow = network(), wide = network();
  wide->to(torch::kDouble);
  const auto got = narrow->encode(image);
  const auto want = wide->encode(image.to(torch::kDouble));
  const auto latents = want.mean.to(torch::kFloat);
  const auto pixels = wide->decode(latents.to(torch::kDouble));
  fmt::print("| {} | {}² | {:.1e} | {:.1e} | {:.1e} |\n", picture.name,
             picture.side, largest_error(got.mean, want.mean),
             largest_error(got.logvar, want.logvar),
             largest_error(narrow->decode(latents), pixels));
  std::fflush(stdout);
}

}  // namespace
}  // namespace calotype

/// exactness [LARGEST_SIDE]: images up to that many pixels to a side; in double
/// 1024 take 3 GB.
int main(int argc, char** argv) {
  using namespace calotype;
  set_up_runtime({.device = "cpu"});
  const int64_t largest = argc > 1 ? std::atoll(argv[1]) : 1024;
  fmt::print("{}\n\n", version_text());
  fmt::print("| image | pixels | mean | log-variance | decoded |\n");
  fmt::print("|---|---|---|---|---|\n");
  for (const Picture& picture :
       {Picture{"white", 32, white}, Picture{"white", 512, white},
        Picture{"white", 1024, white},
        Picture{"a product on white", 512, product_on_white},
        Picture{"a photograph", 1024, photograph}})
    if (picture.side <= largest) print_row(picture);
}
