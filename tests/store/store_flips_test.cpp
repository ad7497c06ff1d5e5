#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <cmath>

#include "core/error.h"
#include "core/files.h"
#include "core/random.h"
#include "store/hdf5.h"
#include "store/latent_store.h"
#include "store/store_info.h"
#include "tests/store/store_samples.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;

StoreInfo flips_info(const std::string& dtype = "fp32",
                     const std::string& kind = "moments") {
  auto info = sample_info(dtype, kind);
  info.flips = true;
  return info;
}

/// sample_rows() and latents of mirror images, which have nothing to do with
/// them.
StoreRows flips_rows(int64_t first, int64_t count,
                     const std::string& kind = "moments") {
  auto rows = sample_rows(first, count, 2, kind);
  const auto draw = [&](uint64_t seed) {
    return normal_rows({2, 2, 3}, rows.indices, seed, Stream::kSynthetic);
  };
  rows.flipped.mean = draw(3);
  if (kind == "moments") rows.flipped.logvar = draw(4) - 1;
  return rows;
}

void write_flips(const std::filesystem::path& folder,
                 const std::string& kind = "moments") {
  StoreWriter writer(folder, flips_info("fp32", kind), 4);
  for (int64_t index = 0; index < 10; index += 2)
    writer.append(flips_rows(index, 2, kind));
  writer.finish();
}

TEST(StoreFlips, AreGatheredWhereTheyAreWanted) {
  const TempFolder folder;
  for (const auto* kind : {"moments", "latents"}) {
    write_flips(folder / kind, kind);
    const StoreReader reader(folder / kind);
    EXPECT_TRUE(reader.info().flips);
    const auto want = flips_rows(0, 10, kind);
    const auto rows = at::tensor({9, 3, 4, 3, 0}, at::kLong);
    const auto flipped = at::tensor({1, 0, 1, 1, 0}).to(at::kBool);
    for (const auto& got :
         {reader.gather(rows, flipped), reader.read(rows, flipped)})
      for (int64_t i = 0; i < 5; ++i) {
        const auto row = rows[i].item<int64_t>();
        const auto& side = flipped[i].item<bool>() ? want.flipped : want.grid;
        EXPECT_TRUE(at::equal(got.grid.mean[i], side.mean[row])) << kind << i;
        if (side.logvar.defined()) {
          EXPECT_TRUE(at::equal(got.grid.logvar[i], side.logvar[row])) << i;
        }
        EXPECT_EQ(got.labels[i].item<int64_t>(),
                  want.labels[row].item<int64_t>());
      }
  }
}

TEST(StoreFlips, ChangeNothingForWhoDoesNotAsk) {
  const TempFolder folder;
  write_flips(folder.path());
  const StoreReader reader(folder.path());
  EXPECT_EQ(reader.size(), 10);
  EXPECT_THAT(reader.info().grid_shapes, ElementsAre(ElementsAre(2, 2, 3)));
  const auto rows = reader.read(at::arange(10));
  const auto want = flips_rows(0, 10);
  EXPECT_TRUE(at::equal(rows.grid.mean, want.grid.mean));
  EXPECT_TRUE(at::equal(rows.grid.logvar, want.grid.logvar));
  EXPECT_EQ(rows.names, want.names);
  EXPECT_FALSE(rows.flipped.mean.defined());
}

TEST(StoreFlips, CountInTheNormalisation) {
  const TempFolder folder;
  StoreWriter writer(folder.path(), flips_info(), 1);  // over two shards
  auto rows = flips_rows(0, 2);
  const auto values = [](float a, float b, float c, float d) {
    return at::tensor({a, b, c, d}).view({2, 2, 1, 1});
  };
  rows.grid.mean = values(1, 10, 3, 10);
  rows.flipped.mean = values(3, 14, 5, 14);
  rows.grid.logvar = values(0, 0, 0, 0);
  rows.flipped.logvar = values(0, 0, 0, std::log(5.f));
  writer.append(rows);
  writer.finish();
  const StoreReader reader(folder.path());
  // Channel 0: {1, 3, 3, 5} has mean 3 and variance 2, and a mean variance of
  // 1. Channel 1: {10, 10, 14, 14} has mean 12 and variance 4, and a mean
  // variance of (1 + 1 + 1 + 5) / 4 = 2.
  EXPECT_THAT(reader.info().mean, ElementsAre(3, 12));
  EXPECT_THAT(reader.info().std,
              ElementsAre(testing::DoubleEq(std::sqrt(3.0)),
                          testing::DoubleNear(std::sqrt(6.0), 1e-6)));
}

TEST(StoreFlips, AreVerified) {
  const TempFolder folder;
  write_flips(folder.path());
  EXPECT_THAT(verify_store(folder.path()).problems, IsEmpty());
  const auto path = folder / "shard-00001.h5";
  auto bytes = read_file(path);
  const auto place = Hdf5File(path).find("logvar_flipped");
  EXPECT_EQ(place.shape, (std::vector<int64_t>{4, 2, 2, 3}));
  bytes[size_t(place.offset)] ^= 1;
  write_file_atomic(path, bytes);
  EXPECT_THAT(verify_store(folder.path()).problems,
              ElementsAre(HasSubstr("shard-00001.h5: the rows are damaged")));
}

TEST(StoreFlips, GoOnAfterTheEncodeWasBrokenOff) {
  const TempFolder folder;
  write_flips(folder / "whole");
  {
    StoreWriter writer(folder / "broken", flips_info(), 4);
    writer.append(flips_rows(0, 6));
  }
  {
    StoreWriter writer(folder / "broken", flips_info(), 4);
    EXPECT_EQ(writer.num_stored(), 4);
    writer.append(flips_rows(4, 6));
    writer.finish();
  }
  EXPECT_EQ(folder_content(folder / "broken"),
            folder_content(folder / "whole"));
}

TEST(StoreFlips, AreAllOrNone) {
  const TempFolder folder;
  { StoreWriter(folder / "with", flips_info()); }
  { StoreWriter(folder / "without", sample_info()); }
  EXPECT_THAT(message_of<ConfigError>(
                  [&] { StoreWriter(folder / "with", sample_info()); }),
              HasSubstr("flips is true in the store, false now"));
  EXPECT_THAT(message_of<ConfigError>(
                  [&] { StoreWriter(folder / "without", flips_info()); }),
              HasSubstr("flips is false in the store, true now"));
  StoreWriter with(folder / "with", flips_info());
  StoreWriter without(folder / "without", sample_info());
  EXPECT_EQ(message_of<ShapeError>([&] { with.append(sample_rows(0, 2)); }),
            "StoreWriter: rows of a store with flips must have a flipped mean");
  EXPECT_EQ(
      message_of<ShapeError>([&] { without.append(flips_rows(0, 2)); }),
      "StoreWriter: rows of a store without flips must have no flipped mean");
  auto rows = flips_rows(0, 2);
  rows.flipped.logvar = rows.flipped.logvar.narrow(3, 0, 2);
  EXPECT_EQ(message_of<ShapeError>([&] { with.append(rows); }),
            "StoreWriter: flipped logvar must be [2, 2, 2, 3], got [2, 2, 2, "
            "2]");
  rows = flips_rows(0, 2);
  rows.flipped.mean[1][0][0][0] = NAN;
  EXPECT_EQ(message_of<DataError>([&] { with.append(rows); }),
            "latent store: the mirrored mean of image boot/1.png (index 1) is "
            "not finite");
}

TEST(StoreFlips, AreRefusedWhereThereAreNone) {
  const TempFolder folder;
  StoreWriter writer(folder.path(), sample_info());
  writer.append(sample_rows(0, 3));
  writer.finish();
  const StoreReader reader(folder.path());
  const auto rows = at::arange(3);
  const auto ask = [&](const at::Tensor& flipped) {
    return message_of<ShapeError>([&] { reader.gather(rows, flipped); });
  };
  EXPECT_EQ(ask(at::ones({3}, at::kBool)),
            "StoreReader: the store has no flips");
  EXPECT_EQ(ask(at::zeros({3}, at::kBool)), "nothing thrown");
  EXPECT_EQ(ask(at::zeros({2}, at::kBool)),
            "StoreReader: flipped must be [3], got [2]");
  EXPECT_EQ(ask(at::zeros({3}, at::kLong)),
            "StoreReader: flipped must be bool");

  auto tokens = flips_info("uint8", "tokens");
  EXPECT_EQ(
      message_of<ConfigError>([&] { StoreWriter(folder / "tokens", tokens); }),
      "latent store: flips need latents, got kind tokens");
}

/// A shard of two rows of kind latents whose description is `about`.
void write_shard(const std::filesystem::path& path, const Json& about) {
  const std::vector<uint8_t> zeros(256);
  const std::vector<int64_t> indices = {0, 1};
  const std::vector<Hdf5Array> arrays = {
      {"latents", Hdf5Type::kFloat16, 2, {2, 2, 2, 3}, zeros.data()},
      {"label", Hdf5Type::kInt64, 8, {2}, zeros.data()},
      {"name", Hdf5Type::kText, 4, {2}, zeros.data()},
      {"index", Hdf5Type::kInt64, 8, {2}, indices.data()},
      {"size", Hdf5Type::kInt32, 4, {2, 2}, zeros.data()},
      {"source_hash", Hdf5Type::kUint64, 8, {2}, zeros.data()}};
  const std::vector<Hdf5Attribute> attributes = {{"format_version", int64_t{1}},
                                                 {"store", about.dump()}};
  write_file_atomic(path, make_hdf5(attributes, arrays).bytes);
}

TEST(StoreFlips, AreMissedInAShardThatPromisesThem) {
  const TempFolder folder;
  auto info = flips_info("fp16", "latents");
  info.grid_shapes = {{2, 2, 3}};
  write_shard(folder / "x.h5", write_config(info));
  EXPECT_THAT(
      message_of<DataError>([&] { StoreReader reader(folder / "x.h5"); }),
      HasSubstr("x.h5: /latents_flipped: not there"));
}

TEST(StoreFlips, AreNotThereInAStoreThatDoesNotSpeakOfThem) {
  const TempFolder folder;
  auto info = sample_info("fp16", "latents");
  info.grid_shapes = {{2, 2, 3}};
  auto about = write_config(info);
  about.erase("flips");
  about.erase("preview");
  write_shard(folder / "x.h5", about);
  const StoreReader shard(folder / "x.h5");
  EXPECT_FALSE(shard.info().flips);
  EXPECT_FALSE(shard.info().preview.has_value());
  EXPECT_EQ(shard.gather(at::arange(2)).labels.size(0), 2);

  { StoreWriter(folder / "store", sample_info()); }
  auto begun = read_json_file(folder / "store" / "store.json");
  begun.erase("flips");
  begun.erase("preview");
  write_file_atomic(folder / "store" / "store.json", begun.dump());
  StoreWriter writer(folder / "store", sample_info());  // goes on with it
  writer.append(sample_rows(0, 3));
  writer.finish();
  EXPECT_THAT(verify_store(folder / "store").problems, IsEmpty());
}

}  // namespace
}  // namespace calotype
