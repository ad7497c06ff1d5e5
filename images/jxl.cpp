#include <fmt/format.h>
#include <jxl/decode_cxx.h>
#include <jxl/encode_cxx.h>
#include <jxl/version.h>

#include "core/error.h"
#include "images/color_profile.h"
#include "images/lossy_codecs.h"

namespace calotype {
namespace {

// The distance in butteraugli's unit that cjxl takes for a quality (libjxl 0.9,
// JxlEncoderDistanceFromQuality; older versions have no such function), except
// that 100 is not lossless.
float distance_of(int quality) {
  const double q = quality;
  return float(q >= 30 ? 0.1 + (100 - q) * 0.09
                       : 53.0 / 3000 * q * q - 23.0 / 20 * q + 25);
}

std::string version_text(uint32_t version) {
  return fmt::format("{}.{}.{}", version / 1000000, version / 1000 % 1000,
                     version % 1000);
}

JxlPixelFormat byte_pixels(int64_t channels) {
  return {.num_channels = uint32_t(channels),
          .data_type = JXL_TYPE_UINT8,
          .endianness = JXL_NATIVE_ENDIAN,
          .align = 0};
}

/// Alpha behind the colours; 16 bits where the file has more than 8.
JxlPixelFormat pixels_of(const JxlBasicInfo& info) {
  auto format =
      byte_pixels(info.num_color_channels + (info.alpha_bits > 0 ? 1 : 0));
  if (info.bits_per_sample > 8) format.data_type = JXL_TYPE_UINT16;
  return format;
}

void expect_no_black(const JxlDecoder* decoder, const JxlBasicInfo& info,
                     const std::string& where) {
  for (uint32_t i = 0; i < info.num_extra_channels; ++i) {
    JxlExtraChannelInfo extra;
    if (JxlDecoderGetExtraChannelInfo(decoder, i, &extra) == JXL_DEC_SUCCESS &&
        extra.type == JXL_CHANNEL_BLACK)
      throw DataError(where +
                      ": JPEG XL in CMYK is not supported; convert it to RGB");
  }
}

/// Of the pixels that come out; empty if it cannot be told.
std::vector<uint8_t> profile_of(const JxlDecoder* decoder) {
#if JPEGXL_MAJOR_VERSION > 0 || JPEGXL_MINOR_VERSION >= 9
  size_t size = 0;
  if (JxlDecoderGetICCProfileSize(decoder, JXL_COLOR_PROFILE_TARGET_DATA,
                                  &size) != JXL_DEC_SUCCESS)
    return {};
  std::vector<uint8_t> icc(size);
  if (JxlDecoderGetColorAsICCProfile(decoder, JXL_COLOR_PROFILE_TARGET_DATA,
                                     icc.data(), size) != JXL_DEC_SUCCESS)
    return {};
#else
  size_t size = 0;
  if (JxlDecoderGetICCProfileSize(decoder, nullptr,
                                  JXL_COLOR_PROFILE_TARGET_DATA,
                                  &size) != JXL_DEC_SUCCESS)
    return {};
  std::vector<uint8_t> icc(size);
  if (JxlDecoderGetColorAsICCProfile(decoder, nullptr,
                                     JXL_COLOR_PROFILE_TARGET_DATA, icc.data(),
                                     size) != JXL_DEC_SUCCESS)
    return {};
#endif
  return icc;
}

}  // namespace

std::vector<uint8_t> encode_jxl(const Image& image, int quality) {
  const auto check = [&](JxlEncoderStatus status, const char* step) {
    if (status != JXL_ENC_SUCCESS) fail_to_encode("jxl", image, step);
  };
  const auto owner = JxlEncoderMake(nullptr);
  auto* encoder = owner.get();
  JxlBasicInfo info;
  JxlEncoderInitBasicInfo(&info);
  info.xsize = uint32_t(image.width);
  info.ysize = uint32_t(image.height);
  info.bits_per_sample = 8;
  info.num_color_channels = uint32_t(image.channels);
  info.uses_original_profile = JXL_FALSE;
  check(JxlEncoderSetBasicInfo(encoder, &info), "size");
  JxlColorEncoding color;
  JxlColorEncodingSetToSRGB(&color, image.channels == 1);
  check(JxlEncoderSetColorEncoding(encoder, &color), "colours");
  auto* settings = JxlEncoderFrameSettingsCreate(encoder, nullptr);
  check(JxlEncoderSetFrameDistance(settings, distance_of(quality)), "quality");
  const auto format = byte_pixels(image.channels);
  check(JxlEncoderAddImageFrame(settings, &format, image.pixels.data(),
                                image.pixels.size()),
        "pixels");
  JxlEncoderCloseInput(encoder);

  std::vector<uint8_t> file(4096);
  size_t done = 0;
  for (;;) {
    uint8_t* next = file.data() + done;
    size_t left = file.size() - done;
    const auto status = JxlEncoderProcessOutput(encoder, &next, &left);
    done = file.size() - left;
    if (status != JXL_ENC_NEED_MORE_OUTPUT) {
      check(status, "output");
      file.resize(done);
      return file;
    }
    file.resize(file.size() * 2);
  }
}

Picture decode_jxl(Bytes bytes, const std::string& where,
                   const ImageLimits& limits) {
  const auto owner = JxlDecoderMake(nullptr);
  auto* decoder = owner.get();
  JxlDecoderSubscribeEvents(decoder, JXL_DEC_BASIC_INFO |
                                         JXL_DEC_COLOR_ENCODING |
                                         JXL_DEC_FULL_IMAGE);
  JxlDecoderSetUnpremultiplyAlpha(decoder, JXL_TRUE);
  JxlDecoderSetInput(decoder, bytes.data(), bytes.size());
  JxlDecoderCloseInput(decoder);
  Picture picture;
  JxlBasicInfo info{};
  std::vector<uint8_t> icc;
  std::vector<uint16_t> samples;  // of more than 8 bits or with alpha
  JxlPixelFormat format{};
  for (;;) {
    switch (JxlDecoderProcessInput(decoder)) {
      case JXL_DEC_BASIC_INFO:
        JxlDecoderGetBasicInfo(decoder, &info);
        check_image_size(where, "JPEG XL", info.xsize, info.ysize, limits);
        expect_no_black(decoder, info, where);
        format = pixels_of(info);
        if (info.have_animation)
          picture.notes.remarks.push_back(
              "animated; its first picture is taken");
        break;
      case JXL_DEC_COLOR_ENCODING:
        icc = profile_of(decoder);
        break;
      case JXL_DEC_NEED_IMAGE_OUT_BUFFER: {
        auto& image = picture.image;
        image = {info.ysize, info.xsize, format.num_channels, {}};
        const auto count = size_t(image.height * image.width * image.channels);
        void* out = nullptr;
        size_t out_bytes = count;
        if (format.data_type == JXL_TYPE_UINT8) {
          image.pixels.resize(count);
          out = image.pixels.data();
        } else {
          samples.resize(count);
          out = samples.data();
          out_bytes *= sizeof samples[0];
        }
        if (JxlDecoderSetImageOutBuffer(decoder, &format, out, out_bytes) !=
            JXL_DEC_SUCCESS)
          fail_damaged(where, "JPEG XL", "its pixels are of another kind");
        break;
      }
      case JXL_DEC_FULL_IMAGE: {
        auto& image = picture.image;
        if (image.channels == 0)
          fail_damaged(where, "JPEG XL", "it has no pixels");
        auto stored = samples_of(image);
        if (!samples.empty()) {
          stored.data = samples.data();
          stored.bytes_each = 2;
        }
        apply_profile(icc, stored, limits, picture.notes);
        if (!samples.empty())
          image = lay_on_white(samples.data(), image.height, image.width,
                               image.channels);
        else if (image.channels == 2 || image.channels == 4)
          image = lay_on_white(image.pixels.data(), image.height, image.width,
                               image.channels);
        return picture;
      }
      case JXL_DEC_NEED_MORE_INPUT:
        fail_truncated(where, "JPEG XL", "the picture breaks off");
      default:
        fail_damaged(where, "JPEG XL", "the picture cannot be decoded");
    }
  }
}

std::string jxl_settings() {
  return fmt::format("libjxl {}, lossy, effort 7",
                     version_text(JxlEncoderVersion()));
}

}  // namespace calotype
