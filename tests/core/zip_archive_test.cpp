#include "core/zip_archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/crc32.h"
#include "core/error.h"
#include "tests/support/archives.h"
#include "tests/support/message_of.h"

namespace calotype {
namespace {

using testing::HasSubstr;

std::span<const uint8_t> bytes_in(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string text_of(std::span<const uint8_t> bytes) {
  return {bytes.begin(), bytes.end()};
}

std::string zip_refusal(const std::string& zip) {
  return message_of<DataError>([&] { ZipArchive(bytes_in(zip), "a.zip"); });
}

/// Why the first entry cannot be read.
template <class Error>
std::string refusal_of_first(const std::string& zip) {
  const ZipArchive archive(bytes_in(zip), "a.zip");
  return message_of<Error>([&] { archive.stored(archive.entries().at(0)); });
}

// The check value of CRC-32/ISO-HDLC, and zlib's.
TEST(Crc32, IsThatOfTheStandard) {
  const auto sum = [](const std::string& text) {
    return crc32(bytes_in(text));
  };
  EXPECT_EQ(sum("123456789"), 0xCBF43926u);
  EXPECT_EQ(sum(""), 0u);
  EXPECT_EQ(sum(std::string(1000, 'a')), 0x9A38DA03u);
}

TEST(ZipArchive, GivesStoredEntries) {
  const auto zip = make_zip({{.name = "b.txt", .content = "bee"},
                             {.name = "a/", .content = ""},
                             {.name = "a/c", .content = ""}});
  const ZipArchive archive(bytes_in(zip), "a.zip");
  ASSERT_EQ(archive.entries().size(), 2);  // in the order of the directory
  EXPECT_EQ(archive.entries()[0].name, "b.txt");
  EXPECT_EQ(text_of(archive.stored(archive.entries()[0])), "bee");
  EXPECT_EQ(archive.find("a/c")->bytes, 0);
  EXPECT_EQ(archive.find("a"), nullptr);
}

TEST(ZipArchive, ReadsZip64AndDataDescriptors) {
  const auto zip =
      make_zip({{.name = "x", .content = "one", .is_zip64 = true},
                {.name = "y", .content = "two", .sizes_follow = true}},
               /*is_zip64=*/true);
  const ZipArchive archive(bytes_in(zip), "a.zip");
  EXPECT_EQ(text_of(archive.stored(*archive.find("x"))), "one");
  EXPECT_EQ(text_of(archive.stored(*archive.find("y"))), "two");
}

TEST(ZipArchive, AnArchiveMayBeEmpty) {
  EXPECT_TRUE(ZipArchive(bytes_in(make_zip({})), "a.zip").entries().empty());
}

TEST(ZipArchive, ADamagedEntryIsNamed) {
  EXPECT_EQ(refusal_of_first<DataError>(
                make_zip({{.name = "x", .content = "one", .crc = 7}})),
            "a.zip: damaged zip archive: the CRC of x is wrong");
  EXPECT_EQ(refusal_of_first<DataError>(
                make_zip({{.name = "x", .content = "one", .local_name = "y"}})),
            "a.zip: damaged zip archive: the header of x and the directory "
            "differ");
}

TEST(ZipArchive, EncryptedAndUnknownMethodsAreRefusedByName) {
  EXPECT_EQ(refusal_of_first<ConfigError>(
                make_zip({{.name = "x", .content = "one", .flags = 1}})),
            "a.zip: x is encrypted, which is not supported");
  EXPECT_EQ(refusal_of_first<ConfigError>(
                make_zip({{.name = "x", .content = "one", .method = 14}})),
            "a.zip: x is compressed by LZMA, which is not supported; store it: "
            "zip -0");
}

TEST(ZipArchive, EverythingThatIsCutOffIsRefused) {
  const auto zip = make_zip({{.name = "x", .content = "one"},
                             {.name = "y", .content = "two", .is_zip64 = true}},
                            /*is_zip64=*/true);
  for (size_t size = 0; size < zip.size(); ++size)
    EXPECT_NE(zip_refusal(zip.substr(0, size)), "nothing thrown") << size;
}

TEST(ZipArchive, NoByteOfItCanBringItDown) {
  const auto zip = make_zip({{.name = "x", .content = "one"},
                             {.name = "y", .content = "two", .is_zip64 = true}},
                            /*is_zip64=*/true);
  for (size_t at = 0; at < zip.size(); ++at)
    for (const int value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      auto changed = zip;
      changed[at] = char(value);
      try {
        const ZipArchive archive(bytes_in(changed), "a.zip");
        for (const auto& entry : archive.entries()) archive.stored(entry);
      } catch (const DataError&) {
      } catch (const ConfigError&) {
      }
    }
}

TEST(ZipArchive, HostileOnesAreRefused) {
  EXPECT_EQ(zip_refusal(make_zip({{.name = "x", .content = "one"},
                                  {.name = "x", .content = "two"}})),
            "a.zip: two entries are called x");
  EXPECT_THAT(
      zip_refusal(make_zip({{.name = "x", .content = "one"},
                            {.name = "y", .content = "one", .offset = 0}})),
      HasSubstr("overlaps what follows it"));
  EXPECT_THAT(zip_refusal(make_zip({{.name = "../x", .content = "one"}})),
              HasSubstr("leaves the archive"));
  EXPECT_EQ(zip_refusal(make_zip({{.name = "x",
                                   .content = "one",
                                   .deflates = true,
                                   .bytes = 4'000'000'000}})),
            "a.zip: x declares 4000000000 bytes, more than 5 bytes can inflate "
            "to");
  EXPECT_THAT(
      zip_refusal(make_zip({{.name = "x", .content = "one", .bytes = 9}})),
      HasSubstr("is stored in 3 bytes and declares 9"));
}

TEST(ZipArchive, LinksAreNoFiles) {
  const auto zip =
      make_zip({{.name = "x", .content = "/etc/passwd", .mode = 0120777}});
  EXPECT_FALSE(ZipArchive(bytes_in(zip), "a.zip").entries()[0].is_regular);
}

TEST(ZipArchive, OnePartOfSeveralIsSaidSo) {
  auto zip = make_zip({{.name = "x", .content = "one"}});
  zip[zip.size() - 18] = 1;  // the number of this part
  EXPECT_THAT(
      message_of<ConfigError>([&] { ZipArchive(bytes_in(zip), "a.zip"); }),
      HasSubstr("one part of a zip archive of several"));
}

}  // namespace
}  // namespace calotype
