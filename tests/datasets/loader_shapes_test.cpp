#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "datasets/loader.h"
#include "tests/datasets/fake_source.h"

// Images of several shapes, and of more bytes than may be held.
namespace calotype {
namespace {

using testing::ElementsAre;

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

TEST(Loader, NoBatchHasImagesOfTwoBlocks) {
  const auto source = std::make_shared<FakeSource>(11);
  source->widths = {2, 3, 2, 2, 2, 3, 2, 2, 2, 2, 2};
  source->bad = {4, 8};
  Loader loader(source, {},
                {.batch_size = 3, .shuffle = false, .images_per_block = 4});
  const auto batches = drain(loader);
  ASSERT_EQ(batches.size(), 5u);
  EXPECT_THAT(indices_of(batches[0]), ElementsAre(0, 2, 3));
  EXPECT_THAT(indices_of(batches[1]), ElementsAre(1));
  EXPECT_THAT(indices_of(batches[2]), ElementsAre(5));
  EXPECT_THAT(indices_of(batches[3]), ElementsAre(6, 7));
  EXPECT_THAT(indices_of(batches[4]), ElementsAre(9, 10));
  EXPECT_EQ(loader.skipped().size(), 2u);
}

TEST(Loader, APassOverSomeImagesReadsNoOthers) {
  const auto source = std::make_shared<FakeSource>(20);
  source->bad = {9};
  // Of unknown channels the first image would be read too.
  Loader loader(source, {.channels = 1},
                {.batch_size = 3, .shuffle = false, .end = 10}, 0, 5);
  const auto batches = drain(loader);
  ASSERT_EQ(batches.size(), 2u);
  EXPECT_THAT(indices_of(batches[0]), ElementsAre(5, 6, 7));
  EXPECT_THAT(indices_of(batches[1]), ElementsAre(8));
  EXPECT_EQ(batches[1].next_position, 10);
  EXPECT_EQ(loader.skipped().size(), 1u);
  EXPECT_EQ(source->total_loads(), 5);
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

}  // namespace
}  // namespace calotype
