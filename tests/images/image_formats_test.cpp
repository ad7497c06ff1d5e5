#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "images/image_io.h"
#include "tests/images/image_files.h"

namespace calotype {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// Every shorter file is refused.
void expect_no_prefix_decodes(const FileBytes& file) {
  for (size_t size = 0; size < file.size(); ++size)
    EXPECT_NE(problem_of(FileBytes(file.begin(), file.begin() + int64_t(size))),
              "")
        << size << " of " << file.size() << " bytes";
}

/// A file with one wrong bit is refused or gives a whole image.
void expect_flips_are_survived(const FileBytes& file) {
  for (size_t bit = 0; bit < file.size() * 8; ++bit) {
    auto flipped = file;
    flipped[bit / 8] ^= uint8_t(1 << bit % 8);
    data_error_of([&] {
      const auto image =
          decode_image(flipped, "a.img", {.max_pixels = 100'000});
      EXPECT_EQ(int64_t(image.pixels.size()),
                image.height * image.width * image.channels);
    });
  }
}

TEST(WebP, DecodesWithAndWithoutAlpha) {
  const auto color = decode(make_webp({1, 2, 3, 250, 251, 252}, 2, 1, 3));
  EXPECT_THAT(color.pixels, ElementsAre(1, 2, 3, 250, 251, 252));
  const auto alpha =
      decode(make_webp({255, 0, 100, 51, 9, 9, 9, 255}, 2, 1, 4));
  EXPECT_THAT(alpha.pixels, ElementsAre(255, 204, 224, 9, 9, 9));
}

TEST(WebP, NoPrefixIsAPictureAndFlippedBitsAreSurvived) {
  const auto file = make_webp(gradient(9, 9, 3).pixels, 9, 9, 3);
  expect_no_prefix_decodes(file);
  expect_flips_are_survived(file);
}

TEST(WebP, AnAnimationShowsItsFirstPictureAndIsNoted) {
  const auto frame = [](const FileBytes& simple) {
    const FileBytes picture(simple.begin() + 12, simple.end());
    return joined({bytes_of("ANMF"),
                   little_endian({{uint32_t(16 + picture.size()), 4},
                                  {0, 3},
                                  {0, 3},
                                  {1, 3},
                                  {0, 3},
                                  {100, 3},
                                  {0, 1}}),
                   picture});
  };
  const auto body =
      joined({bytes_of("WEBPVP8X"),
              little_endian({{10, 4}, {0x02, 4}, {1, 3}, {0, 3}}),
              bytes_of("ANIM"), little_endian({{6, 4}, {0, 4}, {0, 2}}),
              frame(make_webp({1, 2, 3, 4, 5, 6}, 2, 1, 3)),
              frame(make_webp({7, 7, 7, 7, 7, 7}, 2, 1, 3))});
  const auto file = joined(
      {bytes_of("RIFF"), little_endian({{uint32_t(body.size()), 4}}), body});
  const auto picture = decode_picture(file, "a.webp");
  EXPECT_THAT(picture.image.pixels, ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(picture.notes.remarks,
              ElementsAre("animated; its first picture is taken"));
  expect_flips_are_survived(file);
}

TEST(WebP, ABombIsRefusedByItsHeader) {
  auto file = make_webp({1, 2, 3}, 1, 1, 3);
  // Lossless header: 14 bits each of width-1 and height-1 after the 0x2f.
  for (int i = 21; i < 24; ++i) file[size_t(i)] = 0xff;
  file[24] = (file[24] & 0xf0) | 0x0f;
  EXPECT_THAT(problem_of(file),
              HasSubstr("16384x16384 pixels is above the limit"));
}

FileBytes bmp_header(int width, int height, int bits, int compression,
                     uint32_t palette_size) {
  return joined({bytes_of("BM"), little_endian({{0, 4},
                                                {0, 4},
                                                {54 + palette_size, 4},
                                                {40, 4},
                                                {uint32_t(width), 4},
                                                {uint32_t(height), 4},
                                                {1, 2},
                                                {uint32_t(bits), 2},
                                                {uint32_t(compression), 4},
                                                {0, 4},
                                                {0, 4},
                                                {0, 4},
                                                {0, 4},
                                                {0, 4}})});
}

TEST(Bmp, RowsRunFromBelowUnlessTheHeightIsNegative) {
  const FileBytes rows = {3, 2, 1, 0, 6, 5, 4, 0};  // blue, green, red, padding
  EXPECT_THAT(decode(joined({bmp_header(1, 2, 24, 0, 0), rows})).pixels,
              ElementsAre(4, 5, 6, 1, 2, 3));
  EXPECT_THAT(decode(joined({bmp_header(1, -2, 24, 0, 0), rows})).pixels,
              ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(Bmp, PalettesAreExpandedAndGreyOnesStayGrey) {
  const FileBytes colors = {30, 20, 10, 0, 60, 50, 40, 0};
  const auto color =
      decode(joined({bmp_header(2, 1, 1, 0, 8), colors, {0x40, 0, 0, 0}}));
  EXPECT_THAT(color.pixels, ElementsAre(10, 20, 30, 40, 50, 60));
  const FileBytes greys = {7, 7, 7, 0, 9, 9, 9, 0};
  const auto grey =
      decode(joined({bmp_header(3, 1, 4, 0, 8), greys, {0x10, 0x10, 0, 0}}));
  EXPECT_EQ(grey.channels, 1);
  EXPECT_THAT(grey.pixels, ElementsAre(9, 7, 9));
}

TEST(Bmp, AColorOutsideOfThePaletteIsRefused) {
  EXPECT_EQ(problem_of(joined(
                {bmp_header(1, 1, 8, 0, 4), {1, 2, 3, 0}, {1, 0, 0, 0}})),
            "a.img: damaged BMP (color 1 of a palette of 1)");
}

TEST(Bmp, SixteenAndThirtyTwoBitsUseMasks) {
  // 5 bits each: red 31, green 0, blue 16 of 31 is 131.6.
  const auto small =
      decode(joined({bmp_header(1, 1, 16, 0, 0), {0x10, 0x7c, 0, 0}}));
  EXPECT_THAT(small.pixels, ElementsAre(255, 0, 132));
  const auto large = decode(joined({bmp_header(1, 1, 32, 0, 0), {3, 2, 1, 0}}));
  EXPECT_THAT(large.pixels, ElementsAre(1, 2, 3));  // the fourth byte is unused
}

TEST(Bmp, AlphaThatIsZeroEverywhereMeansNothing) {
  // A header of 56 bytes ends with four masks; the alpha's is the upper byte.
  const auto with_pixels = [](const FileBytes& pixels) {
    const uint32_t size = 56;
    return joined({bytes_of("BM"),
                   little_endian({{0, 4},
                                  {0, 4},
                                  {14 + size, 4},
                                  {size, 4},
                                  {2, 4},
                                  {1, 4},
                                  {1, 2},
                                  {32, 2},
                                  {3, 4},
                                  {0, 4},
                                  {0, 4},
                                  {0, 4},
                                  {0, 4},
                                  {0, 4},
                                  {0xff0000, 4},
                                  {0xff00, 4},
                                  {0xff, 4},
                                  {0xff000000, 4}}),
                   pixels});
  };
  EXPECT_THAT(decode(with_pixels({3, 2, 1, 0, 6, 5, 4, 0})).pixels,
              ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(decode(with_pixels({3, 2, 1, 0, 6, 5, 4, 255})).pixels,
              ElementsAre(255, 255, 255, 4, 5, 6));
}

TEST(Bmp, RunLengthsAreExpanded) {
  FileBytes palette;
  for (uint8_t i = 0; i < 16; ++i) palette.insert(palette.end(), {i, i, i, 0});
  // From below: three of color 5 and, copied, 1 2 3; then one row up and one
  // to the right (jumped over: color 0) four of color 9.
  const auto runs =
      FileBytes{3, 5, 0, 3, 1, 2, 3, 0, 0, 0, 0, 2, 1, 0, 4, 9, 0, 1};
  const auto rle8 = decode(joined({bmp_header(6, 2, 8, 1, 64), palette, runs}));
  EXPECT_THAT(rle8.pixels, ElementsAre(0, 9, 9, 9, 9, 0, 5, 5, 5, 1, 2, 3));
  // Two pixels a byte: five of 7 and 8 by turns, then 1 2 3 copied.
  const auto rle4 = decode(joined({bmp_header(8, 1, 4, 2, 64),
                                   palette,
                                   {5, 0x78, 0, 3, 0x12, 0x30, 0, 1}}));
  EXPECT_THAT(rle4.pixels, ElementsAre(7, 8, 7, 8, 7, 1, 2, 3));
}

TEST(Bmp, RunsThatBreakOffOrLeaveThePictureAreRefused) {
  const auto with_runs = [](const FileBytes& runs) {
    return joined({bmp_header(2, 1, 8, 1, 4), {0, 0, 0, 0}, runs});
  };
  EXPECT_EQ(problem_of(with_runs({2, 0})),
            "a.img: truncated BMP (in its runs)");
  EXPECT_EQ(problem_of(with_runs({0, 2, 0, 1, 2, 0, 0, 1})),
            "a.img: damaged BMP (its runs leave the picture)");
  expect_flips_are_survived(with_runs({2, 0, 0, 1}));
}

TEST(Bmp, TruncatedAndCompressedFilesAreRefused) {
  const auto file =
      joined({bmp_header(2, 2, 24, 0, 0), FileBytes(2 * 8 - 2, 200)});
  expect_no_prefix_decodes(file);
  expect_flips_are_survived(file);
  EXPECT_EQ(problem_of(FileBytes(file.begin(), file.end() - 1)),
            "a.img: truncated BMP (67 of 68 bytes)");
  EXPECT_EQ(problem_of(bmp_header(2, 2, 8, 4, 1024)),
            "a.img: BMP of compression 4 is not supported");
}

TEST(Pnm, AllSixKindsDecode) {
  EXPECT_THAT(decode(bytes_of("P1\n# note\n3 1\n101")).pixels,
              ElementsAre(0, 255, 0));
  EXPECT_THAT(decode(bytes_of("P2 2 1 10 0 5\n")).pixels, ElementsAre(0, 128));
  EXPECT_THAT(decode(bytes_of("P3 1 1 255 1 2 3")).pixels,
              ElementsAre(1, 2, 3));
  EXPECT_THAT(decode(bytes_of("P4 3 1\n\xa0")).pixels, ElementsAre(0, 255, 0));
  EXPECT_THAT(decode(bytes_of("P5 2 1 255\nAB")).pixels, ElementsAre('A', 'B'));
  EXPECT_THAT(decode(bytes_of("P6 1 1 255\nABC")).pixels,
              ElementsAre('A', 'B', 'C'));
}

TEST(Pnm, SixteenBitsAreRounded) {
  EXPECT_THAT(
      decode(joined({bytes_of("P5 2 1 65535\n"), {0, 0x80, 0, 0x81}})).pixels,
      ElementsAre(0, 1));
}

TEST(Pnm, TruncatedAndOddFilesAreRefused) {
  const auto file = bytes_of("P6 2 2 255\nABCDEFGHIJKL");
  expect_no_prefix_decodes(file);
  expect_flips_are_survived(file);
  EXPECT_EQ(problem_of(bytes_of("P5 2 2 255\nABC")),
            "a.img: truncated PNM (ends after 14 bytes)");
  EXPECT_EQ(problem_of(bytes_of("P2 1 1 10 11 ")),
            "a.img: damaged PNM (11 above the largest value 10)");
  EXPECT_THAT(problem_of(bytes_of("P5 99999 99999 255\n")),
              HasSubstr("above the limit"));
}

TEST(Formats, OthersAreRefusedByName) {
  EXPECT_EQ(problem_of(bytes_of("8BPS.............")),
            "a.img: PSD is not supported; expected PNG, JPEG, BMP, WebP or PNM "
            "(convert it)");
  EXPECT_EQ(problem_of(bytes_of("just words")),
            "a.img: not an image; expected PNG, JPEG, BMP, WebP or PNM");
  EXPECT_EQ(problem_of({}),
            "a.img: empty file; expected PNG, JPEG, BMP, WebP or PNM");
}

}  // namespace
}  // namespace calotype
