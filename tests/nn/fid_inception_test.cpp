#include "nn/fid_inception.h"

#include <gmock/gmock.h>
#include <torch/utils.h>

#include "core/config.h"
#include "core/error.h"
#include "core/files.h"
#include "images/image_io.h"
#include "tests/support/fixtures.h"
#include "tests/support/formula_weights.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"
#include "tests/support/torch_files.h"

namespace calotype {
namespace {

using testing::HasSubstr;

const TensorFile& weights() {
  static const auto file = formula_weights("inception");
  return file;
}

// tests/fixtures/metrics: pytorch-fid's network.
TEST(FidInception, AgreesWithTheReference) {
  const auto folder = fixtures_folder() / "metrics";
  const auto expected = read_safetensors(folder / "inception.safetensors")
                            .tensors.at("pool3_first64");
  const auto norms =
      read_json_file(folder / "metrics.json").at("inception_pool3_norm");
  const FidInception network(weights(), "test");
  std::vector<at::Tensor> images;
  for (int64_t i = 0; i < expected.size(0); ++i) {
    const auto path = folder / fmt::format("a{}.png", i);
    images.push_back(to_tensor(decode_image(read_file(path), path.string())));
  }
  const auto features = network.features(torch::stack(images));
  ASSERT_EQ(features.sizes(), (std::vector<int64_t>{4, 2048}));
  for (int64_t i = 0; i < 4; ++i) {
    const auto first = features[i].narrow(0, 0, 64);
    EXPECT_LT((first - expected[i]).norm().item<double>(),
              1e-3 * expected[i].norm().item<double>());
    const auto norm = norms[size_t(i)].get<double>();
    EXPECT_NEAR(features[i].norm().item<double>(), norm, 1e-3 * norm);
  }
}

// As pt_inception-2015-12-05-6726825d.pth is: a plain state dict, with counters
// of no dimension that nothing needs.
TEST(FidInception, ReadsThePublishedFileAsItIs) {
  const TempFolder folder;
  auto file = weights();
  file.tensors["Conv2d_1a_3x3.bn.num_batches_tracked"] = torch::tensor(0);
  file.tensors["fc.weight"] = torch::eye(1008, 2048);
  write_file_atomic(folder / "inception.pth", torch_zip(file));
  const auto network = load_fid_inception(folder / "inception.pth");
  EXPECT_TRUE(network.has_logits());
  const auto image = torch::rand({1, 3, 16, 16}) * 2 - 1;
  EXPECT_TRUE(torch::equal(network.features(image),
                           FidInception(weights(), "test").features(image)));
}

TEST(FidInception, GreyCountsThreeTimes) {
  torch::manual_seed(2);
  const FidInception network(weights(), "test");
  const auto grey = torch::rand({2, 1, 28, 20}) * 2 - 1;
  EXPECT_TRUE(torch::equal(network.features(grey),
                           network.features(grey.repeat({1, 3, 1, 1}))));
}

TEST(FidInception, HasLogitsIfItsWeightsDo) {
  auto file = weights();
  const auto features = torch::rand({2, 2048});
  EXPECT_THAT(message_of<ConfigError>(
                  [&] { FidInception(file, "test").logits(features); }),
              HasSubstr("the weights have no fc"));
  file.tensors["fc.weight"] = torch::eye(1008, 2048);
  file.tensors["fc.bias"] = torch::ones({1008});
  EXPECT_TRUE(torch::allclose(FidInception(file, "test").logits(features),
                              features.narrow(1, 0, 1008)));
}

TEST(FidInception, RefusesWeightsAndImagesThatDoNotFit) {
  auto missing = weights();
  missing.tensors.erase("Mixed_7c.branch3x3dbl_3b.bn.running_var");
  EXPECT_THAT(message_of<DataError>([&] { FidInception(missing, "here"); }),
              HasSubstr("here: Mixed_7c.branch3x3dbl_3b.bn.running_var is "
                        "missing"));
  auto other = weights();
  other.tensors["Mixed_6b.branch7x7_2.conv.weight"] =
      torch::zeros({128, 128, 7, 1});
  EXPECT_THAT(message_of<DataError>([&] { FidInception(other, "here"); }),
              HasSubstr("Mixed_6b.branch7x7_2.conv.weight must be [128, 128, "
                        "1, 7], got [128, 128, 7, 1]"));
  const FidInception network(weights(), "test");
  EXPECT_THROW(network.features(torch::zeros({1, 2, 32, 32})), ShapeError);
}

}  // namespace
}  // namespace calotype
