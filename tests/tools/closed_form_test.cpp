#include <gtest/gtest.h>
#include <torch/utils.h>

#include "core/progress.h"
#include "core/runtime.h"
#include "datasets/loader.h"
#include "metrics/moments.h"
#include "models/round_trip.h"
#include "tests/support/temp_folder.h"
#include "tools/train.h"
#include "vae/autoencoder.h"
#include "vae/corruption.h"

// The autoencoders whose linear case has a closed form, trained as configured
// but on images of half the size and for fewer steps, and held against it.
namespace calotype {
namespace {

constexpr int64_t kEdge = 14, kComponents = 8;

/// Visits a set as (rows [N,196] in [0,1], indices).
template <class Visit>
void for_each_row_batch(const std::string& data, Visit&& visit) {
  Loader loader(open_source(data), {.size = kEdge, .channels = 1},
                {.batch_size = 1000, .shuffle = false});
  while (const auto batch = loader.next())
    visit(batch->images.flatten(1) / 2 + 0.5, batch->indices);
}

Moments training_moments() {
  Moments moments;
  for_each_row_batch(
      "fashion-mnist:train",
      [&](const at::Tensor& rows, const at::Tensor&) { moments.add(rows); });
  return moments;
}

at::Tensor as_images(const at::Tensor& rows) {
  return (2 * rows - 1).view({-1, 1, kEdge, kEdge});
}

at::Tensor as_rows(const at::Tensor& images) {
  return images.flatten(1) / 2 + 0.5;
}

double squared_error(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).square().sum().item<double>();
}

/// configs/autoencoders/NAME.json with other `keys`, trained.
CalotypeAutoencoder trained(const std::string& name,
                            std::vector<std::string> keys) {
  set_quiet(true);
  set_up_runtime({});
  const TempFolder folder;
  keys.insert(keys.end(),
              {"data.preprocessing.size=14", "model.sample_size=14",
               "training.validate_every=100000", "training.sample_every=100000",
               "training.checkpoint_every=100000"});
  TrainJob job{.config = read_train_config(
                   std::string(std::getenv("CALOTYPE_SOURCE_DIR")) +
                       "/configs/autoencoders/" + name + ".json",
                   keys),
               .out = folder / "run"};
  train(job);
  return load_calotype_autoencoder(open_model_folder(job.out));
}

class PrincipalSubspace : public testing::TestWithParam<const char*> {};

// A linear autoencoder trained on squared errors spans the principal components
// (Baldi and Hornik, 1989).
TEST_P(PrincipalSubspace, IsFoundByTheLinearAutoencoder) {
  auto model =
      trained(GetParam(), {"model.latent_channels=8", "training.steps=6000",
                           "training.batch_size=64"});
  const torch::NoGradGuard no_grad;
  const auto components = principal_components(training_moments(), kComponents);
  double error = 0, best_error = 0, count = 0;
  for_each_row_batch(
      "fashion-mnist:test", [&](const at::Tensor& rows, const at::Tensor&) {
        const auto code = model->encode(as_images(rows)).mean;
        error += squared_error(as_rows(model->decode(code)), rows);
        best_error += squared_error(components.reconstruct(rows), rows);
        count += double(rows.numel());
      });
  EXPECT_NEAR(best_error / count, 0.015354, 1e-5);  // as numpy has it
  EXPECT_LT(error / best_error, 1.01);

  const auto directions =
      model->network().code_directions().to(torch::kDouble);  // [8,196]
  const auto basis = std::get<0>(torch::linalg_qr(directions.t()));
  const auto cosines =
      torch::linalg_svdvals(components.directions.matmul(basis));
  const auto mean_squared = cosines.square().mean().item<double>();
  EXPECT_GE(mean_squared, 0.99);
  fmt::print(
      "{}: error {:.6f}, components {:.6f}, mean squared cosine {:.5f}\n",
      GetParam(), error / count, best_error / count, mean_squared);
}

INSTANTIATE_TEST_SUITE_P(Linear, PrincipalSubspace,
                         testing::Values("linear", "tied"));

// The best linear estimate of x from x + noise of variance s^2 is
// m + (C + s^2)^-1 C (y - m) (Wiener, 1949).
TEST(WienerFilter, IsBeatenByTheDenoisingAutoencoder) {
  const CorruptionConfig noise{.kind = "gaussian", .sigma = 0.3};
  auto model =
      trained("denoising",
              {"training.steps=600", "training.batch_size=32",
               "training.learning_rate.peak=0.004", "training.ema_decay=0.98"});
  const torch::NoGradGuard no_grad;
  const auto moments = training_moments();
  const auto covariance = moments.covariance();
  const auto gain = torch::linalg_solve(
      covariance + noise.sigma * noise.sigma *
                       torch::eye(covariance.size(0), torch::kDouble),
      covariance);
  double error = 0, linear_error = 0, noise_error = 0, count = 0;
  for_each_row_batch("fashion-mnist:test", [&](const at::Tensor& rows,
                                               const at::Tensor& indices) {
    const auto noisy = corrupt(noise, as_images(rows), indices, 1, 0);
    const auto noisy_rows = as_rows(noisy).to(torch::kDouble);
    error += squared_error(as_rows(round_trip(*model, noisy, at::kCPU)), rows);
    linear_error += squared_error(
        moments.mean() + (noisy_rows - moments.mean()).matmul(gain), rows);
    noise_error += squared_error(noisy_rows, rows);
    count += double(rows.numel());
  });
  EXPECT_NEAR(noise_error / count, 0.09, 0.001);
  EXPECT_NEAR(linear_error / count, 0.01312, 1e-4);  // as numpy has it
  EXPECT_LT(error, linear_error);
  fmt::print("denoising: error {:.6f}, Wiener {:.6f}, noise {:.6f}\n",
             error / count, linear_error / count, noise_error / count);
}

}  // namespace
}  // namespace calotype
