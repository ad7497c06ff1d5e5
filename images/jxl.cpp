#include <fmt/format.h>
#include <jxl/decode_cxx.h>
#include <jxl/encode_cxx.h>

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

Image decode_jxl(Bytes bytes, const std::string& where,
                 const ImageLimits& limits) {
  const auto owner = JxlDecoderMake(nullptr);
  auto* decoder = owner.get();
  JxlDecoderSubscribeEvents(decoder, JXL_DEC_BASIC_INFO | JXL_DEC_FULL_IMAGE);
  JxlDecoderSetInput(decoder, bytes.data(), bytes.size());
  JxlDecoderCloseInput(decoder);
  Image image;
  for (;;) {
    switch (JxlDecoderProcessInput(decoder)) {
      case JXL_DEC_BASIC_INFO: {
        JxlBasicInfo info;
        JxlDecoderGetBasicInfo(decoder, &info);
        image = {info.ysize, info.xsize, info.num_color_channels, {}};
        check_image_size(where, "JPEG XL", image.width, image.height, limits);
        break;
      }
      case JXL_DEC_NEED_IMAGE_OUT_BUFFER: {
        image.pixels.resize(
            size_t(image.height * image.width * image.channels));
        const auto format = byte_pixels(image.channels);
        if (JxlDecoderSetImageOutBuffer(decoder, &format, image.pixels.data(),
                                        image.pixels.size()) != JXL_DEC_SUCCESS)
          fail_damaged(where, "JPEG XL", "its pixels are of another kind");
        break;
      }
      case JXL_DEC_FULL_IMAGE:
        return image;
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
