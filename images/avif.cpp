#include <avif/avif.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <new>

#include "images/lossy_codecs.h"

namespace calotype {
namespace {

template <class T, void (*destroy)(T*)>
struct Destroy {
  void operator()(T* object) const { destroy(object); }
};
using ImagePtr =
    std::unique_ptr<avifImage, Destroy<avifImage, avifImageDestroy>>;
using EncoderPtr =
    std::unique_ptr<avifEncoder, Destroy<avifEncoder, avifEncoderDestroy>>;
using DecoderPtr =
    std::unique_ptr<avifDecoder, Destroy<avifDecoder, avifDecoderDestroy>>;

struct Output {
  ~Output() { avifRWDataFree(&data); }
  avifRWData data = AVIF_DATA_EMPTY;
};

constexpr int kSpeed = 6;  // avifenc's

// What avifenc takes for a quality (libavif 1.0; older versions know quantizers
// alone).
int quantizer_of(int quality) {
  return ((100 - quality) * AVIF_QUANTIZER_WORST_QUALITY + 50) / 100;
}

// A view of interleaved pixels for the conversion from and to planes.
avifRGBImage view_of(const avifImage* planes, uint8_t* pixels) {
  avifRGBImage rgb;
  avifRGBImageSetDefaults(&rgb, planes);
  rgb.format = AVIF_RGB_FORMAT_RGB;
  rgb.depth = 8;
  rgb.pixels = pixels;
  rgb.rowBytes = planes->width * 3;
  return rgb;
}

ImagePtr planes_of(const Image& image) {
  const bool is_grey = image.channels == 1;
  ImagePtr planes(avifImageCreate(
      int(image.width), int(image.height), 8,
      is_grey ? AVIF_PIXEL_FORMAT_YUV400 : AVIF_PIXEL_FORMAT_YUV444));
  if (!planes) throw std::bad_alloc();
  planes->colorPrimaries = AVIF_COLOR_PRIMARIES_BT709;
  planes->transferCharacteristics = AVIF_TRANSFER_CHARACTERISTICS_SRGB;
  planes->matrixCoefficients = AVIF_MATRIX_COEFFICIENTS_BT601;
  planes->yuvRange = AVIF_RANGE_FULL;
  if (!is_grey) {
    const auto rgb = view_of(
        planes.get(), const_cast<uint8_t*>(image.pixels.data()));  // only read
    const auto status = avifImageRGBToYUV(planes.get(), &rgb);
    if (status != AVIF_RESULT_OK)
      fail_to_encode("avif", image, avifResultToString(status));
    return planes;
  }
  (void)avifImageAllocatePlanes(planes.get(), AVIF_PLANES_YUV);
  if (!planes->yuvPlanes[AVIF_CHAN_Y]) throw std::bad_alloc();
  for (int64_t y = 0; y < image.height; ++y)
    std::copy_n(
        image.pixels.data() + y * image.width, image.width,
        planes->yuvPlanes[AVIF_CHAN_Y] + y * planes->yuvRowBytes[AVIF_CHAN_Y]);
  return planes;
}

}  // namespace

std::vector<uint8_t> encode_avif(const Image& image, int quality) {
  const auto planes = planes_of(image);
  const EncoderPtr encoder(avifEncoderCreate());
  if (!encoder) throw std::bad_alloc();
  encoder->maxThreads = 1;
  encoder->speed = kSpeed;
  encoder->minQuantizer = encoder->maxQuantizer = quantizer_of(quality);
  Output output;
  const auto status =
      avifEncoderWrite(encoder.get(), planes.get(), &output.data);
  if (status != AVIF_RESULT_OK)
    fail_to_encode("avif", image, avifResultToString(status));
  return {output.data.data, output.data.data + output.data.size};
}

Image decode_avif(Bytes bytes, const std::string& where,
                  const ImageLimits& limits) {
  const DecoderPtr decoder(avifDecoderCreate());
  if (!decoder) throw std::bad_alloc();
  decoder->maxThreads = 1;
  const auto check = [&](avifResult status) {
    if (status == AVIF_RESULT_TRUNCATED_DATA)
      fail_truncated(where, "AVIF", avifResultToString(status));
    if (status != AVIF_RESULT_OK)
      fail_damaged(where, "AVIF", avifResultToString(status));
  };
  check(avifDecoderSetIOMemory(decoder.get(), bytes.data(), bytes.size()));
  check(avifDecoderParse(decoder.get()));
  const auto* planes = decoder->image;
  check_image_size(where, "AVIF", planes->width, planes->height, limits);
  check(avifDecoderNextImage(decoder.get()));

  const bool is_grey = planes->yuvFormat == AVIF_PIXEL_FORMAT_YUV400;
  Image image{planes->height, planes->width, is_grey ? 1 : 3, {}};
  image.pixels.resize(size_t(image.height * image.width * image.channels));
  if (is_grey) {
    for (int64_t y = 0; y < image.height; ++y)
      std::copy_n(
          planes->yuvPlanes[AVIF_CHAN_Y] + y * planes->yuvRowBytes[AVIF_CHAN_Y],
          image.width, image.pixels.data() + y * image.width);
  } else {
    auto rgb = view_of(planes, image.pixels.data());
    check(avifImageYUVToRGB(planes, &rgb));
  }
  return image;
}

std::string avif_settings() {
  const char* encoder =
      avifCodecName(AVIF_CODEC_CHOICE_AUTO, AVIF_CODEC_FLAG_CAN_ENCODE);
  return fmt::format("libavif {} ({}), speed {}, 4:4:4, grey 4:0:0",
                     avifVersion(), encoder ? encoder : "no encoder", kSpeed);
}

}  // namespace calotype
