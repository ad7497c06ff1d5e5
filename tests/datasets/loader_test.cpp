#include "datasets/loader.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <atomic>
#include <numeric>
#include <set>
#include <stdexcept>
#include <thread>

#include "core/error.h"
#include "core/files.h"
#include "datasets/image_io.h"
#include "tests/datasets/image_files.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// Images of one pixel row; image i is filled with i. Counts what is asked of
/// it.
class FakeSource : public ImageSource {
 public:
  explicit FakeSource(int64_t count)
      : widths(size_t(count), 2), loads(size_t(count)) {}

  int64_t size() const override { return int64_t(widths.size()); }
  SourceImage load(int64_t index) const override {
    ++loads[size_t(index)];
    if (delay_ms > 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms));
    if (index == broken) throw std::logic_error("broken source");
    if (bad.contains(index)) throw DataError(name(index) + ": bad");
    const int64_t width = widths[size_t(index)];
    return {{1, width, channels,
             FileBytes(size_t(width * channels), uint8_t(index))},
            uint64_t(1000 + index)};
  }
  std::string name(int64_t index) const override {
    return fmt::format("i{}", index);
  }
  int64_t label(int64_t index) const override { return index % 3; }
  std::vector<std::string> class_names() const override {
    return {"a", "b", "c"};
  }
  std::string spec() const override { return "fake"; }
  std::string fingerprint() const override { return "0"; }

  int total_loads() const {
    int total = 0;
    for (const auto& count : loads) total += count;
    return total;
  }

  std::vector<int64_t> widths;
  std::set<int64_t> bad;
  int64_t broken = -1;
  int64_t channels = 1;
  int delay_ms = 0;
  mutable std::vector<std::atomic<int>> loads;
};

std::vector<int64_t> indices_of(const ImageBatch& batch) {
  const auto* data = batch.indices.data_ptr<int64_t>();
  return {data, data + batch.indices.numel()};
}

std::vector<ImageBatch> drain(Loader& loader) {
  std::vector<ImageBatch> batches;
  while (auto batch = loader.next()) batches.push_back(std::move(*batch));
  return batches;
}

std::vector<std::vector<int64_t>> indices_of(Loader& loader) {
  std::vector<std::vector<int64_t>> all;
  for (const auto& batch : drain(loader)) all.push_back(indices_of(batch));
  return all;
}

bool equal(const ImageBatch& a, const ImageBatch& b) {
  return torch::equal(a.images, b.images) && torch::equal(a.labels, b.labels) &&
         torch::equal(a.indices, b.indices) && a.names == b.names &&
         a.sizes == b.sizes && a.hashes == b.hashes &&
         a.next_position == b.next_position;
}

TEST(Loader, ABatchHoldsImagesAndWhatIsKnownOfThem) {
  Loader loader(std::make_shared<FakeSource>(5), {},
                {.batch_size = 3, .shuffle = false});
  const auto batches = drain(loader);
  ASSERT_EQ(batches.size(), 2u);
  const auto& first = batches[0];
  EXPECT_EQ(first.images.sizes(), (std::vector<int64_t>{3, 1, 1, 2}));
  EXPECT_FLOAT_EQ(first.images[2][0][0][1].item<float>(), 2 / 127.5f - 1);
  EXPECT_THAT(indices_of(first), ElementsAre(0, 1, 2));
  EXPECT_TRUE(
      torch::equal(batches[1].labels, torch::tensor({0, 1}, torch::kLong)));
  EXPECT_THAT(batches[1].names, ElementsAre("i3", "i4"));
  EXPECT_THAT(batches[1].hashes, ElementsAre(1003, 1004));
  EXPECT_THAT(first.sizes[0], ElementsAre(1, 2));
  EXPECT_EQ(first.next_position, 3);
  EXPECT_EQ(batches[1].next_position, 5);
}

TEST(Loader, EachEpochHasItsOwnOrderOfAllImages) {
  const auto source = std::make_shared<FakeSource>(100);
  const auto order_of = [&](uint64_t seed, uint32_t epoch) {
    Loader loader(source, {}, {.batch_size = 100, .seed = seed}, epoch);
    return indices_of(loader).at(0);
  };
  const auto order = order_of(1, 0);
  EXPECT_EQ(order_of(1, 0), order);
  EXPECT_NE(order_of(1, 1), order);
  EXPECT_NE(order_of(2, 0), order);
  EXPECT_EQ(std::set<int64_t>(order.begin(), order.end()).size(), 100u);
}

TEST(Loader, TheNumberOfWorkersChangesNothing) {
  const auto run = [](int num_workers, int64_t prefetch) {
    const auto source = std::make_shared<FakeSource>(203);
    source->bad = {0, 7, 8, 9, 100, 202};
    Loader loader(
        source, {.flip = true},
        {.batch_size = 8, .num_workers = num_workers, .prefetch = prefetch}, 3);
    auto batches = drain(loader);
    EXPECT_EQ(loader.skipped().size(), 6u);
    return batches;
  };
  const auto expected = run(1, 1);
  EXPECT_EQ(expected.size(), 25u);  // 197 good ones
  for (const int num_workers : {2, 5, 16})
    for (const int64_t prefetch : {1, 7}) {
      const auto got = run(num_workers, prefetch);
      ASSERT_EQ(got.size(), expected.size());
      for (size_t i = 0; i < got.size(); ++i)
        EXPECT_TRUE(equal(got[i], expected[i]));
    }
}

TEST(Loader, ARestartYieldsExactlyTheRemainingBatches) {
  const auto source = std::make_shared<FakeSource>(50);
  source->bad = {0, 3, 4, 5, 6, 20, 49};
  const LoaderConfig config{.batch_size = 4, .seed = 9};
  const Preprocessing how{.flip = true};
  Loader whole(source, how, config, 2);
  const auto batches = drain(whole);
  for (size_t k = 0; k < batches.size(); ++k) {
    Loader rest(source, how, config, 2, batches[k].next_position);
    const auto remaining = drain(rest);
    ASSERT_EQ(remaining.size(), batches.size() - k - 1);
    for (size_t i = 0; i < remaining.size(); ++i)
      EXPECT_TRUE(equal(remaining[i], batches[k + 1 + i]));
  }
}

TEST(Loader, BadImagesAreSkippedAndListed) {
  const auto source = std::make_shared<FakeSource>(6);
  source->bad = {1, 4};
  Loader loader(source, {}, {.batch_size = 3, .shuffle = false});
  EXPECT_THAT(indices_of(loader),
              ElementsAre(ElementsAre(0, 2, 3), ElementsAre(5)));
  ASSERT_EQ(loader.skipped().size(), 2u);
  EXPECT_EQ(loader.skipped()[1].index, 4);
  EXPECT_EQ(loader.skipped()[1].name, "i4");
  EXPECT_EQ(loader.skipped()[1].reason, "i4: bad");
}

TEST(Loader, ImagesThatCannotBePreparedAreListedByName) {
  const auto source = std::make_shared<FakeSource>(2);
  Loader loader(source, {.size = 8, .resize = "none"}, {});
  EXPECT_EQ(loader.next(), std::nullopt);
  ASSERT_EQ(loader.skipped().size(), 2u);
  EXPECT_EQ(loader.skipped()[0].reason,
            loader.skipped()[0].name +
                ": an image of 2x1 pixels is smaller than size 8, and resize "
                "is none");
}

TEST(Loader, StrictThrowsAtTheFirstBadImage) {
  const auto source = std::make_shared<FakeSource>(20);
  source->bad = {7};
  Loader loader(source, {},
                {.batch_size = 4, .shuffle = false, .strict = true});
  EXPECT_THAT(indices_of(*loader.next()), ElementsAre(0, 1, 2, 3));
  EXPECT_THROW(loader.next(), DataError);
  EXPECT_THROW(loader.next(),
               DataError);  // and does not go on as if it were nothing
}

TEST(Loader, WhateverASourceThrowsReachesTheConsumer) {
  const auto source = std::make_shared<FakeSource>(20);
  source->broken = 9;
  Loader loader(source, {},
                {.batch_size = 4, .shuffle = false, .num_workers = 3});
  EXPECT_NE(loader.next(), std::nullopt);
  EXPECT_NE(loader.next(), std::nullopt);
  EXPECT_THROW(loader.next(), std::logic_error);
}

TEST(Loader, EndingInTheMiddleOfAPassDoesNotWaitForIt) {
  const auto source = std::make_shared<FakeSource>(100000);
  source->delay_ms = 1;
  {
    Loader loader(source, {}, {.batch_size = 64, .num_workers = 4});
    EXPECT_NE(loader.next(), std::nullopt);
  }
  EXPECT_LT(source->total_loads(), 1000);
}

TEST(Loader, EachImageIsDecodedOnceAndNotTooFarAhead) {
  const auto source = std::make_shared<FakeSource>(500);
  Loader loader(source, {},
                {.batch_size = 10, .num_workers = 3, .prefetch = 2});
  EXPECT_NE(loader.next(), std::nullopt);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_LE(source->total_loads(), 10 + 20 + 3 * 10);
  drain(loader);
  for (const auto& count : source->loads) EXPECT_EQ(count, 1);
}

/// A position at which images wait for others of their shape.
LoaderPosition after(int64_t next, std::vector<int64_t> waiting) {
  LoaderPosition position(next);
  position.waiting = std::move(waiting);
  return position;
}

TEST(Loader, ShapesNeverMix) {
  const auto source = std::make_shared<FakeSource>(7);
  source->widths = {2, 3, 2, 3, 2, 4, 3};
  Loader loader(source, {}, {.batch_size = 2, .shuffle = false});
  const auto batches = drain(loader);
  ASSERT_EQ(batches.size(), 5u);
  EXPECT_THAT(indices_of(batches[0]), ElementsAre(0, 2));
  EXPECT_EQ(batches[0].next_position, after(3, {1}));
  EXPECT_THAT(indices_of(batches[1]), ElementsAre(1, 3));
  EXPECT_THAT(indices_of(batches[2]), ElementsAre(4));
  EXPECT_THAT(indices_of(batches[3]), ElementsAre(5));
  EXPECT_EQ(batches[3].images.size(3), 4);
  EXPECT_THAT(indices_of(batches[4]), ElementsAre(6));
  EXPECT_EQ(batches[4].next_position, 7);
}

TEST(Loader, ManyShapesDoNotPileUp) {
  const auto source = std::make_shared<FakeSource>(100);
  for (int64_t i = 0; i < 100; ++i) source->widths[size_t(i)] = i + 1;
  Loader loader(source, {}, {.batch_size = 4, .shuffle = false});
  const auto first = loader.next();
  EXPECT_THAT(indices_of(*first), ElementsAre(0));
  std::vector<int64_t> others(31);
  std::iota(others.begin(), others.end(), 1);
  EXPECT_EQ(first->next_position, after(32, others));
  EXPECT_EQ(drain(loader).size(), 99u);
}

/// Of many shapes, some of which cannot be read.
std::shared_ptr<FakeSource> mixed_source() {
  const auto source = std::make_shared<FakeSource>(60);
  for (int64_t i = 0; i < 60; ++i)
    source->widths[size_t(i)] = i % 7 == 0 ? i + 1 : i % 4;
  for (auto& width : source->widths) width = std::max<int64_t>(1, width);
  source->bad = {0, 3, 9, 10, 41, 59};
  return source;
}

TEST(Loader, ARestartAmongManyShapesYieldsExactlyTheRemainingBatches) {
  for (const bool drop_last : {false, true})
    for (const int64_t batch_size : {1, 2, 5})
      for (const int64_t max_held_bytes : {0, 40, 1 << 20}) {
        const auto source = mixed_source();
        const LoaderConfig config{.batch_size = batch_size,
                                  .drop_last = drop_last,
                                  .num_workers = 3,
                                  .seed = 9,
                                  .max_held_bytes = max_held_bytes};
        Loader whole(source, {.flip = true}, config, 2);
        const auto batches = drain(whole);
        for (size_t k = 0; k < batches.size(); ++k) {
          Loader rest(source, {.flip = true}, config, 2,
                      batches[k].next_position);
          const auto remaining = drain(rest);
          ASSERT_EQ(remaining.size(), batches.size() - k - 1);
          for (size_t i = 0; i < remaining.size(); ++i)
            EXPECT_TRUE(equal(remaining[i], batches[k + 1 + i]));
        }
      }
}

TEST(Loader, DropLastKeepsShapesThatFillNoBatch) {
  const auto source = std::make_shared<FakeSource>(9);
  source->widths = {2, 2, 3, 2, 4, 2, 2, 3, 2};  // six, two and one
  Loader loader(source, {},
                {.batch_size = 4, .shuffle = false, .drop_last = true});
  EXPECT_THAT(
      indices_of(loader),
      ElementsAre(ElementsAre(0, 1, 3, 5), ElementsAre(2, 7), ElementsAre(4)));
}

// Of 1,000 bytes each: ten shapes in turn.
std::shared_ptr<FakeSource> large_images(int64_t count) {
  const auto source = std::make_shared<FakeSource>(count);
  for (int64_t i = 0; i < count; ++i) source->widths[size_t(i)] = 1000 + i % 10;
  return source;
}

TEST(Loader, WhatWaitsIsBoundedInBytes) {
  Loader loader(large_images(200), {},
                {.batch_size = 8, .shuffle = false, .max_held_bytes = 20000});
  size_t most = 0;
  int64_t num_images = 0;
  while (const auto batch = loader.next()) {
    most = std::max(most, batch->next_position.waiting.size());
    num_images += batch->images.size(0);
  }
  EXPECT_EQ(num_images, 200);
  EXPECT_GT(most, 8u);
  EXPECT_LE(most, 8u + 10);  // a batch, and half of what may be held
}

TEST(Loader, WhatIsDecodedAheadIsBoundedInBytes) {
  const auto source = std::make_shared<FakeSource>(500);
  for (auto& width : source->widths) width = 1 << 20;
  Loader loader(source, {},
                {.batch_size = 4,
                 .num_workers = 2,
                 .prefetch = 50,
                 .max_held_bytes = int64_t{16} << 20});
  EXPECT_NE(loader.next(), std::nullopt);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  // The batch, eight ahead of it, and one more a worker.
  EXPECT_LE(source->total_loads(), 4 + 8 + 2);
}

TEST(Loader, AnImageLargerThanAllThatMayBeHeldComesThrough) {
  for (const int num_workers : {1, 4}) {
    const auto source = large_images(40);
    Loader loader(
        source, {},
        {.batch_size = 3, .num_workers = num_workers, .max_held_bytes = 0});
    int64_t num_images = 0;
    while (const auto batch = loader.next())
      num_images += batch->images.size(0);
    EXPECT_EQ(num_images, 40);
  }
}

// Those that are waited for last would else go on meanwhile: 36 images.
TEST(Loader, AllThreadsEndTogether) {
  const auto source = std::make_shared<FakeSource>(100000);
  source->delay_ms = 100;
  {
    Loader loader(source, {}, {.batch_size = 512, .num_workers = 8});
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_LE(source->total_loads(), 20);  // 8, if the machine is not busy
}

TEST(Loader, UnwantedImagesAreNotDecoded) {
  const auto source = std::make_shared<FakeSource>(6);
  const std::vector<bool> skip = {false, true, true, false, true, false};
  Loader loader(source, {.channels = 1}, {.batch_size = 8, .shuffle = false}, 0,
                0, &skip);
  EXPECT_THAT(indices_of(loader), ElementsAre(ElementsAre(0, 3, 5)));
  EXPECT_EQ(source->loads[1], 0);
  EXPECT_TRUE(loader.skipped().empty());
}

TEST(Loader, TheFirstReadableImageDecidesTheChannels) {
  const auto source = std::make_shared<FakeSource>(4);
  source->bad = {0};
  source->channels = 3;
  Loader color(source, {}, {});
  EXPECT_EQ(color.next()->images.size(1), 3);
  Loader grey(source, {.channels = 1}, {});
  EXPECT_EQ(grey.next()->images.size(1), 1);
}

TEST(Loader, EachImageMayKeepItsOwnChannels) {
  TempFolder folder;
  write_file_atomic(folder / "a.png", encode_png({1, 2, 1, {1, 2}}));
  write_file_atomic(folder / "b.png",
                    encode_png({1, 2, 3, {1, 2, 3, 4, 5, 6}}));
  const std::shared_ptr<const ImageSource> source =
      open_source(folder.path().string());
  Loader own(source, {}, {.shuffle = false, .own_channels = true});
  EXPECT_EQ(own.next()->images.size(1), 1);
  EXPECT_EQ(own.next()->images.size(1), 3);
  Loader grey(source, {}, {.shuffle = false});
  const auto batch = grey.next();
  EXPECT_EQ(batch->images.size(1), 1);
  EXPECT_THAT(batch->channels, ElementsAre(1, 3));  // as they were
}

TEST(Loader, HalfOfTheImagesAreMirrored) {
  class TwoPixels : public FakeSource {
   public:
    using FakeSource::FakeSource;
    SourceImage load(int64_t) const override {
      return {{1, 2, 1, {0, 255}}, 0};
    }
  };
  const auto mirrored = [&](uint32_t epoch) {
    Loader loader(std::make_shared<TwoPixels>(1000), {.flip = true},
                  {.batch_size = 1000, .shuffle = false}, epoch);
    return (loader.next()->images.select(3, 0).flatten() > 0).to(torch::kLong);
  };
  EXPECT_NEAR(mirrored(0).sum().item<int64_t>(), 500, 60);
  EXPECT_FALSE(torch::equal(mirrored(0), mirrored(1)));
  EXPECT_TRUE(torch::equal(mirrored(1), mirrored(1)));
}

TEST(Loader, ImpossibleSettingsAreRefused) {
  const auto source = std::make_shared<FakeSource>(4);
  const auto refusal = [&](LoaderConfig config, int64_t start = 0) {
    return config_error_of([&] { Loader(source, {}, config, 0, start); });
  };
  EXPECT_THAT(refusal({.batch_size = 0}),
              HasSubstr("loader: batch_size must be in"));
  EXPECT_THAT(refusal({.num_workers = 0}), HasSubstr("num_workers must be in"));
  EXPECT_THAT(refusal({}, 5),
              HasSubstr("start_position must be in [0, 4], got 5"));
  EXPECT_EQ(refusal({}, 4), "");
}

TEST(Loader, FillsABatchByPixelsToo) {
  auto source =
      std::shared_ptr<const ImageSource>(open_source("synthetic:40:64:1"));
  Loader loader(
      source, {},
      {.batch_size = 128, .shuffle = false, .max_batch_pixels = 10 * 64 * 64});
  while (const auto batch = loader.next()) EXPECT_EQ(batch->images.size(0), 10);
}

}  // namespace
}  // namespace calotype
