#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "images/image_io.h"
#include "tests/images/image_files.h"

namespace calotype {
namespace {

using testing::ElementsAre;

TEST(Exif, AllEightOrientationsAreUndone) {
  // Two rows of three: abc, def.
  const std::string expected[] = {"abcdef", "cbafed", "fedcba", "defabc",
                                  "adbecf", "daebfc", "fcebda", "cfbead"};
  for (int orientation = 1; orientation <= 8; ++orientation)
    for (const bool big_endian : {false, true}) {
      const auto image = decode(
          make_png({.width = 3,
                    .height = 2,
                    .rows = bytes_of(std::string("\0abc\0def", 8)),
                    .chunks = {{"eXIf", make_exif(orientation, big_endian)}}}));
      EXPECT_EQ(image.height, orientation < 5 ? 2 : 3);
      EXPECT_EQ(std::string(image.pixels.begin(), image.pixels.end()),
                expected[orientation - 1])
          << "orientation " << orientation;
    }
}

TEST(Exif, JpegAndWebpAreTurnedToo) {
  const auto jpeg = make_jpeg({1, 2, 1, {10, 240}});
  const auto turned = decode(with_exif(jpeg, make_exif(6, true)));
  EXPECT_EQ(turned.height, 2);
  EXPECT_EQ(turned.pixels, decode(jpeg).pixels);  // one column, top to bottom
  const auto mirrored = decode(with_exif(jpeg, make_exif(2, false)));
  EXPECT_LT(mirrored.pixels[1], mirrored.pixels[0]);

  const auto simple = make_webp({1, 2, 3, 4, 5, 6}, 2, 1, 3);
  const auto file = with_webp_chunks(simple, 2, 1, {}, make_exif(3, false));
  EXPECT_THAT(decode(file).pixels, ElementsAre(4, 5, 6, 1, 2, 3));
}

/// A picture of two grey pixels with an EXIF block.
Image decode_with(const FileBytes& exif) {
  return decode(
      make_png({.width = 2, .rows = {0, 1, 2}, .chunks = {{"eXIf", exif}}}));
}

TEST(Exif, TheOrientationMayBeOfAnyIntegerType) {
  // BYTE, SHORT, LONG, and the signed ones.
  for (const uint8_t type : {1, 3, 4, 6, 8, 9})
    for (const bool big_endian : {false, true}) {
      SCOPED_TRACE(int(type));
      EXPECT_THAT(decode_with(make_exif(3, big_endian, type)).pixels,
                  ElementsAre(2, 1));
      EXPECT_EQ(decode_with(make_exif(6, big_endian, type)).height, 2);
      for (const int upright : {0, 1, 9, 255})
        EXPECT_THAT(decode_with(make_exif(upright, big_endian, type)).pixels,
                    ElementsAre(1, 2));
    }
  const auto text = make_exif(3, false, 2);  // ASCII is no number
  EXPECT_THAT(decode_with(text).pixels, ElementsAre(1, 2));
}

TEST(Exif, OfSeveralNumbersTheFirstCountsWhereverTheyLie) {
  // Two SHORTs stand in the entry, three LONGs behind the directory.
  auto two = make_exif(3, false, 3);
  two[14] = 2;
  EXPECT_THAT(decode_with(two).pixels, ElementsAre(2, 1));
  auto three = make_exif(26, false, 4);
  three[14] = 3;
  const auto numbers = little_endian({{3, 4}, {1, 4}, {1, 4}});
  EXPECT_THAT(decode_with(joined({three, numbers})).pixels, ElementsAre(2, 1));
  EXPECT_THAT(decode_with(three).pixels, ElementsAre(1, 2));  // beyond its end
}

TEST(Exif, JpegsMarkMayStandInPng) {
  const auto marked =
      joined({bytes_of(std::string("Exif\0\0", 6)), make_exif(3, true)});
  EXPECT_THAT(decode_with(marked).pixels, ElementsAre(2, 1));
}

TEST(Exif, AnotherSegmentMayStandAheadOfIt) {
  const auto jpeg = make_jpeg({1, 2, 1, {10, 240}});
  const auto words = bytes_of("http://ns.adobe.com/xap/1.0/");
  const auto file =
      with_segment(with_exif(jpeg, make_exif(6, true)), 0xe1, words);
  EXPECT_EQ(decode(file).height, 2);
}

TEST(Exif, PngMayHaveItAsATextInHexadecimal) {
  const auto block =
      joined({bytes_of(std::string("Exif\0\0", 6)), make_exif(3, false)});
  std::string text = "\nexif\n      32\n";
  for (const auto byte : block) {
    text += fmt::format("{:02x}", byte);
    if (text.size() % 7 == 0) text += '\n';
  }
  const auto key = bytes_of(std::string("Raw profile type exif\0", 22));
  const auto pixels_with = [&](const char* type, const FileBytes& body) {
    return decode(make_png({.width = 2,
                            .rows = {0, 1, 2},
                            .chunks = {{type, joined({key, body})}}}))
        .pixels;
  };
  EXPECT_THAT(pixels_with("tEXt", bytes_of(text)), ElementsAre(2, 1));
  EXPECT_THAT(pixels_with("zTXt", joined({{0}, deflated(bytes_of(text))})),
              ElementsAre(2, 1));
  EXPECT_THAT(pixels_with("zTXt", {0, 1, 2, 3}), ElementsAre(1, 2));
  EXPECT_THAT(pixels_with("tEXt", bytes_of("\nexif\n 2\nxy")),
              ElementsAre(1, 2));
}

TEST(Exif, DamagedBlocksAreIgnored) {
  auto exif = make_exif(6, false);
  for (size_t size = 0; size + 6 < exif.size(); ++size) {
    const auto image = decode(make_png(
        {.width = 2,
         .rows = {0, 1, 2},
         .chunks = {{"eXIf",
                     FileBytes(exif.begin(), exif.begin() + int64_t(size))}}}));
    EXPECT_EQ(image.width, 2);
  }
  exif[8] = exif[9] = 0xff;  // 65535 entries in a directory of one
  exif[10] = 0;
  EXPECT_EQ(
      decode(
          make_png({.width = 2, .rows = {0, 1, 2}, .chunks = {{"eXIf", exif}}}))
          .width,
      2);
}

}  // namespace
}  // namespace calotype
