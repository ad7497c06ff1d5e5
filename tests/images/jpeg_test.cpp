#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "images/image_io.h"
#include "tests/images/image_files.h"

namespace calotype {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Picture picture_of(const FileBytes& bytes, const ImageLimits& limits = {}) {
  return decode_picture(bytes, "a.jpg", limits);
}

std::string jpeg_problem(const FileBytes& bytes,
                         const ImageLimits& limits = {}) {
  return data_error_of([&] { picture_of(bytes, limits); });
}

int largest_difference(const Image& a, const Image& b) {
  EXPECT_EQ(a.pixels.size(), b.pixels.size());
  int largest = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i)
    largest = std::max(largest, std::abs(a.pixels[i] - b.pixels[i]));
  return largest;
}

/// Soft in all channels, so that little is lost with the chroma.
Image slope(int64_t height, int64_t width, int64_t channels) {
  Image image{height, width, channels, {}};
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      for (int64_t c = 0; c < channels; ++c)
        image.pixels.push_back(
            uint8_t(40 + 150 * x / width + 40 * (c + 1) * y / height / 3));
  return image;
}

FileBytes prefix(const FileBytes& file, size_t size) {
  return {file.begin(), file.begin() + int64_t(size)};
}

FileBytes inserted(const FileBytes& file, int64_t at, const FileBytes& bytes) {
  return joined({FileBytes(file.begin(), file.begin() + at), bytes,
                 FileBytes(file.begin() + at, file.end())});
}

TEST(Jpeg, GreyAndColorDecode) {
  for (const int64_t channels : {1, 3}) {
    const auto image = gradient(8, 16, channels);
    const auto got = picture_of(make_jpeg(image));
    EXPECT_EQ(got.image.channels, channels);
    EXPECT_EQ(got.image.width, 16);
    EXPECT_LE(largest_difference(got.image, image), 4);
    EXPECT_THAT(got.notes.remarks, IsEmpty());
  }
}

TEST(Jpeg, CmykIsInvertedWithAdobesMarkerAndWithout) {
  // 200 is little cyan, 220 little black.
  Image cmyk{8, 8, 4, {}};
  for (int i = 0; i < 64; ++i)
    cmyk.pixels.insert(cmyk.pixels.end(), {200, 100, 50, 220});
  for (const auto& settings : {JpegSettings{}, JpegSettings{.ycck = true},
                               JpegSettings{.adobe_marker = false}}) {
    const auto got = picture_of(make_jpeg(cmyk, settings)).image;
    ASSERT_EQ(got.channels, 3);
    EXPECT_NEAR(got.pixels[0], 200 * 220 / 255.0, 2);
    EXPECT_NEAR(got.pixels[1], 100 * 220 / 255.0, 2);
    EXPECT_NEAR(got.pixels[2], 50 * 220 / 255.0, 2);
  }
}

TEST(Jpeg, EverySamplingFactorDecodes) {
  using Factors = std::vector<std::array<int, 2>>;
  const auto image = slope(45, 61, 3);
  for (const auto& factors :
       {Factors{{4, 1}, {1, 1}, {1, 1}}, Factors{{1, 2}, {1, 1}, {1, 1}},
        Factors{{3, 1}, {1, 1}, {1, 1}}, Factors{{1, 4}, {1, 2}, {1, 1}},
        Factors{{1, 1}, {2, 2}, {2, 2}}, Factors{{2, 2}, {2, 1}, {1, 2}},
        Factors{{2, 1}, {2, 1}, {2, 1}}, Factors{{2, 2}, {1, 1}, {1, 1}}}) {
    const auto got = picture_of(make_jpeg(image, {.sampling = factors})).image;
    EXPECT_EQ(got.width, 61);
    EXPECT_LE(largest_difference(got, image), 8)
        << factors[0][0] << 'x' << factors[0][1];
  }
  const auto grey = slope(45, 61, 1);
  EXPECT_LE(
      largest_difference(
          picture_of(make_jpeg(grey, {.sampling = {{2, 2}}})).image, grey),
      2);
}

TEST(Jpeg, FaultsThatViewersForgiveAreRemarks) {
  const auto file = make_jpeg(slope(48, 64, 3), 92);
  const auto whole = picture_of(file).image;
  const auto begin_of = [&](uint8_t marker) {
    const FileBytes wanted = {0xff, marker};
    return std::ranges::search(file, wanted).begin() - file.begin();
  };
  // A phone's: the scan claims to hold no coefficient.
  auto scan = file;
  const auto parameters = begin_of(0xda) + 2 + 12 - 3;
  for (int i = 0; i < 3; ++i) scan[size_t(parameters + i)] = 0;
  const auto end = int64_t(file.size()) - 2;
  const std::pair<FileBytes, const char*> cases[] = {
      {scan, "Invalid SOS parameters for sequential JPEG"},
      {inserted(file, end, FileBytes(40, 0x7f)), "extraneous bytes"},
      {inserted(file, begin_of(0xdb), {0x12, 0x34}), "2 extraneous bytes"},
      {prefix(file, file.size() - 2), "Premature end of JPEG file"}};
  for (const auto& [bytes, words] : cases) {
    const auto got = picture_of(bytes);
    EXPECT_EQ(got.image.pixels, whole.pixels) << words;
    ASSERT_EQ(got.notes.remarks.size(), 1u) << words;
    EXPECT_THAT(got.notes.remarks[0], HasSubstr(words));
  }
  const auto behind =
      picture_of(joined({file, bytes_of("a camera's own data")}));
  EXPECT_EQ(behind.image.pixels, whole.pixels);
  EXPECT_THAT(behind.notes.remarks, IsEmpty());
}

TEST(Jpeg, NoPrefixThatLacksPixelsIsAPicture) {
  const auto image = gradient(16, 16, 3);
  for (const bool progressive : {false, true}) {
    const auto file = make_jpeg(image, {.progressive = progressive});
    const auto whole = picture_of(file).image;
    size_t num_taken = 0;
    for (size_t size = 0; size < file.size(); ++size) try {
        EXPECT_EQ(picture_of(prefix(file, size)).image.pixels, whole.pixels)
            << size;
        ++num_taken;
      } catch (const std::runtime_error&) {  // refused
      }
    // What may be missing: the mark of the end, and bits that only fill a byte.
    EXPECT_LE(num_taken, progressive ? 0u : 3u);
    EXPECT_THAT(jpeg_problem(prefix(file, file.size() - 60)),
                HasSubstr("a.jpg: truncated JPEG (Premature end"));
  }
}

TEST(Jpeg, PixelsThatAnEndMarkHidesAreTold) {
  const auto file = make_jpeg(gradient(64, 64, 1));
  const auto half = joined({prefix(file, file.size() / 2), {0xff, 0xd9}});
  const auto remarks = picture_of(half).notes.remarks;
  ASSERT_EQ(remarks.size(), 2u);
  EXPECT_THAT(remarks[0], HasSubstr("premature end of data segment"));
  EXPECT_THAT(remarks[1], HasSubstr("pixels are missing from about row"));
}

TEST(Jpeg, WhatNoViewerShowsIsRefusedByName) {
  auto file = make_jpeg(gradient(8, 8, 3));
  const FileBytes frame = {0xff, 0xc0};
  const auto at = std::ranges::search(file, frame).begin();
  *(at + 4) = 12;
  EXPECT_EQ(jpeg_problem(file),
            "a.jpg: this JPEG is not supported (Unsupported JPEG data "
            "precision 12)");
  *(at + 4) = 8;
  *(at + 1) = 0xc3;  // lossless
  EXPECT_EQ(jpeg_problem(file),
            "a.jpg: this JPEG is not supported (Unsupported JPEG process: SOF "
            "type 0xc3)");
  *(at + 1) = 0xc0;
  *(at + 11) = 0x31;  // factors of 3 and 2, which are no whole ratio
  *(at + 14) = 0x21;
  EXPECT_EQ(jpeg_problem(file),
            "a.jpg: this JPEG is not supported (Fractional sampling not "
            "implemented yet)");
}

TEST(Jpeg, FlippedBitsAreSurvived) {
  for (const bool progressive : {false, true}) {
    const auto file = make_jpeg(gradient(8, 8, 3),
                                {.quality = 50, .progressive = progressive});
    for (size_t bit = 0; bit < file.size() * 8; ++bit) {
      auto flipped = file;
      flipped[bit / 8] ^= uint8_t(1 << bit % 8);
      data_error_of([&] {
        const auto image = picture_of(flipped, {.max_pixels = 100'000}).image;
        EXPECT_EQ(int64_t(image.pixels.size()),
                  image.height * image.width * image.channels);
      });
    }
  }
}

TEST(Jpeg, AboveTheLimitItIsDecodedInEighthsOfItsSize) {
  const auto image = slope(300, 400, 3);
  for (const bool progressive : {false, true}) {
    const auto file = make_jpeg(image, {.progressive = progressive});
    // 6/8 of 400x300 are 67,500 pixels, 7/8 are 92,050.
    const ImageLimits limits{.max_pixels = 80'000, .least_side = 32};
    const auto got = picture_of(file, limits);
    EXPECT_EQ(got.image.height, 225);
    EXPECT_EQ(got.image.width, 300);
    EXPECT_EQ(got.notes.reduced_from, (std::array<int64_t, 2>{300, 400}));
    EXPECT_THAT(got.notes.remarks,
                ElementsAre("decoded at 6/8 of its 400x300 pixels, which are "
                            "above the limit of 80000 (--max-pixels)"));
    // The middle stays in the middle.
    for (int64_t c = 0; c < 3; ++c)
      EXPECT_NEAR(got.image.pixels[size_t((112 * 300 + 150) * 3 + c)],
                  image.pixels[size_t((150 * 400 + 200) * 3 + c)], 3);
  }
  // Upright at 300x400, as it was asked for.
  const auto turned =
      picture_of(with_exif(make_jpeg(image), make_exif(6, true)),
                 {.max_pixels = 80'000, .least_side = 32});
  EXPECT_EQ(turned.image.height, 300);
  EXPECT_EQ(turned.notes.reduced_from, (std::array<int64_t, 2>{400, 300}));
}

TEST(Jpeg, WhatTheLimitAllowsIsDecodedWhole) {
  const auto file = make_jpeg(slope(30, 40, 3));
  const auto got = picture_of(file, {.max_pixels = 1200, .least_side = 8});
  EXPECT_EQ(got.image.pixels, picture_of(file).image.pixels);
  EXPECT_EQ(got.notes.reduced_from[0], 0);
}

TEST(Jpeg, ASizeThatNeedsMoreIsRefusedByTheLimitsName) {
  const auto file = make_jpeg(slope(300, 400, 3));
  const auto words =
      "a.jpg: JPEG of 400x300 pixels is above the limit of 80000 pixels "
      "(--max-pixels)";
  EXPECT_EQ(jpeg_problem(file, {.max_pixels = 80'000}), words);
  EXPECT_EQ(jpeg_problem(file, {.max_pixels = 80'000, .least_side = 226}),
            words);
  EXPECT_EQ(jpeg_problem(file, {.max_pixels = 80'000, .least_side = 225}), "");
  // An eighth of it, 50x38 pixels, is the least.
  EXPECT_EQ(jpeg_problem(file, {.max_pixels = 1900, .least_side = 1}), "");
  EXPECT_THAT(jpeg_problem(file, {.max_pixels = 1899, .least_side = 1}),
              HasSubstr("above the limit of 1899 pixels"));
}

TEST(Jpeg, AProgressiveFileTakesNoMoreMemoryThanItsLimit) {
  // 3 components of 160x160 coefficients of 2 bytes: 153,600 bytes.
  const auto file = make_jpeg(slope(160, 160, 3), {.progressive = true});
  EXPECT_THAT(jpeg_problem(file, {.max_pixels = 9'000, .least_side = 8}),
              HasSubstr("progressive JPEG of 160x160 pixels needs"));
  EXPECT_EQ(jpeg_problem(file, {.max_pixels = 10'000, .least_side = 8}), "");
}

}  // namespace
}  // namespace calotype
