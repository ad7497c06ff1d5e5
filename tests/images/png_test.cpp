#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "images/image_io.h"
#include "images/png_chunks.h"
#include "tests/images/image_files.h"

namespace calotype {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

FileBytes chunk(const char* type, const FileBytes& data) {
  FileBytes bytes;
  append_png_chunk(bytes, type, data);
  return bytes;
}

TEST(Png, WhatIsWrittenIsReadBack) {
  for (const int64_t channels : {1, 3}) {
    const auto image = gradient(7, 5, channels);
    const auto got = decode(encode_png(image));
    EXPECT_EQ(got.height, 7);
    EXPECT_EQ(got.width, 5);
    EXPECT_EQ(got.channels, channels);
    EXPECT_EQ(got.pixels, image.pixels);
  }
}

TEST(Png, ASmoothPictureIsWrittenWithFilters) {
  Image ramp{64, 64, 1, {}};
  for (int i = 0; i < 64 * 64; ++i)
    ramp.pixels.push_back(uint8_t(2 * (i % 64) + i / 64));
  EXPECT_LT(encode_png(ramp).size(), 300u);  // 4096 bytes of pixels
}

TEST(Png, SixteenBitsAreRounded) {
  // 0x0080 * 255 / 65535 = 0.498, 0x0081 gives 0.502; a shift would make both
  // 0.
  const auto image = decode(
      make_png({.width = 4,
                .bits = 16,
                .rows = {0, 0x00, 0x80, 0x00, 0x81, 0xff, 0x7f, 0xff, 0xff}}));
  EXPECT_THAT(image.pixels, ElementsAre(0, 1, 255, 255));
  EXPECT_EQ(image.channels, 1);
}

TEST(Png, OneBitIsBlackAndWhite) {
  const auto image = decode(make_png(
      {.width = 3, .height = 2, .bits = 1, .rows = {0, 0xa0, 0, 0x40}}));
  EXPECT_THAT(image.pixels, ElementsAre(255, 0, 255, 0, 255, 0));
}

TEST(Png, AlphaIsLaidOnWhite) {
  // Half of black is 127.5 of white's 255: 128/255 covers, 127/255 shows
  // through.
  const auto grey = decode(make_png(
      {.width = 3, .color_type = 4, .rows = {0, 0, 255, 0, 128, 0, 0}}));
  EXPECT_THAT(grey.pixels, ElementsAre(0, 127, 255));
  EXPECT_EQ(grey.channels, 1);
  const auto color =
      decode(make_png({.color_type = 6, .rows = {0, 255, 0, 100, 51}}));
  EXPECT_THAT(color.pixels, ElementsAre(255, 204, 224));
}

TEST(Png, SixteenBitsOfAlphaAreRoundedOnce) {
  const auto image = decode(make_png(
      {.bits = 16, .color_type = 4, .rows = {0, 0x00, 0x00, 0x80, 0x00}}));
  EXPECT_THAT(image.pixels, ElementsAre(127));  // 255 * 32767 / 65535 = 127.498
}

TEST(Png, ATransparentColorIsWhite) {
  const auto image = decode(
      make_png({.width = 2, .rows = {0, 7, 9}, .chunks = {{"tRNS", {0, 7}}}}));
  EXPECT_THAT(image.pixels, ElementsAre(255, 9));
}

TEST(Png, APaletteIsExpandedWithItsAlpha) {
  const auto image = decode(make_png(
      {.width = 2,
       .bits = 4,
       .color_type = 3,
       .rows = {0, 0x10},
       .chunks = {{"PLTE", {10, 20, 30, 40, 50, 60}}, {"tRNS", {0}}}}));
  EXPECT_THAT(image.pixels, ElementsAre(40, 50, 60, 255, 255, 255));
}

// Some editors suggest a palette beside colours; libpng ignores it too.
TEST(Png, APaletteBesideColorsIsIgnored) {
  for (const uint8_t bits : {8, 16}) {
    RawPng png{.bits = bits,
               .color_type = 2,
               .chunks = {{"PLTE", {9, 9, 9, 8, 8, 8}}}};
    png.rows = bits == 8 ? FileBytes{0, 10, 20, 30}
                         : FileBytes{0, 10, 10, 20, 20, 30, 30};
    EXPECT_EQ(decode(make_png(png)).pixels, (FileBytes{10, 20, 30})) << bits;
  }
}

TEST(Png, AColorBeyondAShortPaletteIsBlack) {
  const auto image = decode(make_png({.width = 2,
                                      .color_type = 3,
                                      .rows = {0, 200, 0},
                                      .chunks = {{"PLTE", {1, 2, 3}}}}));
  EXPECT_THAT(image.pixels, ElementsAre(0, 0, 0, 1, 2, 3));
}

TEST(Png, InterlacedRowsAreSortedBack) {
  // Adam7 of 2x2: pass 1 holds (0,0), pass 6 (0,1), pass 7 row 1.
  const auto image = decode(make_png({.width = 2,
                                      .height = 2,
                                      .interlaced = true,
                                      .rows = {0, 1, 0, 2, 0, 3, 4}}));
  EXPECT_THAT(image.pixels, ElementsAre(1, 2, 3, 4));
}

TEST(Png, NoPrefixIsAPicture) {
  const auto file = encode_png(gradient(9, 9, 3), {{"key", "value"}});
  for (size_t size = 0; size < file.size(); ++size) {
    const FileBytes prefix(file.begin(), file.begin() + int64_t(size));
    EXPECT_NE(problem_of(prefix), "") << size << " bytes";
  }
  const FileBytes half(file.begin(), file.begin() + int64_t(file.size() / 2));
  EXPECT_EQ(problem_of(half), "a.img: truncated PNG (in its IDAT chunk)");
}

TEST(Png, EveryFlippedBitIsFound) {
  const auto file = encode_png(gradient(4, 4, 3), {{"key", "value"}});
  for (size_t bit = 0; bit < file.size() * 8; ++bit) {
    auto flipped = file;
    flipped[bit / 8] ^= uint8_t(1 << bit % 8);
    EXPECT_NE(problem_of(flipped), "") << "bit " << bit;
  }
}

TEST(Png, PixelsThatEndEarlyAreRefusedThoughTheFileIsWhole) {
  EXPECT_EQ(
      problem_of(make_png({.width = 4, .height = 2, .rows = {0, 1, 2, 3, 4}})),
      "a.img: truncated PNG (5 of 10 bytes of pixels)");
}

TEST(Png, ABombIsRefusedByItsHeader) {
  EXPECT_EQ(
      problem_of(make_png({.width = 50000, .height = 50000, .rows = {0}})),
      "a.img: PNG of 50000x50000 pixels is above the limit of 64000000 "
      "pixels (--max-pixels)");
  EXPECT_THAT(problem_of(make_png({.width = 0, .rows = {0}})),
              HasSubstr("0x1"));
}

TEST(Png, HeadersThatPngDoesNotKnowAreRefused) {
  EXPECT_EQ(problem_of(make_png({.bits = 2, .color_type = 4, .rows = {0, 0}})),
            "a.img: damaged PNG (color type 4 with 2 bits a sample)");
  for (const uint8_t bits : {0, 3, 16, 32})
    EXPECT_THAT(
        problem_of(make_png({.bits = bits, .color_type = 3, .rows = {0, 0}})),
        HasSubstr("color type 3 with"));
  EXPECT_THAT(problem_of(make_png({.color_type = 5, .rows = {0, 0}})),
              HasSubstr("color type 5"));
}

TEST(Png, PixelsBeyondTheHeaderAreRefused) {
  EXPECT_THAT(problem_of(make_png({.rows = FileBytes(10'000'000)})),
              HasSubstr("more than 2 bytes of pixels"));
}

TEST(Png, WhatFollowsTheCompressedPixelsIsIgnored) {
  const auto whole = deflated({0, 1, 2});
  const auto file =
      joined({FileBytes(std::begin(kPngSignature), std::end(kPngSignature)),
              chunk("IHDR", {0, 0, 0, 2, 0, 0, 0, 1, 8, 0, 0, 0, 0}),
              chunk("IDAT", joined({whole, bytes_of("more")})),
              chunk("IDAT", bytes_of("and more")), chunk("IEND", {})});
  EXPECT_THAT(decode(file).pixels, ElementsAre(1, 2));
}

TEST(Png, ManyPiecesOfPixelsAreOnePicture) {
  const auto image = gradient(300, 400, 3);  // more than one piece inflated
  EXPECT_EQ(decode(encode_png(image)).pixels, image.pixels);
}

TEST(Png, AnAnimationShowsItsFirstPictureAndIsNoted) {
  const auto picture =
      decode_picture(make_png({.width = 2,
                               .rows = {0, 1, 2},
                               .chunks = {{"acTL", {0, 0, 0, 2, 0, 0, 0, 0}}}}),
                     "a.png");
  EXPECT_THAT(picture.image.pixels, ElementsAre(1, 2));
  EXPECT_THAT(picture.notes.remarks,
              ElementsAre("animated; its first picture is taken"));
}

TEST(Png, TheLimitMoves) {
  const auto file = make_png({.width = 3, .rows = {0, 1, 2, 3}});
  EXPECT_EQ(
      data_error_of([&] { decode_image(file, "a.png", {.max_pixels = 2}); }),
      "a.png: PNG of 3x1 pixels is above the limit of 2 pixels "
      "(--max-pixels)");
  EXPECT_EQ(decode_image(file, "a.png", {.max_pixels = 3}).width, 3);
}

TEST(Png, TextComesBack) {
  const PngText text = {{"prompt", "Grüße, 写真\nline two"}, {"seed", "7"}};
  const auto file = encode_png(gradient(2, 2, 3), text);
  EXPECT_EQ(read_png_text(file, "a.png"), text);
  EXPECT_EQ(decode(file).pixels, gradient(2, 2, 3).pixels);
}

TEST(Png, OldAndCompressedTextIsRead) {
  const auto compressed = deflated(bytes_of("caf\xe9"));
  const auto file = make_png(
      {.rows = {0, 0},
       .chunks = {{"tEXt", bytes_of(std::string("a\0caf\xe9", 6))},
                  {"zTXt", joined({bytes_of("b"), {0, 0}, compressed})},
                  {"iTXt", joined({bytes_of("c"),
                                   {0, 1, 0, 0, 0},
                                   deflated(bytes_of("café"))})}}});
  EXPECT_EQ(read_png_text(file, "a.png"),
            (PngText{{"a", "café"}, {"b", "café"}, {"c", "café"}}));
}

TEST(Png, TextThatDecompressesWithoutEndIsRefused) {
  const auto bomb = deflated(FileBytes(3 << 20, 'a'));
  const auto file =
      make_png({.rows = {0, 0},
                .chunks = {{"zTXt", joined({bytes_of("b"), {0, 0}, bomb})}}});
  EXPECT_EQ(data_error_of([&] { read_png_text(file, "a.png"); }),
            "a.png: text of the PNG: decompresses to more than 1048576 bytes");
  EXPECT_EQ(decode(file).pixels.size(), 1u);  // the picture is fine
}

TEST(Png, AnImageThatIsNotWholeIsNotWritten) {
  EXPECT_THROW(encode_png({2, 2, 3, {1, 2, 3}}), ShapeError);
  EXPECT_THROW(encode_png({1, 1, 2, {1, 2}}), ShapeError);
  EXPECT_THROW(encode_png({1, 1, 1, {1}}, {{"", "no key"}}), ConfigError);
}

}  // namespace
}  // namespace calotype
