#include <ATen/Functions.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "core/files.h"
#include "core/random.h"
#include "images/image_io.h"
#include "metrics/distortion.h"
#include "tests/support/temp_folder.h"

// Distortions beside scikit-image's of the same PNG files. Its SSIM leaves out
// the half window along the borders, as ours does.
namespace calotype {
namespace {

constexpr char kPython[] = "/usr/bin/python3";  // Debian's, as the package is
constexpr int kMissing = 77;

/// Waves, an edge and some noise, in bytes [C,H,W].
at::Tensor drawn(int64_t channels, int64_t height, int64_t width, int n) {
  const auto y = at::arange(height, at::kDouble).view({1, -1, 1});
  const auto x = at::arange(width, at::kDouble).view({1, 1, -1});
  const auto c = at::arange(channels, at::kDouble).view({-1, 1, 1});
  const auto waves = (x * (0.05 * n + 0.1) + y * 0.23 + c).sin() * 70;
  const auto edge = (x + y * 0.5 - c * 4).gt(double(width) / 2) * 60;
  const auto noise =
      normal_rows({channels, height, width}, at::arange(n, n + 1), 1,
                  Stream::kSynthetic)[0];
  return (waves + edge + noise * double(3 * (n % 4)) + 100)
      .round()
      .clamp(0, 255);
}

/// By noise, blur, quantisation or a shift of brightness.
at::Tensor damaged(const at::Tensor& image, int n) {
  const double strength = 1 + n / 4;
  auto result = image;
  if (n % 4 == 0)
    result = image + 6 * strength *
                         normal_rows(image.sizes(), at::arange(n, n + 1), 2,
                                     Stream::kSynthetic)[0];
  if (n % 4 == 1)
    for (int step = 0; step < strength; ++step)
      result = at::avg_pool2d(result, 3, 1, 1, false, false);
  if (n % 4 == 2) result = (image / (16 * strength)).round() * (16 * strength);
  if (n % 4 == 3) result = image + 5 * strength;
  return result.round().clamp(0, 255);
}

void write(const std::filesystem::path& path, const at::Tensor& bytes) {
  const auto pixels = bytes.permute({1, 2, 0}).to(at::kByte).contiguous();
  const auto* first = pixels.data_ptr<uint8_t>();
  const auto png = encode_png({.height = bytes.size(1),
                               .width = bytes.size(2),
                               .channels = bytes.size(0),
                               .pixels = {first, first + pixels.numel()}});
  write_file_atomic(path, png);
}

struct Numbers {
  double mse = 0, psnr_db = 0, ssim = 0;
};

/// What the script prints, and its exit status in `status`.
std::vector<Numbers> by_skimage(const std::filesystem::path& folder,
                                int& status) {
  const auto script =
      std::filesystem::path(__FILE__).parent_path() / "distortion_skimage.py";
  const auto command =
      fmt::format("{} '{}' '{}'", kPython, script.string(), folder.string());
  std::vector<Numbers> lines;
  auto* pipe = popen(command.c_str(), "r");
  if (!pipe) throw std::runtime_error("cannot run " + command);
  for (Numbers line; std::fscanf(pipe, "%lf %lf %lf", &line.mse, &line.psnr_db,
                                 &line.ssim) == 3;)
    lines.push_back(line);
  status = WEXITSTATUS(pclose(pipe));
  return lines;
}

TEST(Distortion, IsWhatScikitImageComputes) {
  constexpr struct {
    int64_t channels, height, width;
  } kShapes[] = {
      {1, 28, 28}, {3, 64, 48}, {1, 33, 61}, {3, 11, 45}, {3, 97, 40}};
  const TempFolder folder;
  Distortion distortion;
  constexpr int kImages = 20;
  for (int n = 0; n < kImages; ++n) {
    const auto& shape = kShapes[n % 5];
    const auto image = drawn(shape.channels, shape.height, shape.width, n);
    const auto decoded = damaged(image, n);
    write(folder / fmt::format("{}_a.png", n), image);
    write(folder / fmt::format("{}_b.png", n), decoded);
    const auto shown = [](const at::Tensor& bytes) {
      return (bytes / 127.5 - 1).to(at::kFloat).unsqueeze(0);
    };
    distortion.add(shown(image), shown(decoded));
  }
  int status = 0;
  const auto want = by_skimage(folder.path(), status);
  if (status == kMissing)
    GTEST_SKIP() << "python3-skimage is missing; install it to prove that MSE, "
                    "PSNR and SSIM are those of scikit-image";
  ASSERT_EQ(status, 0);
  ASSERT_EQ(want.size(), size_t(kImages));
  for (size_t n = 0; n < want.size(); ++n) {
    const auto got = distortion.images()[n];
    EXPECT_LT(want[n].ssim, 0.9999) << n;  // none is left as it was
    EXPECT_NEAR(got.mse, want[n].mse, 1e-9) << n;
    EXPECT_NEAR(got.psnr_db(), want[n].psnr_db, 1e-6) << n;
    EXPECT_NEAR(got.ssim, want[n].ssim, 1e-9) << n;
  }
}

}  // namespace
}  // namespace calotype
