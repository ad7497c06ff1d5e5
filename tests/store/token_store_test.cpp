#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "core/error.h"
#include "core/files.h"
#include "store/hdf5.h"
#include "store/latent_store.h"
#include "tests/store/store_samples.h"
#include "tests/support/codec_record.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

using testing::HasSubstr;

constexpr int64_t kRows = 10;

StoreInfo token_info(int64_t num_codes, const std::string& packing = "none") {
  auto info = sample_info(token_dtype(num_codes), "tokens");
  set_key(info.codec, "num_codes", num_codes);
  info.packing = packing;
  return info;
}

/// Rows of 2x3 tokens that reach the codebook's last code.
StoreRows token_rows(int64_t num_codes) {
  auto rows = sample_rows(0, kRows, 2, "latents");
  rows.grid.mean = at::Tensor();
  rows.tokens =
      num_codes - 1 -
      at::arange(kRows * 6, at::kLong) % std::min<int64_t>(num_codes, 50);
  rows.tokens = rows.tokens.view({kRows, 1, 2, 3});
  return rows;
}

void write(const std::filesystem::path& folder, int64_t num_codes,
           const std::string& packing = "none") {
  StoreWriter writer(folder, token_info(num_codes, packing), 4);
  writer.append(token_rows(num_codes));
  writer.finish();
}

TEST(TokenStore, TakesTheSmallestTypeThatHolds) {
  EXPECT_EQ(token_dtype(256), "uint8");
  EXPECT_EQ(token_dtype(257), "uint16");
  EXPECT_EQ(token_dtype(65536), "uint16");
  EXPECT_EQ(token_dtype(65537), "uint32");
}

TEST(TokenStore, GivesEveryTypesTokensBack) {
  for (const int64_t num_codes : {200, 60'000, 1 << 24}) {
    SCOPED_TRACE(num_codes);
    const TempFolder folder;
    write(folder.path(), num_codes);
    const StoreReader reader(folder.path());
    EXPECT_EQ(reader.size(), kRows);
    EXPECT_EQ(reader.info().grid_shapes,
              (std::vector<std::vector<int64_t>>{{1, 2, 3}}));
    EXPECT_TRUE(reader.info().mean.empty());
    const auto rows = reader.read(at::arange(kRows - 1, -1, -1, at::kLong));
    EXPECT_TRUE(at::equal(rows.tokens, token_rows(num_codes).tokens.flip({0})));
    EXPECT_FALSE(rows.grid.mean.defined());
    EXPECT_TRUE(verify_store(folder.path()).problems.empty());
  }
}

class PackedTokenStore : public testing::TestWithParam<const char*> {};

TEST_P(PackedTokenStore, GivesEveryTypesTokensBack) {
  for (const int64_t num_codes : {1, 2, 200, 60'000}) {
    SCOPED_TRACE(num_codes);
    const TempFolder folder;
    write(folder.path(), num_codes, GetParam());
    const StoreReader reader(folder.path());
    const auto rows = reader.read(at::arange(kRows - 1, -1, -1, at::kLong));
    EXPECT_TRUE(at::equal(rows.tokens, token_rows(num_codes).tokens.flip({0})));
    EXPECT_THAT(verify_store(folder.path()).problems, testing::IsEmpty());
    const StoreReader shard(folder / "shard-00001.h5");
    EXPECT_TRUE(at::equal(shard.read(at::arange(4)).tokens,
                          token_rows(num_codes).tokens.narrow(0, 4, 4)));
  }
}

/// Every byte of the tokens of a store's first shard becomes 0xff.
void damage(const std::filesystem::path& folder) {
  const auto path = folder / "shard-00000.h5";
  int64_t begin = 0, bytes = 0;
  {
    const Hdf5File file(path);
    for (const char* name : {"tokens", "packed_tokens", "coded_tokens"}) try {
        const auto place = file.find(name);
        begin = place.offset;
        bytes = place.size_bytes;
      } catch (const DataError&) {
      }
  }
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(begin);
  file << std::string(size_t(bytes), '\xff');
}

TEST_P(PackedTokenStore, NamesADamagedShard) {
  // Damage makes tokens of 500 codes that there are not; coded ones are told
  // where all of 512 could be.
  const bool coded = GetParam() == std::string("entropy");
  const auto num_codes = coded ? 512 : 500;
  const TempFolder folder;
  write(folder.path(), num_codes, GetParam());
  damage(folder.path());
  const StoreReader reader(folder.path());
  EXPECT_THAT(message_of<DataError>([&] { reader.gather(at::arange(4)); }),
              HasSubstr(coded ? "00.h5: the rows are damaged"
                              : "token 511, the codebook has 500 codes"));
  EXPECT_TRUE(at::equal(reader.gather(at::arange(4, 8)).tokens,
                        token_rows(num_codes).tokens.narrow(0, 4, 4)));
  EXPECT_THAT(verify_store(folder.path()).problems,
              testing::Contains(HasSubstr("the rows are damaged")));
}

TEST(TokenStore, NamesTheImageWithATokenOutsideTheCodebook) {
  const TempFolder folder;
  write(folder.path(), 500);
  damage(folder.path());
  const StoreReader reader(folder.path());
  EXPECT_THAT(
      message_of<DataError>([&] { reader.gather(at::arange(1, 4)); }),
      testing::AllOf(HasSubstr("shard-00000.h5: image " +
                               token_rows(500).names[1] + " (row 1)"),
                     HasSubstr("token 65535, the codebook has 500 codes")));
}

TEST_P(PackedTokenStore, IsOfTokensOfAKnownCodebook) {
  const TempFolder folder;
  const auto message = [&](StoreInfo info) {
    info.packing = GetParam();
    return message_of<ConfigError>(
        [&] { StoreWriter(folder.path(), info, 4); });
  };
  EXPECT_THAT(message(sample_info()), HasSubstr("got kind moments"));
  EXPECT_THAT(message(sample_info("uint8", "tokens")),
              HasSubstr("codec.num_codes, which is missing"));
}

TEST_P(PackedTokenStore, IsNotGoneOnWithInAnotherPacking) {
  const TempFolder folder;
  {
    StoreWriter writer(folder.path(), token_info(500, GetParam()), 4);
    writer.append(token_rows(500));
  }
  EXPECT_THAT(message_of<ConfigError>(
                  [&] { StoreWriter(folder.path(), token_info(500), 4); }),
              HasSubstr("packing is \""));
}

INSTANTIATE_TEST_SUITE_P(Packings, PackedTokenStore,
                         testing::Values("bits", "entropy"));

TEST(TokenStore, PacksNoMoreCodesThanItsCoderKnows) {
  const TempFolder folder;
  EXPECT_THAT(message_of<ConfigError>([&] {
                StoreWriter(folder.path(), token_info(65537, "entropy"), 4);
              }),
              HasSubstr("tokens of at most 65536 codes, got 65537"));
}

TEST(TokenStore, GoesOnWhereItWasBrokenOff) {
  const TempFolder whole, parts;
  write(whole.path(), 500, "entropy");
  {
    StoreWriter writer(parts.path(), token_info(500, "entropy"), 4);
    writer.append(token_rows(500));  // not finished: two shards of four are
  }
  StoreWriter writer(parts.path(), token_info(500, "entropy"), 4);
  EXPECT_EQ(writer.num_stored(), 8);
  auto rest = token_rows(500);
  rest.tokens = rest.tokens.narrow(0, 8, 2);
  rest.labels = rest.labels.narrow(0, 8, 2);
  rest.indices = rest.indices.narrow(0, 8, 2);
  rest.names = {rest.names[8], rest.names[9]};
  rest.sizes = {rest.sizes[8], rest.sizes[9]};
  rest.hashes = {rest.hashes[8], rest.hashes[9]};
  writer.append(rest);
  writer.finish();
  EXPECT_EQ(folder_content(parts.path()), folder_content(whole.path()));
}

TEST(TokenStore, RefusesWhatItCannotKeep) {
  const TempFolder folder;
  StoreWriter writer(folder.path(), token_info(200), 4);
  auto rows = token_rows(200);
  rows.tokens[3][0][1][1] = 200;
  EXPECT_THAT(message_of<DataError>([&] { writer.append(rows); }),
              HasSubstr("image " + rows.names[3] +
                        " (index 3) has token 200, the codebook has 200"));
  EXPECT_EQ(writer.num_stored(), 0);
  writer.append(token_rows(200));  // nothing was taken
  EXPECT_THAT(message_of<ShapeError>(
                  [&] { writer.append(sample_rows(0, 2, 2, "latents")); }),
              HasSubstr("rows of kind tokens must have tokens and no mean"));
  auto info = token_info(200);
  info.codec = {};
  StoreWriter unknown(folder / "unknown", info, 4);
  rows.tokens[3][0][1][1] = 299;
  EXPECT_THAT(message_of<DataError>([&] { unknown.append(rows); }),
              HasSubstr("token store: 299 does not fit uint8"));
  info.dtype = "fp16";
  EXPECT_THAT(
      message_of<ConfigError>([&] { StoreWriter(folder / "other", info, 4); }),
      HasSubstr("dtype"));
  info = token_info(500, "bits");
  info.dtype = "uint8";
  EXPECT_THAT(
      message_of<ConfigError>([&] { StoreWriter(folder / "other", info, 4); }),
      HasSubstr("of 500 codes have dtype uint16, got uint8"));
}

TEST(TokenStore, VerifyFindsATokenOutsideTheCodebook) {
  const TempFolder folder;
  write(folder.path(), 200);
  auto text = read_text_file(folder / "store.json");
  const std::string from = "\"num_codes\": 200";
  ASSERT_NE(text.find(from), std::string::npos);
  write_file_atomic(
      folder / "store.json",
      text.replace(text.find(from), from.size(), "\"num_codes\": 190"));
  EXPECT_THAT(verify_store(folder.path()).problems,
              testing::Contains(
                  HasSubstr("has token 199, the codebook has 190 codes")));
}

// What tells of a tokenizer besides its weights may grow.
TEST(TokenStore, GoesOnThoughTheCodecsRecordHasMoreKeys) {
  const TempFolder folder;
  {
    StoreWriter writer(folder.path(), token_info(200), 4);
    writer.append(token_rows(200));
  }
  auto info = token_info(200);
  set_key(info.codec, "codebooks", {0});
  EXPECT_EQ(StoreWriter(folder.path(), info, 4).num_stored(), 8);
}

TEST(TokenStore, RefusesAShardThatIsCutShort) {
  const TempFolder folder;
  write(folder.path(), 500);
  const auto shard = folder / "shard-00000.h5";
  std::filesystem::resize_file(shard, std::filesystem::file_size(shard) - 40);
  EXPECT_THAT(message_of<DataError>([&] { StoreReader{folder.path()}; }),
              HasSubstr("bytes, got"));
}

}  // namespace
}  // namespace calotype
