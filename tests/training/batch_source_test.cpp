#include "training/batch_source.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <map>
#include <set>

#include "core/error.h"
#include "core/random.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

/// A store of 10 latents of 1x2x2 and 6 of 1x3x3; each holds its own index k,
/// its mirror image -1 - k with a logvar of 1.
std::shared_ptr<const StoreReader> mixed_store(
    const std::filesystem::path& path, bool flips = false) {
  StoreInfo info;
  info.flips = flips;
  info.source = {{"spec", "test"}, {"fingerprint", "x"}, {"count", 16}};
  StoreWriter writer(path, info);
  const auto append = [&](int64_t first, int64_t count, int64_t edge) {
    const auto index = torch::arange(first, first + count, torch::kLong);
    const auto mean =
        index.to(torch::kFloat).view({-1, 1, 1, 1}).expand({-1, 1, edge, edge});
    StoreRows rows{.grid = {.mean = mean.contiguous(),
                            .logvar = torch::zeros(mean.sizes())},
                   .labels = torch::zeros({count}, torch::kLong),
                   .indices = index};
    if (flips) rows.flipped = {-1 - rows.grid.mean, torch::ones(mean.sizes())};
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

/// What `source` shows of each sample in each of `num_epochs`: true for the
/// mirror image, whose latents are below 0.
std::map<std::pair<int64_t, int64_t>, bool> shown(BatchSource& source,
                                                  int64_t num_epochs) {
  std::map<std::pair<int64_t, int64_t>, bool> shown;
  while (true) {
    const auto batch = source.next();
    const auto epoch = source.position().epoch;
    if (epoch == num_epochs) return shown;
    for (int64_t i = 0; i < batch.samples.size(0); ++i) {
      const auto sample = batch.samples[i].item<int64_t>();
      const auto value = batch.data[i].flatten()[0].item<float>();
      EXPECT_EQ(value, value < 0 ? float(-1 - sample) : float(sample));
      EXPECT_EQ(batch.logvar[i].flatten()[0].item<float>(), value < 0 ? 1 : 0);
      shown[{epoch, sample}] = value < 0;
    }
  }
}

TEST(LatentBatches, ShowAnImageOrItsMirrorImageAsDrawnForTheEpoch) {
  TempFolder folder;
  const auto store = mixed_store(folder / "store", true);
  auto source = latent_batches(store, 2, 7, true, true);
  const auto seen = shown(*source, 100);
  ASSERT_EQ(seen.size(), 1600u);
  int64_t num_mirrored = 0;
  std::map<int64_t, int64_t> of_sample;
  for (const auto& [which, mirrored] : seen) {
    const auto [epoch, sample] = which;
    EXPECT_EQ(mirrored, uniform({7, Stream::kStoredFlip, uint64_t(sample),
                                 uint32_t(epoch)}) < 0.5);
    num_mirrored += mirrored;
    of_sample[sample] += mirrored;
  }
  // Five standard deviations about the half.
  EXPECT_NEAR(double(num_mirrored), 800, 5 * 20);
  for (const auto& [sample, count] : of_sample)
    EXPECT_NEAR(double(count), 50, 5 * 5) << sample;
}

TEST(LatentBatches, MirrorTheSameImagesInBatchesOfAnySize) {
  TempFolder folder;
  const auto store = mixed_store(folder / "store", true);
  auto twos = latent_batches(store, 2, 3, true, true),
       fives = latent_batches(store, 5, 3, true, true),
       in_order = latent_batches(store, 1, 3, false, true);
  const auto want = shown(*twos, 6);
  EXPECT_EQ(shown(*in_order, 6), want);
  const auto some = shown(*fives, 6);  // leaves one image of six out
  EXPECT_EQ(some.size(), 6u * 15);
  for (const auto& [which, mirrored] : some)
    EXPECT_EQ(mirrored, want.at(which));
}

TEST(LatentBatches, MirrorNothingUnlessAsked) {
  TempFolder folder;
  auto source = latent_batches(mixed_store(folder / "store", true), 2, 3);
  for (const auto& [which, mirrored] : shown(*source, 3))
    EXPECT_FALSE(mirrored);
}

TEST(LatentBatches, MirrorTheSameImagesAfterGoingOn) {
  TempFolder folder;
  const auto store = mixed_store(folder / "store", true);
  auto source = latent_batches(store, 4, 1, true, true);
  for (int i = 0; i < 4; ++i) source->next();
  auto other = latent_batches(store, 4, 1, true, true);
  other->seek(source->position());
  for (int i = 0; i < 9; ++i) {
    const auto a = source->next(), b = other->next();
    EXPECT_TRUE(torch::equal(a.samples, b.samples));
    EXPECT_TRUE(torch::equal(a.data, b.data));
    EXPECT_TRUE(torch::equal(a.logvar, b.logvar));
  }
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
