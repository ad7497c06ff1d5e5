#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstdlib>

#include "core/files.h"
#include "core/hash.h"
#include "store/latent_store.h"
#include "store/store_fingerprint.h"
#include "tests/store/store_samples.h"
#include "tests/support/temp_folder.h"

// tests/fixtures/v1: stores that were written before format version 2, and what
// h5py reads in them. All later versions read the same.
namespace calotype {
namespace {

namespace fs = std::filesystem;

fs::path v1() {
  return fs::path(__FILE__).parent_path().parent_path() / "fixtures" / "v1";
}

const Json& values() {
  static const auto read = read_json_file(v1() / "values.json");
  return read;
}

/// `grid`: [D,h,w] of one row, in the order of the numbers.
void expect_grid(const Json& want, const at::Tensor& grid) {
  const auto flat = grid.to(at::kDouble).flatten();
  EXPECT_NEAR(flat.sum().item<double>(), want["sum"].get<double>(), 1e-9);
  for (int64_t i = 0; i < 3; ++i)
    EXPECT_EQ(flat[i].item<double>(), want["first"][size_t(i)].get<double>());
  EXPECT_EQ(flat[-1].item<double>(), want["last"].get<double>());
}

void expect_row(const Json& want, const StoreReader& reader, int64_t row) {
  const auto which = at::full({1}, row, at::kLong);
  const auto got = reader.read(which);
  EXPECT_EQ(got.names[0], want["name"].get<std::string>());
  EXPECT_EQ(got.labels.item<int64_t>(), want["label"].get<int64_t>());
  EXPECT_EQ(got.indices.item<int64_t>(), want["index"].get<int64_t>());
  EXPECT_EQ(got.sizes[0][0], want["size"][0].get<int32_t>());
  EXPECT_EQ(got.sizes[0][1], want["size"][1].get<int32_t>());
  EXPECT_EQ(hex64(got.hashes[0]), want["source_hash"].get<std::string>());
  if (want.contains("tokens")) {
    const auto tokens = want["tokens"].get<std::vector<int64_t>>();
    EXPECT_TRUE(at::equal(got.tokens.flatten(), at::tensor(tokens)));
    EXPECT_EQ(got.tokens.sizes().slice(1).vec(),
              want["shape"].get<std::vector<int64_t>>());
    return;
  }
  EXPECT_EQ(got.grid.mean.sizes().slice(1).vec(),
            want["shape"].get<std::vector<int64_t>>());
  expect_grid(want["latents"], got.grid.mean[0]);
  if (want.contains("logvar")) expect_grid(want["logvar"], got.grid.logvar[0]);
  if (!want.contains("latents_flipped")) return;
  const auto flipped = reader.read(which, at::ones({1}, at::kBool)).grid;
  expect_grid(want["latents_flipped"], flipped.mean[0]);
  if (want.contains("logvar_flipped"))
    expect_grid(want["logvar_flipped"], flipped.logvar[0]);
}

class StoreOfVersion1 : public testing::TestWithParam<const char*> {
 protected:
  const Json& want() const { return values().at(GetParam()); }
  fs::path store() const { return v1() / "stores" / GetParam(); }
};

TEST_P(StoreOfVersion1, HoldsWhatH5pyReads) {
  const StoreReader reader(store(), /*allow_incomplete=*/true);
  const auto& info = reader.info();
  EXPECT_EQ(info.format_version, 1);
  EXPECT_EQ(info.kind, want()["kind"].get<std::string>());
  EXPECT_EQ(info.dtype, want()["dtype"].get<std::string>());
  EXPECT_EQ(info.packing, want()["packing"].get<std::string>());
  EXPECT_EQ(info.flips, want()["flips"].get<bool>());
  EXPECT_EQ(info.complete, want()["complete"].get<bool>());
  EXPECT_EQ(info.class_names,
            want()["class_names"].get<std::vector<std::string>>());
  if (info.complete) {
    EXPECT_EQ(info.mean, want()["mean"].get<std::vector<double>>());
    EXPECT_EQ(info.std, want()["std"].get<std::vector<double>>());
  }
  ASSERT_EQ(reader.size(), int64_t(want()["rows"].size()));
  for (int64_t row = 0; row < reader.size(); ++row) {
    SCOPED_TRACE(fmt::format("row {}", row));
    expect_row(want()["rows"][size_t(row)], reader, row);
  }
  EXPECT_EQ(store_fingerprint(reader).size(), 16u);
  reader.check_hashes();
}

TEST_P(StoreOfVersion1, IsSound) {
  const auto report = verify_store(store());
  EXPECT_THAT(report.problems, testing::IsEmpty());
  EXPECT_EQ(report.num_rows, int64_t(want()["rows"].size()));
}

INSTANTIATE_TEST_SUITE_P(All, StoreOfVersion1,
                         testing::Values("moments-fp16", "moments-bf16",
                                         "moments-fp32-flips", "latents-fp32",
                                         "tokens-none", "tokens-bits",
                                         "tokens-entropy", "broken-off",
                                         "generated"),
                         [](const auto& item) {
                           std::string name = item.param;
                           std::erase(name, '-');
                           return name;
                         });

}  // namespace
}  // namespace calotype
