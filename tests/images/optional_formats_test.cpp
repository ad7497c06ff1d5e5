#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "images/image_format.h"
#include "images/image_io.h"
#include "images/lossy_format.h"
#include "tests/images/image_files.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

#ifdef CALOTYPE_HAS_TIFF
#include <tiffio.h>
#endif
#ifdef CALOTYPE_HAS_AVIF
#include <avif/avif.h>
#endif
#ifdef CALOTYPE_HAS_HEIF
#include <libheif/heif.h>
#endif

namespace calotype {
namespace {

using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;

/// Why a file is not taken.
std::string reason_against(const FileBytes& bytes,
                           const ImageLimits& limits = {}) {
  return message_of<DataError>([&] { decode_image(bytes, "a.img", limits); });
}

/// No file that is cut off, or has a byte changed, brings the program down.
void expect_robust(const FileBytes& whole) {
  for (size_t size = 0; size < whole.size(); size += 1 + whole.size() / 64)
    reason_against({whole.begin(), whole.begin() + std::ptrdiff_t(size)});
  for (size_t at = 0; at < whole.size(); at += 1 + whole.size() / 256) {
    auto changed = whole;
    changed[at] ^= 0xff;
    reason_against(changed, {.max_pixels = 100'000});
  }
}

TEST(OptionalFormats, AreToldByTheirFirstBytes) {
  const auto kind = [](const std::string& text) {
    return sniff_format(
        {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  };
  EXPECT_EQ(kind("GIF89a"), ImageFormat::kGif);
  EXPECT_EQ(kind(std::string("II*\0....", 8)), ImageFormat::kTiff);
  EXPECT_EQ(kind(std::string("MM\0*....", 8)), ImageFormat::kTiff);
  EXPECT_EQ(kind("\xff\x0a"), ImageFormat::kJxl);
  EXPECT_EQ(kind("....ftypavif"), ImageFormat::kAvif);
  EXPECT_EQ(kind("....ftypheic"), ImageFormat::kHeif);
  EXPECT_EQ(kind("....ftypmif1....miafavif"), ImageFormat::kAvif);
  EXPECT_EQ(kind("....ftypmif1....miafheic"), ImageFormat::kHeif);
}

TEST(OptionalFormats, AreReadOrSaidToNeedALibrary) {
  const std::pair<std::string, const char*> files[] = {
      {"GIF89a............", "libgif-dev"},
      {std::string("II*\0............", 16), "libtiff-dev"},
      {"\xff\x0a..............", "libjxl-dev"},
      {"....ftypavif........", "libavif-dev"},
      {"....ftypheic........", "libheif-dev"}};
  for (const auto& [text, package] : files)
    EXPECT_THAT(reason_against(bytes_of(text)),
                AnyOf(HasSubstr("damaged "), HasSubstr("truncated "),
                      HasSubstr("above the limit"),
                      HasSubstr(std::string("install ") + package)));
}

#if defined(CALOTYPE_HAS_JXL) || defined(CALOTYPE_HAS_AVIF)
TEST(OptionalFormats, WhatIsMeasuredBesideIsReadAlike) {
  Image ramp{5, 16, 3, {}};
  for (int i = 0; i < 5 * 16; ++i)
    ramp.pixels.insert(ramp.pixels.end(),
                       {uint8_t(i * 3), uint8_t(255 - i), uint8_t(100 + i)});
  Image grey{5, 16, 1, {}};
  for (int i = 0; i < 5 * 16; ++i) grey.pixels.push_back(uint8_t(i * 3));
  for (const auto& format : lossy_formats()) {
    if (format != "jxl" && format != "avif") continue;
    for (const auto& image : {ramp, grey}) {
      const auto file = encode_lossy(format, image, 95);
      const auto picture = decode_picture(file, "a");
      EXPECT_EQ(picture.image.channels, image.channels) << format;
      EXPECT_EQ(picture.image.pixels,
                decode_lossy(format, file, image.channels).pixels)
          << format;
      EXPECT_THAT(picture.notes.remarks, ElementsAre()) << format;
      EXPECT_EQ(picture.notes.profile, "") << format;
      EXPECT_THAT(reason_against(file, {.max_pixels = 79}),
                  HasSubstr("of 16x5 pixels is above the limit of 79 pixels"));
    }
    expect_robust(encode_lossy(format, ramp, 80));
  }
}
#endif

#ifdef CALOTYPE_HAS_AVIF
/// Black, but for the first pixel's row and the alpha given.
FileBytes make_avif(int width, int height, int depth, int angle, int mirror,
                    int alpha) {
  avifImage* image =
      avifImageCreate(width, height, depth, AVIF_PIXEL_FORMAT_YUV444);
  image->colorPrimaries = AVIF_COLOR_PRIMARIES_BT709;
  image->transferCharacteristics = AVIF_TRANSFER_CHARACTERISTICS_SRGB;
  image->matrixCoefficients = AVIF_MATRIX_COEFFICIENTS_IDENTITY;
  image->yuvRange = AVIF_RANGE_FULL;
  if (angle >= 0) {
    image->transformFlags |= AVIF_TRANSFORM_IROT;
    image->irot.angle = uint8_t(angle);
  }
  if (mirror >= 0) {
    image->transformFlags |= AVIF_TRANSFORM_IMIR;
#if AVIF_VERSION_MAJOR >= 1
    image->imir.axis = uint8_t(mirror);
#else
    image->imir.mode = uint8_t(mirror);
#endif
  }
  const int samples = alpha >= 0 ? 4 : 3, max = (1 << depth) - 1;
  std::vector<uint16_t> pixels(size_t(width * height * samples), 0);
  pixels[0] = uint16_t(max);  // red in the first
  for (int i = 0; alpha >= 0 && i < width * height; ++i)
    pixels[size_t(4 * i + 3)] = uint16_t(alpha);
  std::vector<uint8_t> bytes(pixels.begin(), pixels.end());
  avifRGBImage rgb;
  avifRGBImageSetDefaults(&rgb, image);
  rgb.format = alpha >= 0 ? AVIF_RGB_FORMAT_RGBA : AVIF_RGB_FORMAT_RGB;
  rgb.depth = uint32_t(depth);
  rgb.pixels =
      depth > 8 ? reinterpret_cast<uint8_t*>(pixels.data()) : bytes.data();
  rgb.rowBytes = uint32_t(width * samples * (depth > 8 ? 2 : 1));
  EXPECT_EQ(avifImageRGBToYUV(image, &rgb), AVIF_RESULT_OK);
  avifEncoder* encoder = avifEncoderCreate();
  encoder->minQuantizer = encoder->maxQuantizer = 0;  // lossless
  encoder->minQuantizerAlpha = encoder->maxQuantizerAlpha = 0;
  avifRWData out = AVIF_DATA_EMPTY;
  EXPECT_EQ(avifEncoderWrite(encoder, image, &out), AVIF_RESULT_OK);
  const FileBytes file(out.data, out.data + out.size);
  avifRWDataFree(&out);
  avifEncoderDestroy(encoder);
  avifImageDestroy(image);
  return file;
}

/// Where the red pixel is: y * width + x.
size_t place_of_red(const Image& image) {
  for (size_t i = 0; i < image.pixels.size() / 3; ++i)
    if (image.pixels[3 * i] > 200) return i;
  return SIZE_MAX;
}

TEST(Avif, IsTurnedAndMirroredAsItSays) {
  // 3 wide and 2 high, red at the top left. Turned to the left by a quarter it
  // is at the bottom left of 2 by 3, and so on; mirror 0 exchanges top and
  // bottom, 1 left and right, after the turn.
  struct Case {
    int angle, mirror;
    int64_t width;
    size_t place;
  };
  for (const auto& [angle, mirror, width, place] :
       std::vector<Case>{{-1, -1, 3, 0},
                         {1, -1, 2, 4},
                         {2, -1, 3, 5},
                         {3, -1, 2, 1},
                         {-1, 0, 3, 3},
                         {-1, 1, 3, 2},
                         {1, 0, 2, 0},
                         {1, 1, 2, 5},
                         {2, 0, 3, 2},
                         {2, 1, 3, 3},
                         {3, 0, 2, 5},
                         {3, 1, 2, 0}}) {
    SCOPED_TRACE(std::to_string(angle) + " " + std::to_string(mirror));
    const auto image =
        decode_image(make_avif(3, 2, 8, angle, mirror, -1), "a.avif");
    EXPECT_EQ(image.width, width);
    EXPECT_EQ(place_of_red(image), place);
  }
}

TEST(Avif, DeepPixelsAndAlphaAreBroughtTo8BitsOnWhite) {
  const auto deep = decode_image(make_avif(2, 1, 10, -1, -1, -1), "a.avif");
  EXPECT_THAT(deep.pixels, ElementsAre(255, 0, 0, 0, 0, 0));
  // 64 of 255 of black or red, the rest white.
  const auto thin = decode_image(make_avif(2, 1, 8, -1, -1, 64), "a.avif");
  EXPECT_THAT(thin.pixels, ElementsAre(255, 191, 191, 191, 191, 191));
}
#endif

#ifdef CALOTYPE_HAS_HEIF
TEST(Heif, IsRead) {
  heif_context* context = heif_context_alloc();
  heif_encoder* encoder = nullptr;
  if (heif_context_get_encoder_for_format(context, heif_compression_HEVC,
                                          &encoder)
          .code != heif_error_Ok) {
    heif_context_free(context);
    GTEST_SKIP() << "libheif has no encoder here";
  }
  constexpr int kWidth = 64, kHeight = 32;
  heif_image* image = nullptr;
  heif_image_create(kWidth, kHeight, heif_colorspace_RGB,
                    heif_chroma_interleaved_RGB, &image);
  heif_image_add_plane(image, heif_channel_interleaved, kWidth, kHeight, 24);
  int stride = 0;
  auto* rows = heif_image_get_plane(image, heif_channel_interleaved, &stride);
  for (int y = 0; y < kHeight; ++y)
    for (int x = 0; x < kWidth; ++x) {
      rows[y * stride + 3 * x] = x < 32 ? 200 : 50;
      rows[y * stride + 3 * x + 1] = 100;
      rows[y * stride + 3 * x + 2] = y < 16 ? 30 : 220;
    }
  heif_encoder_set_lossy_quality(encoder, 95);
  EXPECT_EQ(
      heif_context_encode_image(context, image, encoder, nullptr, nullptr).code,
      heif_error_Ok);
  FileBytes file;
  heif_writer writer{
      1, [](heif_context*, const void* data, size_t size, void* out) {
        const auto* bytes = static_cast<const uint8_t*>(data);
        static_cast<FileBytes*>(out)->assign(bytes, bytes + size);
        return heif_error{heif_error_Ok, heif_suberror_Unspecified, ""};
      }};
  heif_context_write(context, &writer, &file);
  heif_image_release(image);
  heif_encoder_release(encoder);
  heif_context_free(context);

  const auto got = decode_image(file, "a.heic");
  EXPECT_EQ(got.width, kWidth);
  EXPECT_EQ(got.height, kHeight);
  ASSERT_EQ(got.channels, 3);
  const auto* pixel = &got.pixels[size_t((24 * kWidth + 10) * 3)];
  EXPECT_NEAR(pixel[0], 200, 4);
  EXPECT_NEAR(pixel[1], 100, 4);
  EXPECT_NEAR(pixel[2], 220, 4);
  EXPECT_THAT(reason_against(file, {.max_pixels = 2047}),
              HasSubstr("HEIF of 64x32 pixels is above the limit"));
  expect_robust(file);
}
#endif

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
