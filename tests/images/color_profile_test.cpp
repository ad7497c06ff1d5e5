#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <lcms2.h>

#include <cmath>

#include "images/image_io.h"
#include "tests/images/image_files.h"

namespace calotype {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr ImageLimits kConvert{.convert_to_srgb = true};

cmsToneCurve* srgb_curve() {
  const double parameters[] = {2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92,
                               0.04045};
  return cmsBuildParametricToneCurve(nullptr, 4, parameters);
}

FileBytes saved(cmsHPROFILE profile, const char* name) {
  auto* words = cmsMLUalloc(nullptr, 1);
  cmsMLUsetASCII(words, "en", "US", name);
  cmsWriteTag(profile, cmsSigProfileDescriptionTag, words);
  cmsMLUfree(words);
  cmsUInt32Number size = 0;
  cmsSaveProfileToMem(profile, nullptr, &size);
  FileBytes bytes(size);
  cmsSaveProfileToMem(profile, bytes.data(), &size);
  cmsCloseProfile(profile);
  return bytes;
}

/// sRGB's curve and white, with other primaries (x, y).
FileBytes rgb_profile(const char* name, const cmsCIExyYTRIPLE& primaries) {
  const cmsCIExyY white{0.3127, 0.3290, 1};
  auto* curve = srgb_curve();
  cmsToneCurve* curves[] = {curve, curve, curve};
  const auto profile = cmsCreateRGBProfile(&white, &primaries, curves);
  cmsFreeToneCurve(curve);
  return saved(profile, name);
}

FileBytes display_p3() {
  return rgb_profile("Display P3",
                     {{0.680, 0.320, 1}, {0.265, 0.690, 1}, {0.150, 0.060, 1}});
}

FileBytes plain_srgb() {
  return rgb_profile("some maker's",
                     {{0.64, 0.33, 1}, {0.30, 0.60, 1}, {0.15, 0.06, 1}});
}

double to_linear(double v) {
  return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4);
}
double from_linear(double v) {
  return v <= 0.0031308 ? v * 12.92 : 1.055 * std::pow(v, 1 / 2.4) - 0.055;
}

/// Display P3 to sRGB, whose primaries and white give this matrix (CSS Color 4,
/// section 18).
std::array<double, 3> p3_to_srgb(double r, double g, double b) {
  const double R = to_linear(r / 255), G = to_linear(g / 255),
               B = to_linear(b / 255);
  const auto byte = [](double v) {
    return 255 * from_linear(std::clamp(v, 0.0, 1.0));
  };
  return {byte(1.2249402 * R - 0.2249402 * G),
          byte(-0.0420570 * R + 1.0420570 * G),
          byte(-0.0196376 * R - 0.0786361 * G + 1.0982736 * B)};
}

FileBytes png_with(const FileBytes& profile, RawPng png) {
  png.chunks = {
      {"iCCP", joined({bytes_of("name"), {0, 0}, deflated(profile)})}};
  return make_png(png);
}

/// In two pieces, the second one first.
FileBytes jpeg_with(const FileBytes& jpeg, const FileBytes& profile) {
  const auto piece = [&](uint8_t number, size_t begin, size_t end) {
    return joined({bytes_of(std::string("ICC_PROFILE\0", 12)),
                   {number, 2},
                   FileBytes(profile.begin() + int64_t(begin),
                             profile.begin() + int64_t(end))});
  };
  const auto half = profile.size() / 2;
  return with_segment(with_segment(jpeg, 0xe2, piece(1, 0, half)), 0xe2,
                      piece(2, half, profile.size()));
}

RawPng one_color() {
  return {.color_type = 2, .rows = {0, 150, 110, 60}};
}

TEST(ColorProfile, KeepTakesPixelsAsStoredAndNamesTheProfile) {
  const auto got = decode_picture(png_with(display_p3(), one_color()), "a.png");
  EXPECT_THAT(got.image.pixels, ElementsAre(150, 110, 60));
  EXPECT_EQ(got.notes.profile, "Display P3");
  EXPECT_THAT(got.notes.remarks, IsEmpty());
}

TEST(ColorProfile, ConvertedColorsAreThoseOfTheMatrix) {
  const auto got =
      decode_picture(png_with(display_p3(), one_color()), "a.png", kConvert);
  const auto want = p3_to_srgb(150, 110, 60);
  for (size_t c = 0; c < 3; ++c)
    EXPECT_NEAR(got.image.pixels[c], want[c], 1.01);
  EXPECT_NE(got.image.pixels[0], 150);
  EXPECT_EQ(got.notes.profile, "");  // nothing was left alone
}

TEST(ColorProfile, SrgbIsKnownByWhatItDoesNotByItsName) {
  for (const auto& limits : {ImageLimits{}, kConvert, ImageLimits{}}) {
    const auto got =
        decode_picture(png_with(plain_srgb(), one_color()), "a.png", limits);
    EXPECT_THAT(got.image.pixels, ElementsAre(150, 110, 60));
    EXPECT_EQ(got.notes.profile, "");
  }
}

TEST(ColorProfile, JpegAndWebpHaveThemToo) {
  Image image{8, 8, 3, {}};
  for (int i = 0; i < 64; ++i)
    image.pixels.insert(image.pixels.end(), {150, 110, 60});
  const auto want = p3_to_srgb(150, 110, 60);
  const auto webp = make_webp(image.pixels, 8, 8, 3);
  for (const auto& file : {jpeg_with(make_jpeg(image), display_p3()),
                           with_webp_chunks(webp, 8, 8, display_p3(), {})}) {
    EXPECT_EQ(decode_picture(file, "a").notes.profile, "Display P3");
    const auto got = decode_picture(file, "a", kConvert).image;
    for (size_t c = 0; c < 3; ++c) EXPECT_NEAR(got.pixels[c], want[c], 3);
  }
}

TEST(ColorProfile, AlphaIsNoColor) {
  const auto want = p3_to_srgb(150, 110, 60);
  for (const uint8_t bits : {8, 16}) {
    RawPng png{.bits = bits, .color_type = 6, .rows = {0}};
    for (const uint8_t sample : {150, 110, 60, 51})  // one fifth opaque
      png.rows.insert(png.rows.end(), bits / 8, sample);
    const auto got = decode_picture(png_with(display_p3(), png), "a", kConvert);
    for (size_t c = 0; c < 3; ++c)
      EXPECT_NEAR(got.image.pixels[c], want[c] * 0.2 + 255 * 0.8, 1.01) << c;
  }
}

TEST(ColorProfile, GreyHasItsOwnCurve) {
  auto* curve = cmsBuildGamma(nullptr, 1.8);
  const auto profile =
      saved(cmsCreateGrayProfile(cmsD50_xyY(), curve), "Gamma 1.8");
  cmsFreeToneCurve(curve);
  const auto file = png_with(profile, {.width = 3, .rows = {0, 0, 100, 255}});
  EXPECT_EQ(decode_picture(file, "a").notes.profile, "Gamma 1.8");
  const auto got = decode_picture(file, "a", kConvert).image;
  ASSERT_EQ(got.channels, 1);
  EXPECT_EQ(got.pixels[0], 0);
  EXPECT_NEAR(got.pixels[1], 255 * from_linear(std::pow(100 / 255.0, 1.8)), 1);
  EXPECT_EQ(got.pixels[2], 255);
}

TEST(ColorProfile, OneThatCannotBeUsedNeverCostsThePicture) {
  auto damaged = display_p3();
  damaged.resize(60);
  const auto of_grey = png_with(display_p3(), {.rows = {0, 9}});
  const auto kept = decode_picture(of_grey, "a");
  EXPECT_EQ(kept.notes.profile, "Display P3");
  EXPECT_THAT(kept.notes.remarks, IsEmpty());
  EXPECT_THAT(decode_picture(of_grey, "a", kConvert).notes.remarks,
              ElementsAre("pixels are not converted: its colour profile is of "
                          "another kind of colours"));
  const auto got =
      decode_picture(png_with(damaged, one_color()), "a", kConvert);
  EXPECT_THAT(got.image.pixels, ElementsAre(150, 110, 60));
  EXPECT_THAT(
      got.notes.remarks,
      ElementsAre("pixels are not converted: its colour profile is damaged"));
}

/// Of an ink that prints no color: lightness falls with the black alone.
FileBytes black_ink() {
  auto* pipeline = cmsPipelineAlloc(nullptr, 4, 3);
  std::vector<cmsUInt16Number> table;  // lightness, a and b of 2^4 mixtures
  for (int mixture = 0; mixture < 16; ++mixture)
    for (const int value : {mixture % 2 ? 0 : 0xffff, 0x8080, 0x8080})
      table.push_back(cmsUInt16Number(value));
  cmsPipelineInsertStage(pipeline, cmsAT_END,
                         cmsStageAllocToneCurves(nullptr, 4, nullptr));
  cmsPipelineInsertStage(
      pipeline, cmsAT_END,
      cmsStageAllocCLut16bit(nullptr, 2, 4, 3, table.data()));
  cmsPipelineInsertStage(pipeline, cmsAT_END,
                         cmsStageAllocToneCurves(nullptr, 3, nullptr));
  const auto profile = cmsCreateProfilePlaceholder(nullptr);
  cmsSetProfileVersion(profile, 4.3);
  cmsSetDeviceClass(profile, cmsSigOutputClass);
  cmsSetColorSpace(profile, cmsSigCmykData);
  cmsSetPCS(profile, cmsSigLabData);
  cmsWriteTag(profile, cmsSigMediaWhitePointTag, cmsD50_XYZ());
  cmsWriteTag(profile, cmsSigAToB0Tag, pipeline);
  cmsPipelineFree(pipeline);
  return saved(profile, "Black ink");
}

TEST(ColorProfile, CmykIsConvertedByItsProfile) {
  Image cmyk{8, 8, 4, {}};
  for (int i = 0; i < 64; ++i)
    cmyk.pixels.insert(cmyk.pixels.end(), {200, 100, 50, 220});
  const auto file = jpeg_with(make_jpeg(cmyk, JpegSettings{}), black_ink());
  const auto kept = decode_picture(file, "a");
  EXPECT_EQ(kept.notes.profile, "Black ink");
  EXPECT_NEAR(kept.image.pixels[0], 200 * 220 / 255.0, 2);

  // Stored inverted: 220 of 255 are left of the lightness (CIE L*).
  const auto luminance = std::pow((100 * 220 / 255.0 + 16) / 116, 3);
  const auto got = decode_picture(file, "a", kConvert).image;
  ASSERT_EQ(got.channels, 3);
  for (size_t c = 0; c < 3; ++c)
    EXPECT_NEAR(got.pixels[c], 255 * from_linear(luminance), 2);
}

}  // namespace
}  // namespace calotype
