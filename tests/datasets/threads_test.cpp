#include "tests/support/threads.h"

#include <cmath>
#include <memory>

#include "core/random.h"
#include "datasets/image_source.h"
#include "datasets/loader.h"
#include "store/store_rows.h"
#include "tests/store/store_samples.h"
#include "tests/support/temp_folder.h"

// Each loop of datasets/ gives the same bits on any number of threads.
namespace calotype {
namespace {

at::Tensor as_tensor(const std::vector<double>& values) {
  return at::tensor(values, at::kDouble);
}

TEST(DatasetsOnThreads, ChannelSums) {
  const auto indices = at::arange(50, at::kLong);
  const LatentGrid grid{
      normal_rows({5, 40, 30}, indices, 1, Stream::kSynthetic),
      normal_rows({5, 40, 30}, indices, 2, Stream::kSynthetic)};
  expect_same_bits([&] {
    const auto sums = channel_sums(grid);
    return std::vector<at::Tensor>{as_tensor(sums.mean),
                                   as_tensor(sums.mean_square),
                                   as_tensor(sums.variance)};
  });
}

// Sums of squares leave 1e-16 of 1e6 per number: more than there is, if they
// add up.
TEST(ChannelSums, LeaveASmallDeviationBesideALargeMean) {
  const auto noise = normal_rows({1, 200, 200}, at::arange(50, at::kLong), 1,
                                 Stream::kSynthetic);
  const auto mean = (1000 + 0.002 * noise).contiguous();
  const auto sums = channel_sums({mean, {}});
  const double count = double(mean.numel()), average = sums.mean[0] / count;
  const double variance = sums.mean_square[0] / count - average * average;
  const auto want = mean.to(at::kDouble).std(/*unbiased=*/false).item<double>();
  EXPECT_NEAR(std::sqrt(variance), want, 1e-3 * want);
}

TEST(ChannelSums, OfAnotherOrderAreTheSame) {
  const ChannelSums sums{{-3}, {10}, {0.5}};
  auto other = sums;
  other.mean[0] += 1e-12;
  other.mean_square[0] += 1e-12;
  EXPECT_TRUE(same_sums(sums, other, 4));
  EXPECT_FALSE(same_sums(sums, {{-3 + 1e-7}, {10}, {0.5}}, 4));
  EXPECT_FALSE(same_sums(sums, {{-3}, {10}, {0.5 + 1e-8}}, 4));
  EXPECT_FALSE(same_sums(sums, {{-3, 0}, {10, 0}, {0.5, 0}}, 4));
}

TEST(DatasetsOnThreads, GatheredRows) {
  TempFolder folder;
  constexpr int64_t kCount = 40;
  {
    StoreWriter writer(folder.path(), sample_info(), 16);
    append_missing(writer, kCount);
    writer.finish();
  }
  const StoreReader reader(folder.path());
  // Many times each, so that there is work for several threads.
  const auto rows = at::arange(20'000, at::kLong).remainder(kCount);
  expect_same_bits([&] {
    const auto found = reader.gather(rows);
    return std::vector<at::Tensor>{found.grid.mean, found.grid.logvar,
                                   found.labels, found.indices};
  });
}

TEST(DatasetsOnThreads, BatchesOfImages) {
  const std::shared_ptr<const ImageSource> source =
      open_source("synthetic:24:96");
  expect_same_bits([&] {
    Loader loader(source, {}, {.batch_size = 12, .num_workers = 2});
    std::vector<at::Tensor> images;
    while (const auto batch = loader.next()) images.push_back(batch->images);
    return images;
  });
}

}  // namespace
}  // namespace calotype
