#include "training/batch_source.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <set>

#include "core/error.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

/// A store of 10 latents of 1x2x2 and 6 of 1x3x3; each holds its own index.
std::shared_ptr<const StoreReader> mixed_store(
    const std::filesystem::path& path) {
  StoreWriter writer(
      path,
      {.source = {{"spec", "test"}, {"fingerprint", "x"}, {"count", 16}}});
  const auto append = [&](int64_t first, int64_t count, int64_t edge) {
    const auto index = torch::arange(first, first + count, torch::kLong);
    const auto mean =
        index.to(torch::kFloat).view({-1, 1, 1, 1}).expand({-1, 1, edge, edge});
    StoreRows rows{.grid = {.mean = mean.contiguous(),
                            .logvar = torch::zeros(mean.sizes())},
                   .labels = torch::zeros({count}, torch::kLong),
                   .indices = index};
    for (int64_t i = 0; i < count; ++i) {
      rows.names.push_back(std::to_string(first + i));
      rows.sizes.push_back({8, 8});
      rows.hashes.push_back(0);
    }
    writer.append(rows);
  };
  append(0, 10, 2);
  append(10, 6, 3);
  writer.finish();
  return std::make_shared<StoreReader>(path);
}

TEST(LatentBatches, MixNoShapesAndRepeatNothingInAnEpoch) {
  TempFolder folder;
  auto source = latent_batches(mixed_store(folder / "store"), 4, 1);
  std::set<int64_t> seen;
  int64_t count = 0;
  while (true) {
    const auto before = source->position();
    const auto batch = source->next();
    if (source->position().epoch > before.epoch) break;
    EXPECT_TRUE(torch::equal(batch.data.select(1, 0).select(1, 0).select(1, 0),
                             batch.samples.to(torch::kFloat)));
    for (int64_t i = 0; i < 4; ++i)
      seen.insert(batch.samples[i].item<int64_t>());
    count += 4;
  }
  EXPECT_EQ(count, 8 + 4);  // two full batches of ten, one of six
  EXPECT_EQ(int64_t(seen.size()), count);
}

TEST(LatentBatches, GoOnFromAPosition) {
  TempFolder folder;
  const auto store = mixed_store(folder / "store");
  auto source = latent_batches(store, 4, 1);
  for (int i = 0; i < 4; ++i) source->next();
  auto other = latent_batches(store, 4, 1);
  other->seek(source->position());
  for (int i = 0; i < 5; ++i)
    EXPECT_TRUE(torch::equal(source->next().samples, other->next().samples));
}

TEST(ImageBatches, GoOnFromAPosition) {
  const std::shared_ptr<const ImageSource> images =
      open_source("synthetic:20:16");
  const LoaderConfig config{.batch_size = 6, .drop_last = true, .seed = 4};
  auto source = image_batches(images, {.flip = true}, config);
  for (int i = 0; i < 4; ++i) source->next();
  auto other = image_batches(images, {.flip = true}, config);
  other->seek(source->position());
  for (int i = 0; i < 4; ++i) {
    const auto a = source->next(), b = other->next();
    EXPECT_TRUE(torch::equal(a.samples, b.samples));
    EXPECT_TRUE(torch::equal(a.data, b.data));
  }
  EXPECT_GE(source->position().epoch, 2);
}

TEST(ImageBatches, SaySoWhenNoBatchCanBeFilled) {
  auto source = image_batches(open_source("synthetic:3:16"), {},
                              {.batch_size = 6, .drop_last = true});
  EXPECT_THROW(source->next(), DataError);
}

}  // namespace
}  // namespace calotype
