#include "store/latent_store.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "core/check.h"
#include "core/error.h"
#include "core/files.h"
#include "store/hdf5.h"
#include "store/store_info.h"
#include "tests/store/store_samples.h"
#include "tests/support/codec_record.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;

at::Tensor all_rows(const StoreReader& reader) {
  return at::arange(reader.size());
}

/// A store of kind latents with one channel: `values`, one image each.
void write_values(const std::filesystem::path& folder, const std::string& dtype,
                  const std::vector<float>& values) {
  StoreWriter writer(folder, sample_info(dtype, "latents"));
  auto rows = sample_rows(0, int64_t(values.size()), 2, "latents");
  rows.grid.mean = at::tensor(values).view({-1, 1, 1, 1});
  writer.append(rows);
  writer.finish();
}

std::vector<float> read_values(const std::filesystem::path& folder) {
  const StoreReader reader(folder);
  const auto mean = reader.gather(all_rows(reader)).grid.mean.contiguous();
  return {mean.data_ptr<float>(), mean.data_ptr<float>() + mean.numel()};
}

/// A finished store of `count` images in shards of 4.
void write_sample(const std::filesystem::path& folder, int64_t count = 10,
                  bool mixed = false) {
  StoreWriter writer(folder, sample_info(), 4);
  append_missing(writer, count, 4, mixed);
  writer.finish();
}

void change_text(const std::filesystem::path& path, const std::string& from,
                 const std::string& to) {
  auto text = read_text_file(path);
  const auto at = text.find(from);
  ASSERT_NE(at, std::string::npos) << from;
  write_file_atomic(path, text.replace(at, from.size(), to));
}

TEST(LatentStore, ReturnsWhatWasAppended) {
  const TempFolder folder;
  write_sample(folder / "store");
  const StoreReader reader(folder / "store");
  const auto read = reader.read(all_rows(reader));
  const auto want = sample_rows(0, 10);
  EXPECT_TRUE(at::equal(read.grid.mean, want.grid.mean));
  EXPECT_TRUE(at::equal(read.grid.logvar, want.grid.logvar));
  EXPECT_TRUE(at::equal(read.labels, want.labels));
  EXPECT_TRUE(at::equal(read.indices, want.indices));
  EXPECT_EQ(read.names, want.names);
  EXPECT_EQ(read.sizes, want.sizes);
  EXPECT_EQ(read.hashes, want.hashes);

  EXPECT_TRUE(reader.info().complete);
  EXPECT_EQ(reader.info().count, 10);
  EXPECT_THAT(reader.info().grid_shapes, ElementsAre(ElementsAre(2, 2, 3)));
  EXPECT_EQ(reader.info().codec, sample_info().codec);
  EXPECT_EQ(reader.info().class_names, sample_info().class_names);
}

TEST(LatentStore, RoundsToNearestEven) {
  const TempFolder folder;
  // By hand: fp16 has 11 significant bits, bf16 8; ties go to the even
  // neighbour.
  write_values(folder / "fp32", "fp32", {1.f / 3, 2049, 1e30f});
  EXPECT_THAT(read_values(folder / "fp32"), ElementsAre(1.f / 3, 2049, 1e30f));
  write_values(folder / "fp16", "fp16", {1.f / 3, 2049, 2051, 65504, -65519});
  EXPECT_THAT(read_values(folder / "fp16"),
              ElementsAre(0.333251953125f, 2048, 2052, 65504, -65504));
  write_values(folder / "bf16", "bf16", {1.f / 3, 257, 259, 1.9921875f});
  EXPECT_THAT(read_values(folder / "bf16"),
              ElementsAre(0.333984375f, 256, 260, 1.9921875f));
}

TEST(LatentStore, NormalisesByTheLawOfTotalVariance) {
  const TempFolder folder;
  StoreWriter writer(folder.path(), sample_info(), 1);  // over two shards
  auto rows = sample_rows(0, 2);
  rows.grid.mean = at::tensor({1.f, 10.f, 3.f, 10.f}).view({2, 2, 1, 1});
  rows.grid.logvar =
      at::tensor({0.f, 0.f, 0.f, std::log(3.f)}).view({2, 2, 1, 1});
  writer.append(rows);
  writer.finish();
  const StoreReader reader(folder.path());
  // Channel 0: variance of {1, 3} is 1, mean variance 1. Channel 1: 0 and (1 +
  // 3) / 2.
  EXPECT_THAT(reader.info().mean, ElementsAre(2, 10));
  EXPECT_THAT(reader.info().std,
              ElementsAre(testing::DoubleEq(std::sqrt(2.0)),
                          testing::DoubleNear(std::sqrt(2.0), 1e-7)));
}

TEST(LatentStore, NormalisesMixedShapesAsStored) {
  const TempFolder folder;
  auto info = sample_info("bf16");
  StoreWriter writer(folder.path(), info, 4);
  append_missing(writer, 20, 4, true);
  writer.finish();
  const StoreReader reader(folder.path());
  std::vector<at::Tensor> means, logvars;
  for (const auto& bucket : reader.buckets()) {
    const auto grid = reader.gather(at::tensor(bucket)).grid;
    means.push_back(grid.mean.to(at::kDouble).transpose(0, 1).flatten(1));
    logvars.push_back(grid.logvar.to(at::kDouble).transpose(0, 1).flatten(1));
  }
  const auto mean = at::cat(means, 1), logvar = at::cat(logvars, 1);
  const auto std = (mean.var(1, false) + logvar.exp().mean(1)).sqrt();
  for (int64_t d = 0; d < 2; ++d) {
    EXPECT_NEAR(reader.info().mean[size_t(d)], mean[d].mean().item<double>(),
                1e-12);
    EXPECT_NEAR(reader.info().std[size_t(d)], std[d].item<double>(), 1e-12);
  }
}

TEST(LatentStore, GathersAnyRowsOfABucketInAnyOrder) {
  const TempFolder folder;
  write_sample(folder.path(), 30, true);
  const StoreReader reader(folder.path());
  ASSERT_EQ(reader.buckets().size(), 2u);
  EXPECT_THAT(reader.info().grid_shapes,
              ElementsAre(ElementsAre(2, 4, 3), ElementsAre(2, 2, 3)));
  EXPECT_EQ(reader.buckets()[0].size(), 12u);
  for (size_t b = 0; b < 2; ++b) {
    const auto bucket = at::tensor(reader.buckets()[b]);
    const auto picked =
        bucket.index({at::randint(bucket.numel(), {50}, at::kLong)});
    const auto rows = reader.read(picked);
    const auto same = reader.gather(picked);
    EXPECT_TRUE(at::equal(rows.grid.mean, same.grid.mean));
    EXPECT_TRUE(at::equal(rows.grid.logvar, same.grid.logvar));
    for (int64_t i = 0; i < 50; ++i) {
      const auto index = rows.indices[i].item<int64_t>();
      const auto want = sample_rows(index, 1, b == 0 ? 4 : 2);
      EXPECT_TRUE(at::equal(rows.grid.mean[i], want.grid.mean[0]));
      EXPECT_TRUE(at::equal(rows.grid.logvar[i], want.grid.logvar[0]));
      EXPECT_EQ(rows.labels[i].item<int64_t>(), want.labels[0].item<int64_t>());
      EXPECT_EQ(rows.names[size_t(i)], want.names[0]);
    }
  }
  const auto mixed =
      at::tensor({reader.buckets()[0][0], reader.buckets()[1][0]});
  EXPECT_EQ(message_of<ShapeError>([&] { reader.gather(mixed); }),
            "StoreReader: rows must share one grid shape, got [2, 4, 3] and "
            "[2, 2, 3]");
  EXPECT_EQ(
      message_of<ShapeError>([&] { reader.gather(at::tensor({int64_t{30}})); }),
      "StoreReader: row must be in [0, 30), got 30");
}

TEST(LatentStore, OpensOneShardByItself) {
  const TempFolder folder;
  write_sample(folder / "store");
  std::filesystem::create_directory(folder / "alone");
  std::filesystem::copy(folder / "store" / "shard-00001.h5",
                        folder / "alone" / "x.h5");
  for (const auto& path :
       {folder / "store" / "shard-00001.h5", folder / "alone" / "x.h5"}) {
    const StoreReader reader(path);
    EXPECT_EQ(reader.size(), 4);
    EXPECT_EQ(reader.info().count, 4);
    EXPECT_EQ(reader.info().codec, sample_info().codec);
    EXPECT_THAT(reader.info().mean, IsEmpty());
    const auto rows = reader.read(at::arange(4));
    EXPECT_TRUE(at::equal(rows.grid.mean, sample_rows(4, 4).grid.mean));
  }
}

TEST(LatentStore, RefusesWhatItCannotKeep) {
  const TempFolder folder;
  StoreWriter writer(folder.path(), sample_info("fp16"));
  auto rows = sample_rows(0, 3);
  rows.grid.mean[1][0][0][0] = 70000;
  EXPECT_EQ(
      message_of<ConfigError>([&] { writer.append(rows); }),
      "latent store: the mean of image boot/1.png (index 1) reaches 70000, too "
      "large for fp16; use dtype bf16 or fp32");
  rows.grid.mean[1][0][0][0] = NAN;
  EXPECT_EQ(
      message_of<DataError>([&] { writer.append(rows); }),
      "latent store: the mean of image boot/1.png (index 1) is not finite");
  rows = sample_rows(0, 3);
  rows.grid.logvar[2] = 100;
  EXPECT_EQ(message_of<DataError>([&] { writer.append(rows); }),
            "latent store: the variance of image boot/2é.png (index 2) is not "
            "finite");
  EXPECT_EQ(message_of<ShapeError>(
                [&] { writer.append(sample_rows(0, 3, 2, "latents")); }),
            "StoreWriter: rows of kind moments must have a logvar");
  rows = sample_rows(0, 3);
  rows.names.pop_back();
  EXPECT_EQ(message_of<ShapeError>([&] { writer.append(rows); }),
            "StoreWriter: expected 3 names, sizes and hashes, got 2, 3 and 3");
  EXPECT_EQ(writer.num_stored(), 0);

  writer.append(sample_rows(4, 2));
  EXPECT_EQ(message_of<ShapeError>([&] { writer.append(sample_rows(3, 3)); }),
            "StoreWriter: index 4 is stored already");
  EXPECT_THAT(writer.stored(7), ElementsAre(0, 0, 0, 0, 1, 1, 0));
}

TEST(LatentStore, NamesTheFirstDifferenceToTheStoreThatIsThere) {
  const TempFolder folder;
  { StoreWriter(folder.path(), sample_info()); }
  const auto refusal = [&](auto&& change) {
    auto info = sample_info();
    change(info);
    return message_of<ConfigError>([&] { StoreWriter(folder.path(), info); });
  };
  EXPECT_EQ(refusal([](auto& info) { set_key(info.codec, "sha256", "other"); }),
            folder.path().string() +
                ": is another store: codec.sha256 is \"c0dec\" in the store, "
                "\"other\" now; delete the folder to start anew");
  EXPECT_THAT(refusal([](auto& info) { info.dtype = "bf16"; }),
              HasSubstr("dtype is \"fp32\" in the store, \"bf16\" now"));
  EXPECT_THAT(
      refusal([](auto& info) { info.source["fingerprint"] = "x"; }),
      HasSubstr("source.fingerprint is \"f00d\" in the store, \"x\" now"));
  EXPECT_THAT(
      refusal([](auto& info) { info.preprocessing["crop"] = "squash"; }),
      HasSubstr("preprocessing.crop is missing in the store, \"squash\" now"));
  // The same codec and images from elsewhere are the same.
  EXPECT_EQ(refusal([](auto& info) {
              set_key(info.codec, "path", "models/moved");
              info.source["spec"] = "../images";
            }),
            "nothing thrown");
}

TEST(LatentStore, RefusesToWriteWhereItMustNot) {
  const TempFolder folder;
  const auto open = [&](const char* name, StoreInfo info = sample_info()) {
    return message_of<ConfigError>([&] { StoreWriter(folder / name, info); });
  };
  write_sample(folder / "done");
  EXPECT_THAT(open("done"),
              EndsWith("done: is complete, with 10 rows; delete the folder "
                       "to start anew"));
  const StoreWriter first(folder / "busy", sample_info());
  EXPECT_THAT(open("busy"), EndsWith("busy: another process is writing here"));
  std::filesystem::remove(folder / "done" / "store.json");
  EXPECT_THAT(open("done"), HasSubstr("but no store.json; delete the folder"));
  EXPECT_EQ(open("new", sample_info("fp64")),
            "latent store: dtype must be one of fp32, fp16, bf16, got fp64");
}

TEST(LatentStore, RefusesToReadWhatIsNoStore) {
  const TempFolder folder;
  const auto open = [&](const std::filesystem::path& path) {
    return message_of<std::exception>([&] { StoreReader reader(path); });
  };
  EXPECT_THAT(open(folder.path()),
              EndsWith("no latent store here (store.json is missing)"));
  EXPECT_THAT(open(folder / "nowhere"), HasSubstr("no latent store here"));
  write_file_atomic(folder / "text.h5", "not a shard");
  EXPECT_THAT(open(folder / "text.h5"),
              HasSubstr("text.h5: not a readable HDF5 file"));

  write_sample(folder / "store");
  const auto shard = folder / "store" / "shard-00002.h5";
  const auto bytes = std::filesystem::file_size(shard);
  std::filesystem::resize_file(shard, bytes - 1);
  EXPECT_THAT(open(folder / "store"),
              EndsWith(fmt::format("shard-00002.h5: expected {} bytes, got {}",
                                   bytes, bytes - 1)));
  std::filesystem::remove(shard);
  EXPECT_THAT(open(folder / "store"),
              EndsWith("shard-00002.h5: cannot open: No such file "
                       "or directory"));
  change_text(folder / "store" / "store.json", "\"format_version\": 2",
              "\"format_version\": 3");
  EXPECT_THAT(
      open(folder / "store"),
      EndsWith("store.json: format_version 3 is newer than 2, which this "
               "calotype reads"));
}

TEST(LatentStore, RefusesAShardWhoseArraysDoNotFitItsDescription) {
  const TempFolder folder;
  const std::vector<uint8_t> zeros(256);
  const std::vector<int64_t> indices = {0, 1};
  auto info = sample_info("fp16", "latents");
  info.grid_shapes = {{2, 2, 3}};
  // A shard of two rows, but for one array.
  const auto refusal = [&](const Hdf5Array& odd) {
    std::vector<Hdf5Array> arrays = {
        {"latents", Hdf5Type::kFloat16, 2, {2, 2, 2, 3}, zeros.data()},
        {"label", Hdf5Type::kInt64, 8, {2}, zeros.data()},
        {"name", Hdf5Type::kText, 4, {2}, zeros.data()},
        {"index", Hdf5Type::kInt64, 8, {2}, indices.data()},
        {"size", Hdf5Type::kInt32, 4, {2, 2}, zeros.data()},
        {"source_hash", Hdf5Type::kUint64, 8, {2}, zeros.data()}};
    for (auto& array : arrays)
      if (array.name == odd.name) array = odd;
    const std::vector<Hdf5Attribute> attributes = {
        {"format_version", int64_t{2}}, {"store", store_info_text(info)}};
    write_file_atomic(folder / "x.h5", make_hdf5(attributes, arrays).bytes);
    return message_of<DataError>([&] { StoreReader reader(folder / "x.h5"); });
  };
  EXPECT_EQ(refusal({}), "nothing thrown");
  EXPECT_THAT(
      refusal({"latents", Hdf5Type::kFloat32, 4, {2, 2, 2, 3}, zeros.data()}),
      EndsWith("x.h5: /latents has elements of another type than a store of "
               "fp16 latents has"));
  EXPECT_THAT(
      refusal({"latents", Hdf5Type::kFloat16, 2, {2, 12}, zeros.data()}),
      EndsWith("x.h5: /latents must be [n, D, h, w], got [2, 12]"));
  EXPECT_THAT(refusal({"label", Hdf5Type::kInt64, 8, {1}, zeros.data()}),
              EndsWith("x.h5: /label must be [2], got [1]"));
  EXPECT_THAT(refusal({"size", Hdf5Type::kInt32, 4, {2}, zeros.data()}),
              EndsWith("x.h5: /size must be [2, 2], got [2]"));
  info.kind = "moments";
  EXPECT_THAT(refusal({}), HasSubstr("x.h5: /logvar: not there"));
  info.format_version = 3;
  EXPECT_THAT(refusal({}), HasSubstr("format_version 3 is newer than 2"));
}

TEST(LatentStore, ReadsWhatIsThereOfAnIncompleteStoreIfAsked) {
  const TempFolder folder;
  {
    StoreWriter writer(folder.path(), sample_info(), 4);
    append_missing(writer, 10);
  }
  EXPECT_THAT(
      message_of<ConfigError>([&] { StoreReader reader(folder.path()); }),
      EndsWith("the store is not complete; run the same encode again to go on "
               "with it"));
  const StoreReader reader(folder.path(), true);
  EXPECT_EQ(reader.size(), 8);
  EXPECT_EQ(reader.info().count, 8);
  EXPECT_EQ(reader.info().mean.size(), 2u);
}

TEST(LatentStore, KeepsAStoreWithoutRows) {
  const TempFolder folder;
  StoreWriter(folder.path(), sample_info()).finish();
  const StoreReader reader(folder.path());
  EXPECT_EQ(reader.size(), 0);
  EXPECT_THAT(reader.buckets(), IsEmpty());
  EXPECT_THAT(verify_store(folder.path()).problems, IsEmpty());
}

}  // namespace
}  // namespace calotype
