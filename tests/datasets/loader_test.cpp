#include "datasets/loader.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <set>
#include <stdexcept>
#include <thread>

#include "core/error.h"
#include "core/files.h"
#include "images/image_io.h"
#include "tests/datasets/fake_source.h"
#include "tests/images/image_files.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

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

TEST(Loader, DropLastLeavesOutWhatIsNotFull) {
  Loader loader(std::make_shared<FakeSource>(7), {},
                {.batch_size = 3, .shuffle = false, .drop_last = true});
  EXPECT_EQ(drain(loader).size(), 2u);
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
