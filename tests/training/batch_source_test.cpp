#include "training/batch_source.h"

#include <gtest/gtest.h>
#include <torch/types.h>

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
  auto source = latent_batches(mixed_store(folder / "store"),
                               {.batch_size = 4, .seed = 1});
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
  auto source =
      latent_batches(store, {.batch_size = 2, .seed = 7, .flips = true});
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
  auto twos =
           latent_batches(store, {.batch_size = 2, .seed = 3, .flips = true}),
       fives =
           latent_batches(store, {.batch_size = 5, .seed = 3, .flips = true}),
       in_order = latent_batches(
           store, {.batch_size = 1, .seed = 3, .trains = false, .flips = true});
  const auto want = shown(*twos, 6);
  EXPECT_EQ(shown(*in_order, 6), want);
  const auto some = shown(*fives, 6);  // leaves one image of six out
  EXPECT_EQ(some.size(), 6u * 15);
  for (const auto& [which, mirrored] : some)
    EXPECT_EQ(mirrored, want.at(which));
}

TEST(LatentBatches, MirrorNothingUnlessAsked) {
  TempFolder folder;
  auto source = latent_batches(mixed_store(folder / "store", true),
                               {.batch_size = 2, .seed = 3});
  for (const auto& [which, mirrored] : shown(*source, 3))
    EXPECT_FALSE(mirrored);
}

TEST(LatentBatches, MirrorTheSameImagesAfterGoingOn) {
  TempFolder folder;
  const auto store = mixed_store(folder / "store", true);
  auto source =
      latent_batches(store, {.batch_size = 4, .seed = 1, .flips = true});
  for (int i = 0; i < 4; ++i) source->next();
  auto other =
      latent_batches(store, {.batch_size = 4, .seed = 1, .flips = true});
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
  auto source = latent_batches(store, {.batch_size = 4, .seed = 1});
  for (int i = 0; i < 4; ++i) source->next();
  auto other = latent_batches(store, {.batch_size = 4, .seed = 1});
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

/// Twenty grey images of 16 pixels and two of 18, of which `bad` cannot be
/// read.
class TwoShapes : public ImageSource {
 public:
  int64_t size() const override { return 22; }
  SourceImage load(int64_t index) const override {
    if (bad.contains(index)) throw DataError(name(index) + ": bad");
    const int64_t edge = index % 11 == 0 ? 18 : 16;
    return {{edge, edge, 1,
             std::vector<uint8_t>(size_t(edge * edge), uint8_t(index))},
            uint64_t(index)};
  }
  std::string name(int64_t index) const override {
    return std::to_string(index);
  }
  int64_t label(int64_t index) const override { return index % 3; }
  std::vector<std::string> class_names() const override {
    return {"a", "b", "c"};
  }
  std::string spec() const override { return "two shapes"; }
  std::string fingerprint() const override { return "0"; }

  std::set<int64_t> bad;
};

std::vector<int64_t> samples_of(const Batch& batch) {
  const auto* data = batch.samples.data_ptr<int64_t>();
  return {data, data + batch.samples.numel()};
}

TEST(ImageBatches, OfTwoShapesGoOnFromEveryPosition) {
  auto images = std::make_shared<TwoShapes>();
  images->bad = {1, 5, 6, 17};
  const LoaderConfig config{.batch_size = 3, .drop_last = true, .seed = 4};
  auto whole = image_batches(images, {}, config);
  std::vector<DataPosition> positions;
  std::vector<std::vector<int64_t>> batches;
  while (whole->position().epoch < 4) {
    positions.push_back(whole->position());
    batches.push_back(samples_of(whole->next()));
  }
  for (size_t k = 0; k < positions.size(); ++k) {
    auto rest = image_batches(images, {}, config);
    rest->seek(positions[k]);
    for (size_t i = k; i < std::min(batches.size(), k + 8); ++i)
      EXPECT_EQ(samples_of(rest->next()), batches[i]) << k << ", " << i;
  }
}

TEST(ImageBatches, ShowRareShapesInEveryEpoch) {
  auto source = image_batches(
      std::make_shared<TwoShapes>(), {},
      {.batch_size = 8, .drop_last = true, .num_workers = 3, .seed = 2});
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    std::multiset<int64_t> sizes;
    std::set<int64_t> rare;
    while (const auto batch = source->next_of_epoch()) {
      sizes.insert(batch->data.size(0));
      for (const auto sample : samples_of(*batch))
        if (batch->data.size(2) == 18) rare.insert(sample);
    }
    EXPECT_EQ(sizes, (std::multiset<int64_t>{2, 8, 8}));
    EXPECT_EQ(rare, (std::set<int64_t>{0, 11}));
  }
}

TEST(ImageBatches, OfFewerImagesThanABatchAreOneSmallerBatch) {
  auto source = image_batches(open_source("synthetic:3:16"), {},
                              {.batch_size = 6, .drop_last = true});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(source->next().data.size(0), 3);
  EXPECT_EQ(source->position().epoch, 2);
}

TEST(ImageBatches, SaySoWhenNothingCanBeRead) {
  auto images = std::make_shared<TwoShapes>();
  for (int64_t i = 0; i < images->size(); ++i) images->bad.insert(i);
  std::vector<int64_t> skipped;
  auto source = image_batches(
      images, {}, {.batch_size = 6},
      [&](const SkippedImage& image) { skipped.push_back(image.index); });
  try {
    source->next();
    FAIL() << "gave a batch of nothing";
  } catch (const DataError& error) {
    EXPECT_STREQ(error.what(), "two shapes: holds nothing that can be read");
  }
  EXPECT_EQ(skipped.size(), 22u);  // each once, in two epochs
}

TEST(ImageBatches, CallLabelsAsTrainingDoes) {
  auto source =
      image_batches(std::make_shared<TwoShapes>(), {},
                    {.batch_size = 16, .shuffle = false}, {}, {2, -1, 0});
  const auto batch = source->next();
  for (int64_t i = 0; i < batch.samples.size(0); ++i)
    EXPECT_EQ(batch.labels[i].item<int64_t>(),
              (std::vector<int64_t>{
                  2, -1, 0})[size_t(batch.samples[i].item<int64_t>() % 3)]);
}

TEST(LatentBatches, OfValidationShowEveryRowOnceAlwaysInOneOrder) {
  TempFolder folder;
  auto source = latent_batches(mixed_store(folder / "store"),
                               {.batch_size = 4, .seed = 1, .trains = false});
  std::vector<std::vector<int64_t>> first, second;
  while (const auto batch = source->next_of_epoch())
    first.push_back(samples_of(*batch));
  while (const auto batch = source->next_of_epoch())
    second.push_back(samples_of(*batch));
  EXPECT_EQ(first, second);
  std::multiset<int64_t> rows;
  for (const auto& batch : first) rows.insert(batch.begin(), batch.end());
  EXPECT_EQ(rows.size(), 16u);
  EXPECT_EQ(std::set<int64_t>(rows.begin(), rows.end()).size(), 16u);
  EXPECT_EQ(first.size(), 3u + 2u);  // ten of one shape, six of the other
}

TEST(LatentBatches, OfARareShapeAreASmallerBatchInEveryEpoch) {
  TempFolder folder;
  auto source = latent_batches(mixed_store(folder / "store"),
                               {.batch_size = 8, .seed = 1});
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    std::multiset<int64_t> sizes;
    while (const auto batch = source->next_of_epoch())
      sizes.insert(batch->data.size(0));
    EXPECT_EQ(sizes, (std::multiset<int64_t>{6, 8}));
  }
}

}  // namespace
}  // namespace calotype
