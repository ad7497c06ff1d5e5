#include <avif/avif.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "images/color_profile.h"
#include "images/exif.h"
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

/// Colours that are named by numbers (ITU-T H.273) and are not sRGB's; 2 is
/// for those that nobody named.
bool has_wide_colors(const avifImage& planes) {
  const int primaries = planes.colorPrimaries,
            transfer = planes.transferCharacteristics;
  const bool is_srgb = (primaries == 1 || primaries == 2) &&
                       (transfer == 1 || transfer == 2 || transfer == 13);
  return !is_srgb;
}

/// EXIF's number for a turn to the left in quarters and a mirror (HEIF, ISO
/// 23008-12, 6.5.10 and 6.5.12), which libavif leaves to its caller.
int orientation_of(const avifImage& planes) {
  const int turns =
      planes.transformFlags & AVIF_TRANSFORM_IROT ? planes.irot.angle & 3 : 0;
  constexpr int turned[] = {1, 8, 3, 6};
  if (!(planes.transformFlags & AVIF_TRANSFORM_IMIR)) return turned[turns];
#if AVIF_VERSION_MAJOR >= 1
  const bool is_left_right = planes.imir.axis == 1;
#else
  const bool is_left_right = planes.imir.mode == 1;
#endif
  constexpr int upside_down[] = {4, 5, 2, 7}, left_right[] = {2, 7, 4, 5};
  return is_left_right ? left_right[turns] : upside_down[turns];
}

/// Of interleaved samples of three or four, one or two: those of equal colours.
template <class Sample>
void keep_one_color(std::vector<Sample>& samples, int64_t per_pixel) {
  size_t kept = 0;
  for (size_t at = 0; at < samples.size(); at += size_t(per_pixel)) {
    samples[kept++] = samples[at];
    if (per_pixel == 4) samples[kept++] = samples[at + 3];
  }
  samples.resize(kept);
}

/// The pixels as 8 bits without alpha; deeper ones are brought to 16 first.
template <class Sample, class Check>
Image on_white(const avifImage& planes, Bytes icc, const ImageLimits& limits,
               Picture& picture, const Check& check) {
  const bool has_alpha = planes.alphaPlane != nullptr;
  const bool is_grey = planes.yuvFormat == AVIF_PIXEL_FORMAT_YUV400;
  const int64_t height = planes.height, width = planes.width;
  int64_t per_pixel = has_alpha ? 4 : 3;
  std::vector<Sample> samples(size_t(height * width * per_pixel));
  avifRGBImage rgb;
  avifRGBImageSetDefaults(&rgb, &planes);
  rgb.format = has_alpha ? AVIF_RGB_FORMAT_RGBA : AVIF_RGB_FORMAT_RGB;
  rgb.depth = 8 * sizeof(Sample);
  rgb.pixels = reinterpret_cast<uint8_t*>(samples.data());
  rgb.rowBytes = uint32_t(width * per_pixel * int64_t(sizeof(Sample)));
  check(avifImageYUVToRGB(&planes, &rgb));
  if (is_grey) {
    keep_one_color(samples, per_pixel);
    per_pixel -= 2;
  }
  apply_profile(icc,
                {.data = samples.data(),
                 .num_pixels = height * width,
                 .per_pixel = per_pixel,
                 .bytes_each = int(sizeof(Sample))},
                limits, picture.notes);
  return lay_on_white(samples.data(), height, width, per_pixel);
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

Picture decode_avif(Bytes bytes, const std::string& where,
                    const ImageLimits& limits) {
  const DecoderPtr decoder(avifDecoderCreate());
  if (!decoder) throw std::bad_alloc();
  decoder->maxThreads = 1;
  decoder->strictFlags = AVIF_STRICT_DISABLED;  // as viewers take them
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

  Picture picture;
  if (decoder->imageCount > 1)
    picture.notes.remarks.push_back("animated; its first picture is taken");
  if (planes->transformFlags & AVIF_TRANSFORM_CLAP)
    picture.notes.remarks.push_back("its clean aperture is not cut out");
  if (planes->icc.size == 0 && has_wide_colors(*planes))
    picture.notes.profile =
        fmt::format("CICP {}/{}", int(planes->colorPrimaries),
                    int(planes->transferCharacteristics));
  const Bytes icc(planes->icc.data, planes->icc.size);
  Image image = planes->depth > 8
                    ? on_white<uint16_t>(*planes, icc, limits, picture, check)
                    : on_white<uint8_t>(*planes, icc, limits, picture, check);
  picture.image = apply_orientation(std::move(image), orientation_of(*planes));
  return picture;
}

std::string avif_settings() {
  const char* encoder =
      avifCodecName(AVIF_CODEC_CHOICE_AUTO, AVIF_CODEC_FLAG_CAN_ENCODE);
  return fmt::format("libavif {} ({}), speed {}, 4:4:4, grey 4:0:0",
                     avifVersion(), encoder ? encoder : "no encoder", kSpeed);
}

}  // namespace calotype
