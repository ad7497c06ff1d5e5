#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "core/error.h"
#include "core/files.h"
#include "store/latent_store.h"
#include "tests/store/store_samples.h"
#include "tests/support/temp_folder.h"

// A store's preview, and what it takes to fit one before the store is complete.
namespace calotype {
namespace {

using testing::EndsWith;

TEST(StorePreview, ShowsAllRowsOnceTheRestIsWritten) {
  const TempFolder folder;
  StoreWriter writer(folder.path(), sample_info(), 4);
  append_missing(writer, 10);
  EXPECT_EQ(StoreReader(folder.path(), true).size(), 8);
  writer.write_rest();
  EXPECT_EQ(StoreReader(folder.path(), true).size(), 10);
  EXPECT_FALSE(StoreReader(folder.path(), true).info().complete);
  writer.finish();
  {
    StoreWriter whole(folder / "whole", sample_info(), 4);
    append_missing(whole, 10);
    whole.finish();
  }
  for (const auto* file : {"store.json", "shards.jsonl", "shard-00002.h5"})
    EXPECT_EQ(read_text_file(folder / file),
              read_text_file(folder / "whole" / file));
}

TEST(StorePreview, TellsWhichImageEachRowIs) {
  const TempFolder folder;
  StoreWriter writer(folder.path(), sample_info(), 4);
  append_missing(writer, 10, 4, true);
  writer.finish();
  const StoreReader reader(folder.path());
  const auto indices = reader.indices();
  ASSERT_EQ(indices.size(), 10u);
  for (const auto& bucket : reader.buckets()) {
    const auto rows = reader.gather(at::tensor(bucket));
    for (size_t i = 0; i < bucket.size(); ++i)
      EXPECT_EQ(indices[size_t(bucket[i])],
                rows.indices[int64_t(i)].item<int64_t>());
  }
}

TEST(StorePreview, KeepsItsPreview) {
  const TempFolder folder;
  const auto write = [&](const char* name, const PreviewMap& preview) {
    StoreWriter writer(folder / name, sample_info());
    writer.append(sample_rows(0, 3));
    writer.finish(preview);
    return folder / name;
  };
  const PreviewMap map{.matrix = {{0.1, -1e-9}, {3, 1.0 / 3}, {0, 7}},
                       .bias = {0.5, -0.25, 0},
                       .r2 = 0.875,
                       .num_images = 3};
  const StoreReader reader(write("store", map));
  ASSERT_TRUE(reader.info().preview.has_value());
  EXPECT_EQ(reader.info().preview->matrix, map.matrix);
  EXPECT_EQ(reader.info().preview->bias, map.bias);
  EXPECT_EQ(reader.info().preview->r2, 0.875);
  EXPECT_EQ(reader.info().preview->num_images, 3);

  EXPECT_THAT(
      message_of<DataError>([&] {
        StoreReader odd(write("odd", {.matrix = {{1, 2, 3}}, .bias = {0}}));
      }),
      EndsWith("preview.matrix must be [C][2] and preview.bias [C], got 1 rows "
               "and 1 numbers"));
}

}  // namespace
}  // namespace calotype
