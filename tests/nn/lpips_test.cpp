#include "nn/lpips.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cstdlib>
#include <utility>

#include "core/config.h"
#include "core/error.h"
#include "core/files.h"
#include "images/image_io.h"
#include "nn/lpips_weights.h"
#include "tests/support/fixtures.h"
#include "tests/support/formula_weights.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"
#include "tests/support/torch_files.h"

namespace calotype {
namespace {

using testing::HasSubstr;

TensorFile lpips_weights(const std::string& network) {
  return formula_weights("lpips_" + network);
}

class LpipsNetworks : public testing::TestWithParam<const char*> {};

TEST_P(LpipsNetworks, RefuseWeightsThatDoNotFit) {
  auto file = lpips_weights(GetParam());
  EXPECT_EQ(Lpips(file, "test").network(), GetParam());
  auto missing = file;
  missing.tensors.erase("net.slice5.10.bias");
  missing.tensors.erase("net.slice5.28.bias");
  missing.tensors.erase("net.slice5.10.squeeze.bias");
  EXPECT_THAT([&] { Lpips(missing, "here"); },
              testing::ThrowsMessage<DataError>(HasSubstr("is missing")));
  file.tensors["lins.0.model.1.weight"] = torch::zeros({1, 3, 1, 1});
  EXPECT_THAT([&] { Lpips(file, "here"); },
              testing::ThrowsMessage<DataError>(
                  HasSubstr("here: lins.0.model.1.weight must be [1, 64, 1, "
                            "1], got [1, 3, 1, 1]")));
}

TEST_P(LpipsNetworks, AreZeroForEqualImagesWithAFiniteGradient) {
  torch::manual_seed(1);
  const Lpips lpips(lpips_weights(GetParam()), "test");
  const auto image = (torch::rand({1, 3, 32, 32}) * 2 - 1).requires_grad_(true);
  const auto same = lpips.distance(image, image.detach().clone());
  EXPECT_EQ(same.item<double>(), 0);
  same.sum().backward();
  EXPECT_TRUE(image.grad().isfinite().all().item<bool>());
}

// tests/fixtures/metrics: the lpips package on pairs of RGB images.
TEST_P(LpipsNetworks, AgreeWithTheReference) {
  const torch::NoGradGuard no_grad;
  const auto folder = fixtures_folder() / "metrics";
  const auto expected = read_json_file(folder / "metrics.json")
                            .at(std::string("lpips_") + GetParam());
  const Lpips lpips(lpips_weights(GetParam()), "test");
  const auto pixels = [&](const std::string& name) {
    const auto path = folder / name;
    return to_tensor(decode_image(read_file(path), path.string())).unsqueeze(0);
  };
  for (size_t i = 0; i < expected.size(); ++i) {
    const auto distance = lpips.distance(pixels(fmt::format("a{}.png", i)),
                                         pixels(fmt::format("b{}.png", i)));
    EXPECT_TRUE(
        close_to_fixture(distance, torch::tensor({expected[i].get<double>()})));
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, LpipsNetworks,
                         testing::Values("vgg", "alex", "squeeze"));

/// `all` as it is published: the package's linear layers, and torchvision's
/// network with a classifier that nobody needs.
std::pair<TensorFile, TensorFile> in_two_files(const TensorFile& all) {
  TensorFile linear, trunk;
  for (const auto& [name, tensor] : all.tensors) {
    if (name.starts_with("lins."))
      linear.tensors["lin" + name.substr(5)] = tensor;
    else if (name.starts_with("net.slice"))
      trunk.tensors["features" + name.substr(name.find('.', 4))] = tensor;
  }
  trunk.tensors["classifier.1.weight"] = torch::zeros({10, 3});
  return {linear, trunk};
}

TEST(Lpips, ReadsThePublishedFilesAsTheyAre) {
  const TempFolder folder;
  const auto a = torch::rand({1, 3, 40, 40}) * 2 - 1;
  const auto b = torch::rand({1, 3, 40, 40}) * 2 - 1;
  const std::pair<const char*, const char*> networks[] = {
      {"squeeze", "squeezenet1_1-b8a52dc0.pth"},
      {"alex", "alexnet-owt-7be5be79.pth"}};
  for (const auto& [network, trunk_name] : networks) {
    const auto all = lpips_weights(network);
    const auto expected = Lpips(all, "test").distance(a, b);
    const auto path = folder / (std::string(network) + ".pth");
    const auto [linear, trunk] = in_two_files(all);
    write_file_atomic(path, torch_legacy(linear));
    EXPECT_THAT(message_of<ConfigError>([&] { load_lpips(path); }),
                HasSubstr(std::string("put the network below them beside it, "
                                      "torchvision's ") +
                          trunk_name));
    write_file_atomic(folder / trunk_name, torch_legacy(trunk));
    EXPECT_TRUE(torch::equal(load_lpips(path).distance(a, b), expected));
    EXPECT_EQ(find_lpips_files(path).trunk, folder / trunk_name);
    write_file_atomic(folder / trunk_name, torch_zip(trunk));
    EXPECT_TRUE(torch::equal(load_lpips(path).distance(a, b), expected));
    write_file_atomic(folder / trunk_name, torch_zip(linear));
    EXPECT_THAT(message_of<DataError>([&] { load_lpips(path); }),
                HasSubstr("of torchvision's"));

    // All of it in one file, as lpips.LPIPS().state_dict() is.
    write_file_atomic(path, torch_zip(all));
    EXPECT_TRUE(torch::equal(load_lpips(path).distance(a, b), expected));
    EXPECT_TRUE(find_lpips_files(path).trunk.empty());
  }
}

TEST(Lpips, LooksForItsNetworkWhereTorchHubKeepsIt) {
  const TempFolder folder;
  const auto hub = folder / "torch/hub/checkpoints";
  make_folder(hub);
  const auto [linear, trunk] = in_two_files(lpips_weights("squeeze"));
  write_file_atomic(folder / "squeeze.pth", torch_legacy(linear));
  write_file_atomic(hub / "squeezenet1_1-b8a52dc0.pth", torch_zip(trunk));
  ::setenv("TORCH_HOME", (folder / "torch").c_str(), 1);
  EXPECT_EQ(load_lpips(folder / "squeeze.pth").network(), "squeeze");
  ::unsetenv("TORCH_HOME");
}

TEST(Lpips, GreyCountsThreeTimes) {
  torch::manual_seed(2);
  const Lpips lpips(lpips_weights("squeeze"), "test");
  const auto a = torch::rand({2, 1, 32, 32}), b = torch::rand({2, 1, 32, 32});
  EXPECT_TRUE(torch::allclose(
      lpips.distance(a, b),
      lpips.distance(a.repeat({1, 3, 1, 1}), b.repeat({1, 3, 1, 1}))));
}

TEST(Lpips, SaysOfAnotherNetworksFileThatItHoldsNone) {
  TensorFile file;
  file.tensors["fc.weight"] = torch::zeros({10, 4});
  EXPECT_THAT(message_of<DataError>([&] { Lpips(file, "other"); }),
              testing::HasSubstr("other: holds no LPIPS"));
}

TEST(Lpips, RefusesImagesThatAreTooSmall) {
  const Lpips lpips(lpips_weights("squeeze"), "test");
  const auto small = torch::zeros({1, 3, 28, 28});
  EXPECT_THROW(lpips.distance(small, small), ShapeError);
}

}  // namespace
}  // namespace calotype
