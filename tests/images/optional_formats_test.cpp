#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "images/image_format.h"
#include "images/image_io.h"
#include "images/lossy_format.h"
#include "tests/images/image_files.h"
#include "tests/images/robust.h"

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

}  // namespace
}  // namespace calotype
