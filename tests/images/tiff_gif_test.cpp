#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/files.h"
#include "images/image_io.h"
#include "tests/images/image_files.h"
#include "tests/images/robust.h"
#include "tests/support/temp_folder.h"

#ifdef CALOTYPE_HAS_TIFF
#include <tiffio.h>
#endif

namespace calotype {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

#ifdef CALOTYPE_HAS_TIFF
struct TiffFacts {
  uint16_t bits = 8, samples = 3, photometric = PHOTOMETRIC_RGB;
  uint16_t orientation = 1, compression = COMPRESSION_LZW;
  bool has_alpha = false;
  int num_pages = 1;
};

/// `rows`: as many values as pixels and samples.
FileBytes make_tiff(uint32_t width, uint32_t height,
                    const std::vector<uint16_t>& values,
                    const TiffFacts& facts) {
  const TempFolder folder;
  const auto path = folder / "a.tif";
  TIFF* file = TIFFOpen(path.c_str(), "w");
  for (int page = 0; page < facts.num_pages; ++page) {
    TIFFSetField(file, TIFFTAG_IMAGEWIDTH, width);
    TIFFSetField(file, TIFFTAG_IMAGELENGTH, height);
    TIFFSetField(file, TIFFTAG_BITSPERSAMPLE, facts.bits);
    TIFFSetField(file, TIFFTAG_SAMPLESPERPIXEL, facts.samples);
    TIFFSetField(file, TIFFTAG_PHOTOMETRIC, facts.photometric);
    TIFFSetField(file, TIFFTAG_COMPRESSION, facts.compression);
    TIFFSetField(file, TIFFTAG_ORIENTATION, facts.orientation);
    TIFFSetField(file, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    const uint16_t alpha = EXTRASAMPLE_UNASSALPHA;
    if (facts.has_alpha) TIFFSetField(file, TIFFTAG_EXTRASAMPLES, 1, &alpha);
    const size_t per_row = width * facts.samples;
    for (uint32_t y = 0; y < height; ++y) {
      std::vector<uint16_t> wide(
          values.begin() + std::ptrdiff_t(y * per_row),
          values.begin() + std::ptrdiff_t((y + 1) * per_row));
      std::vector<uint8_t> narrow(wide.begin(), wide.end());
      TIFFWriteScanline(
          file,
          facts.bits == 16 ? static_cast<void*>(wide.data()) : narrow.data(), y,
          0);
    }
    TIFFWriteDirectory(file);
  }
  TIFFClose(file);
  return read_file(path);
}

TEST(Tiff, GreyAndColoursAreRead) {
  const auto grey = decode_image(
      make_tiff(3, 1, {0, 128, 255},
                {.samples = 1, .photometric = PHOTOMETRIC_MINISBLACK}),
      "a.tif");
  EXPECT_EQ(grey.channels, 1);
  EXPECT_THAT(grey.pixels, ElementsAre(0, 128, 255));
  const auto negative = decode_image(
      make_tiff(2, 1, {0, 255},
                {.samples = 1, .photometric = PHOTOMETRIC_MINISWHITE}),
      "a.tif");
  EXPECT_THAT(negative.pixels, ElementsAre(255, 0));
  const auto file = make_tiff(1, 2, {1, 2, 3, 4, 5, 6}, {});
  EXPECT_THAT(decode_image(file, "a.tif").pixels,
              ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(reason_against(file, {.max_pixels = 1}),
              HasSubstr("TIFF of 1x2 pixels is above the limit of 1 pixels"));
  expect_robust(file);
}

TEST(Tiff, DeepPixelsAreRoundedAndAlphaIsLaidOnWhite) {
  // 65535 / 255 = 257: 128.4 and 128.6 of 255.
  EXPECT_THAT(decode_image(make_tiff(2, 1, {32999, 33050},
                                     {.bits = 16,
                                      .samples = 1,
                                      .photometric = PHOTOMETRIC_MINISBLACK}),
                           "a.tif")
                  .pixels,
              ElementsAre(128, 129));
  EXPECT_THAT(decode_image(make_tiff(1, 1, {255, 0, 0, 64},
                                     {.samples = 4, .has_alpha = true}),
                           "a.tif")
                  .pixels,
              ElementsAre(255, 191, 191));
}

TEST(Tiff, IsTurnedAsItSays) {
  const std::vector<uint16_t> stored = {1, 2, 3, 4, 5, 6};  // 3 by 2
  const std::pair<int, std::vector<uint8_t>> turned[] = {
      {1, {1, 2, 3, 4, 5, 6}}, {2, {3, 2, 1, 6, 5, 4}}, {3, {6, 5, 4, 3, 2, 1}},
      {4, {4, 5, 6, 1, 2, 3}}, {5, {1, 4, 2, 5, 3, 6}}, {6, {4, 1, 5, 2, 6, 3}},
      {7, {6, 3, 5, 2, 4, 1}}, {8, {3, 6, 2, 5, 1, 4}}};
  for (const auto& [orientation, expected] : turned)
    EXPECT_EQ(decode_image(make_tiff(3, 2, stored,
                                     {.samples = 1,
                                      .photometric = PHOTOMETRIC_MINISBLACK,
                                      .orientation = uint16_t(orientation)}),
                           "a.tif")
                  .pixels,
              expected)
        << orientation;
}

TEST(Tiff, WhatIsNotReadIsRefusedByName) {
  EXPECT_EQ(reason_against(make_tiff(
                1, 1, {1, 2, 3, 4},
                {.samples = 4, .photometric = PHOTOMETRIC_SEPARATED})),
            "a.img: TIFF in CMYK is not supported; convert it to RGB");
  const auto pages =
      decode_picture(make_tiff(1, 1, {1, 2, 3}, {.num_pages = 2}), "a.tif");
  EXPECT_THAT(pages.notes.remarks,
              ElementsAre("of several pages; the first is taken"));
}
#endif

#ifdef CALOTYPE_HAS_GIF
/// A screen of 3 by 1, and one or two pictures of 2 by 1 at x = 1 in the
/// colours 1 (red) and 0 (blue), of which the latter may be transparent.
FileBytes make_gif(bool is_transparent, int num_pictures) {
  std::string file("GIF89a\x03\0\x01\0\x80\0\0", 13);
  file += std::string("\0\0\xff\xff\0\0", 6);  // blue, red
  for (int i = 0; i < num_pictures; ++i) {
    if (is_transparent) file += std::string("\x21\xf9\x04\x01\0\0\0\0", 8);
    file += std::string(",\x01\0\0\0\x02\0\x01\0\0", 10);
    // LZW of 3 bits a code (89a, appendix F): clear 4, 1, 0, end 5.
    file += std::string("\x02\x02\x0c\x0a\0", 5);
  }
  file += ';';
  return {file.begin(), file.end()};
}

TEST(Gif, TheFirstPictureLiesOnAWhiteScreen) {
  const auto picture = decode_picture(make_gif(false, 1), "a.gif");
  EXPECT_THAT(picture.image.pixels,
              ElementsAre(255, 255, 255, 255, 0, 0, 0, 0, 255));
  EXPECT_THAT(picture.notes.remarks, ElementsAre());
  const auto thin = decode_picture(make_gif(true, 2), "a.gif");
  EXPECT_THAT(thin.image.pixels,
              ElementsAre(255, 255, 255, 255, 0, 0, 255, 255, 255));
  EXPECT_THAT(thin.notes.remarks,
              ElementsAre("animated; its first picture is taken"));
  EXPECT_THAT(reason_against(make_gif(false, 1), {.max_pixels = 2}),
              HasSubstr("GIF of 3x1 pixels is above the limit of 2 pixels"));
  expect_robust(make_gif(true, 2));
}

TEST(Gif, ACutOffPictureIsDamaged) {
  auto file = make_gif(false, 1);
  file.resize(file.size() - 4);
  EXPECT_THAT(reason_against(file), HasSubstr("damaged GIF"));
}
#endif

}  // namespace
}  // namespace calotype
