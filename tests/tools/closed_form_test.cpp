#include <gtest/gtest.h>
#include <torch/torch.h>

#include "core/progress.h"
#include "core/runtime.h"
#include "datasets/loader.h"
#include "metrics/moments.h"
#include "tests/support/temp_folder.h"
#include "tools/train.h"
#include "vae/autoencoder.h"

// The one autoencoder with a closed form: a linear one trained on squared
// errors spans the principal components (Baldi and Hornik, 1989).
namespace calotype {
namespace {

constexpr int64_t kComponents = 32;

/// Visits a set as rows [N,784] in [0,1].
template <class Visit>
void for_each_row_batch(const std::string& data, Visit&& visit) {
  Loader loader(open_source(data), {.channels = 1},
                {.batch_size = 1000, .shuffle = false});
  while (const auto batch = loader.next())
    visit(batch->images.flatten(1) / 2 + 0.5);
}

class PrincipalSubspace : public testing::TestWithParam<const char*> {};

TEST_P(PrincipalSubspace, IsFoundByTheLinearAutoencoder) {
  set_quiet(true);
  set_up_runtime({});
  const TempFolder folder;
  TrainJob job{.config = read_train_config(
                   std::string(std::getenv("CALOTYPE_SOURCE_DIR")) +
                       "/configs/autoencoders/" + GetParam() + ".json",
                   {}),
               .out = folder / "run"};
  train(job);
  const torch::NoGradGuard no_grad;
  auto model = load_calotype_autoencoder(open_model_folder(job.out));

  Moments moments;
  for_each_row_batch("fashion-mnist:train",
                     [&](const at::Tensor& rows) { moments.add(rows); });
  const auto components = principal_components(moments, kComponents);
  double error = 0, best_error = 0, count = 0;
  for_each_row_batch("fashion-mnist:test", [&](const at::Tensor& rows) {
    const auto images = (2 * rows - 1).view({-1, 1, 28, 28});
    const auto decoded =
        model->decode(model->encode(images).mean).flatten(1) / 2 + 0.5;
    error += (decoded - rows).square().sum().item<double>();
    best_error +=
        (components.reconstruct(rows) - rows).square().sum().item<double>();
    count += double(rows.numel());
  });
  EXPECT_NEAR(best_error / count, 0.01514, 1e-5);
  EXPECT_LT(error / best_error, 1.01);

  const auto directions =
      model->network().code_directions().to(torch::kDouble);  // [32,784]
  const auto basis = std::get<0>(torch::linalg_qr(directions.t()));
  const auto cosines =
      torch::linalg_svdvals(components.directions.matmul(basis));
  const auto mean_squared = cosines.square().mean().item<double>();
  EXPECT_GE(mean_squared, 0.99);
  RecordProperty("error_ratio", std::to_string(error / best_error));
  fmt::print(
      "{}: error {:.6f}, components {:.6f}, mean squared cosine {:.5f}\n",
      GetParam(), error / count, best_error / count, mean_squared);
}

INSTANTIATE_TEST_SUITE_P(Linear, PrincipalSubspace,
                         testing::Values("linear", "tied"));

}  // namespace
}  // namespace calotype
