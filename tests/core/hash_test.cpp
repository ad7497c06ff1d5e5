#include "core/hash.h"

#include <gtest/gtest.h>

#include <fstream>

#include "core/error.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

std::string sha256_of_text(const std::string& text) {
  return sha256_hex(
      {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

// FIPS 180-2, appendix B, and the digest of nothing.
TEST(Sha256, GivesTheStandardsDigests) {
  EXPECT_EQ(sha256_of_text(""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_of_text("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_of_text(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, OfAFileIsThatOfItsBytes) {
  const TempFolder folder;
  const std::string text(3'000'001, 'q');  // more than two reads
  std::ofstream(folder / "file") << text;
  EXPECT_EQ(sha256_hex_of_file(folder / "file"), sha256_of_text(text));
}

TEST(Sha256, AMissingFileIsNamed) {
  EXPECT_THROW(sha256_hex_of_file("/none/such"), ConfigError);
}

TEST(Sha256, AFolderHasNone) {
  EXPECT_THROW(sha256_hex_of_file("/tmp"), ConfigError);
}

// XXH3 with 64 bits and seed 0, as published with xxHash.
TEST(Xxh64, GivesKnownValuesAndTellsAccidentsApart) {
  EXPECT_EQ(hex64(xxh64("")), "2d06800538d394c2");
  EXPECT_EQ(hex64(xxh64("abc")), "78af5f94892f3950");
  EXPECT_NE(xxh64("abc"), xxh64("abd"));
  const uint8_t bytes[] = {'a', 'b', 'c'};
  EXPECT_EQ(xxh64(bytes), xxh64("abc"));
}

TEST(Xxh64, OfAFileIsThatOfItsBytes) {
  const TempFolder folder;
  const std::string text(3'000'001, 'q');
  std::ofstream(folder / "file") << text;
  EXPECT_EQ(xxh64_of_file(folder / "file"), xxh64(text));
}

TEST(Hex64, KeepsLeadingZeros) {
  EXPECT_EQ(hex64(0xab), "00000000000000ab");
}

}  // namespace
}  // namespace calotype
