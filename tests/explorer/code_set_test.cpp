#include "explorer/code_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>

#include "core/error.h"
#include "images/image_io.h"
#include "models/round_trip.h"
#include "store/latent_store.h"
#include "tests/explorer/small_codec.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

CodeSet set_of(const std::vector<std::vector<float>>& codes,
               const std::vector<int64_t>& labels = {}) {
  CodeSet set;
  std::vector<at::Tensor> rows;
  for (const auto& code : codes) {
    rows.push_back(torch::tensor(code));
    set.names.push_back(fmt::format("image {}", rows.size() - 1));
  }
  set.mean = torch::stack(rows);
  set.labels = labels.empty() ? torch::full({int64_t(codes.size())}, -1)
                              : torch::tensor(labels);
  set.labels = set.labels.to(torch::kLong);
  set.grid_shape = {set.mean.size(1), 1, 1};
  return set;
}

TEST(EncodedCodeSet, HoldsWhatTheCodecGivesEachImage) {
  const auto codec = small_codec(3);
  const auto set = encode_code_set(
      codec, {.data = "synthetic:10:8:1:5", .limit = 7, .batch_size = 4});
  ASSERT_EQ(set.size(), 7);
  EXPECT_THAT(set.grid_shape, ElementsAre(3, 1, 1));
  EXPECT_THAT(set.image_size, ElementsAre(8, 8));
  ASSERT_TRUE(set.logvar.defined());
  const torch::InferenceMode inference;
  const auto grid = encode_images(*codec.codec, image_of(set, 6), torch::kCPU);
  EXPECT_TRUE(set.mean[6].equal(grid.mean.flatten()));
  EXPECT_TRUE(set.logvar[6].equal(grid.logvar.flatten()));
}

TEST(StoredCodeSet, IsThatOfTheStoreWithTheImagesItIsOf) {
  const TempFolder folder;
  const auto codec = small_codec(2);
  const auto direct = encode_code_set(codec, {.data = "synthetic:6:8:1:5"});
  StoreInfo info{.dtype = "fp32", .codec = codec_record(codec)};
  info.source = {{"spec", "synthetic:6:8:1:5"}};
  info.preprocessing = preprocessing_record(direct.preprocessing);
  StoreWriter writer(folder / "store", info);
  StoreRows rows{.grid = {direct.mean.view({6, 2, 1, 1}),
                          direct.logvar.view({6, 2, 1, 1})},
                 .labels = direct.labels,
                 .indices = direct.indices,
                 .names = direct.names,
                 .sizes = std::vector<std::array<int32_t, 2>>(6, {8, 8}),
                 .hashes = std::vector<uint64_t>(6, 1)};
  writer.append(rows);
  writer.finish();
  const auto stored = read_code_set(codec, {.store = folder / "store"});
  EXPECT_TRUE(stored.mean.equal(direct.mean));
  EXPECT_TRUE(stored.logvar.equal(direct.logvar));
  EXPECT_TRUE(image_of(stored, 2).equal(image_of(direct, 2)));
  auto other = small_codec(2);
  other.sha256 = "4567";
  EXPECT_THAT(message_of<ConfigError>(
                  [&] { read_code_set(other, {.store = folder / "store"}); }),
              HasSubstr("0123"));
}

TEST(CodePlane, OfTwoNumbersIsTheCodesThemselves) {
  const auto set = set_of({{1, 2}, {3, 5}, {-1, 0}});
  const auto plane = usual_plane(set);
  EXPECT_THAT(plane.labels, ElementsAre("z0", "z1"));
  EXPECT_TRUE(plane.points.equal(set.mean.to(torch::kDouble)));
}

// The longest way of these points is (3, 4, 0) / 5, the next (0, 0, 1).
TEST(CodePlane, OfMoreIsThatOfTheLargestVariance) {
  const auto set = set_of({{3, 4, 1}, {-3, -4, 1}, {6, 8, -1}, {-6, -8, -1}});
  const auto plane = usual_plane(set);
  const auto first = plane.directions[0].abs();
  EXPECT_NEAR(first[0].item<double>(), 0.6, 1e-6);
  EXPECT_NEAR(first[1].item<double>(), 0.8, 1e-6);
  EXPECT_NEAR(plane.directions[1].abs()[2].item<double>(), 1, 1e-6);
  EXPECT_NEAR(plane.shares[0], 250.0 / 254, 1e-6);
  EXPECT_NEAR(plane.points[2][0].abs().item<double>(), 10, 1e-6);
}

// Codes of more numbers than a covariance is made for have the same plane.
TEST(CodePlane, OfLongCodesIsFoundFromRows) {
  auto codes = torch::zeros({5, 2000});
  for (int64_t i = 0; i < 5; ++i) codes[i][1234] = 2.0 * double(i);
  codes[0][7] = 1;
  auto set = set_of({{0, 0}, {0, 0}, {0, 0}, {0, 0}, {0, 0}});
  set.mean = codes;
  const auto plane = usual_plane(set);
  EXPECT_NEAR(plane.directions[0][1234].abs().item<double>(), 1, 0.02);
  EXPECT_NEAR(plane.directions.mm(plane.directions.t())[0][1].item<double>(), 0,
              1e-9);
  EXPECT_NEAR(plane.shares[0] + plane.shares[1], 1, 1e-9);
}

TEST(CodePlane, RefusesNumbersThatACodeDoesNotHave) {
  const auto set = set_of({{1, 2, 3}, {4, 5, 6}});
  EXPECT_THAT(message_of<ConfigError>([&] { plane_of_numbers(set, 0, 3); }),
              HasSubstr("[0, 3), got 0 and 3"));
  EXPECT_THROW(plane_of_numbers(set, 1, 1), ConfigError);
}

// Diagonal variances 4, 9, 1 seen along (1, 1, 0) / sqrt 2 and (0, 0, 1).
TEST(CodePlane, SeesTheSpreadOfAGaussian) {
  CodePlane plane;
  const double r = std::sqrt(0.5);
  plane.directions =
      torch::tensor({r, r, 0.0, 0.0, 0.0, 1.0}, torch::kDouble).view({2, 3});
  const auto logvar = torch::tensor({4.0, 9.0, 1.0}).log().unsqueeze(0);
  const auto spread = plane.spread_of(logvar)[0];
  EXPECT_NEAR(spread[0].item<double>(), 6.5, 1e-5);
  EXPECT_NEAR(spread[1].item<double>(), 0, 1e-9);
  EXPECT_NEAR(spread[2].item<double>(), 1, 1e-5);
}

TEST(CodePlane, TellsHowFarOffItACodeLies) {
  const auto set = set_of({{1, 2, 7}, {3, 5, 1}, {0, 0, 4}});
  const auto plane = plane_of_numbers(set, 0, 1);
  const auto off = squared_distances_off(set, plane, torch::tensor({9, 9, 4}));
  EXPECT_TRUE(off.equal(torch::tensor({9.0, 9.0, 0.0}, torch::kDouble)));
}

// At such an offset differences of squares would have no digit left.
TEST(NearestCodes, AreExactFarFromTheOrigin) {
  const float far = 16'777'216;  // 2^24: floats are 2 apart beyond it
  const auto set = set_of({{far, 0}, {far - 1, 0}, {far - 3, 0}});
  const auto near = nearest_codes(set, torch::tensor({far - 2, 0.0F}), 3);
  ASSERT_EQ(near.size(), 3U);
  EXPECT_EQ(near[2].row, 0);
  EXPECT_EQ(near[2].distance, 2);
  EXPECT_EQ(near[0].distance, 1);
}

// Beside (0, 0, 0) lie three codes along the first number, whose standard
// deviation is 1, and a cloud far away.
TEST(LocalDirections, AreThoseOfTheNeighbours) {
  const auto set = set_of(
      {{-1, 0, 0}, {0, 0, 0}, {1, 0, 0}, {0, 90, 0}, {0, 70, 0}, {0, 80, 9}});
  const auto directions =
      local_directions(set, torch::zeros({3}), 2, /*neighbours=*/3);
  ASSERT_EQ(directions.size(0), 2);
  EXPECT_NEAR(directions[0][0].abs().item<double>(), 1, 1e-9);
  EXPECT_NEAR(directions[0].norm().item<double>(), 1, 1e-9);
  EXPECT_NEAR(directions[1].norm().item<double>(), 0, 1e-6);
}

TEST(UsualDistance, IsThatOfNeighbours) {
  const auto set = set_of({{0, 0}, {1, 0}, {2, 0}, {3, 0}});
  EXPECT_EQ(usual_distance(set), 1);
}

TEST(TypicalRows, AreOneOfEachClassThatIsThere) {
  auto set = set_of({{0, 0}, {1, 0}, {5, 0}, {9, 9}}, {0, 0, 0, 2});
  set.class_names = {"a", "b", "c"};
  EXPECT_THAT(typical_rows(set, 10), ElementsAre(1, 3));
  set.class_names.clear();
  EXPECT_THAT(typical_rows(set, 2), ElementsAre(0, 2));
}

}  // namespace
}  // namespace calotype
