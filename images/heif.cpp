#include <fmt/format.h>
#include <libheif/heif.h>

#include <algorithm>
#include <memory>
#include <new>
#include <vector>

#include "images/codecs.h"
#include "images/color_profile.h"

// HEIF, HEIC among it (ISO 23008-12). Turns, mirrors and clean apertures are
// libheif's.
namespace calotype {
namespace {

using Context = std::unique_ptr<heif_context, decltype(&heif_context_free)>;
using Handle =
    std::unique_ptr<heif_image_handle, decltype(&heif_image_handle_release)>;
using Pixels = std::unique_ptr<heif_image, decltype(&heif_image_release)>;
using Options = std::unique_ptr<heif_decoding_options,
                                decltype(&heif_decoding_options_free)>;

std::vector<uint8_t> profile_of(const heif_image_handle* handle) {
  std::vector<uint8_t> icc(
      heif_image_handle_get_raw_color_profile_size(handle));
  if (icc.empty() ||
      heif_image_handle_get_raw_color_profile(handle, icc.data()).code !=
          heif_error_Ok)
    return {};
  return icc;
}

/// The rows of the interleaved plane, of `Sample` each. Deeper samples stand in
/// the low bits of 16 and are brought to all of them.
template <class Sample>
std::vector<Sample> samples_in(const heif_image* pixels, int64_t height,
                               int64_t width, int64_t per_pixel, int bits) {
  int stride = 0;
  const auto* rows =
      heif_image_get_plane_readonly(pixels, heif_channel_interleaved, &stride);
  std::vector<Sample> samples;
  if (!rows) return samples;
  samples.reserve(size_t(height * width * per_pixel));
  const uint64_t max = (uint64_t{1} << bits) - 1;
  for (int64_t y = 0; y < height; ++y) {
    const auto* row = rows + y * stride;
    for (int64_t i = 0; i < width * per_pixel; ++i) {
      if constexpr (sizeof(Sample) == 1) {
        samples.push_back(row[i]);
      } else {
        const uint64_t value = row[2 * i] | uint64_t(row[2 * i + 1]) << 8;
        samples.push_back(
            Sample((std::min(value, max) * 65535 + max / 2) / max));
      }
    }
  }
  return samples;
}

template <class Sample>
Picture on_white(std::vector<Sample> samples, int64_t height, int64_t width,
                 int64_t per_pixel, Bytes icc, const ImageLimits& limits) {
  Picture picture;
  apply_profile(icc,
                {.data = samples.data(),
                 .num_pixels = height * width,
                 .per_pixel = per_pixel,
                 .bytes_each = int(sizeof(Sample))},
                limits, picture.notes);
  picture.image = lay_on_white(samples.data(), height, width, per_pixel);
  return picture;
}

}  // namespace

Picture decode_heif(Bytes bytes, const std::string& where,
                    const ImageLimits& limits) {
  const Context context(heif_context_alloc(), &heif_context_free);
  if (!context) throw std::bad_alloc();
  const auto check = [&](const heif_error& error) {
    if (error.code == heif_error_Ok) return;
    fail_damaged(where, "HEIF", error.message ? error.message : "unknown");
  };
  heif_context_set_max_decoding_threads(context.get(), 0);
  check(heif_context_read_from_memory_without_copy(context.get(), bytes.data(),
                                                   bytes.size(), nullptr));
  heif_image_handle* found = nullptr;
  check(heif_context_get_primary_image_handle(context.get(), &found));
  const Handle handle(found, &heif_image_handle_release);
  // Both as they are stored, before what is cut off, and as they are shown.
  check_image_size(where, "HEIF", heif_image_handle_get_ispe_width(found),
                   heif_image_handle_get_ispe_height(found), limits);
  const int64_t width = heif_image_handle_get_width(found),
                height = heif_image_handle_get_height(found);
  check_image_size(where, "HEIF", width, height, limits);

  const bool has_alpha = heif_image_handle_has_alpha_channel(found) != 0;
  const int bits = heif_image_handle_get_luma_bits_per_pixel(found);
  const bool is_deep = bits > 8;
  const auto chroma = is_deep ? (has_alpha ? heif_chroma_interleaved_RRGGBBAA_LE
                                           : heif_chroma_interleaved_RRGGBB_LE)
                              : (has_alpha ? heif_chroma_interleaved_RGBA
                                           : heif_chroma_interleaved_RGB);
  const Options options(heif_decoding_options_alloc(),
                        &heif_decoding_options_free);
  heif_image* decoded = nullptr;
  check(heif_decode_image(found, &decoded, heif_colorspace_RGB, chroma,
                          options.get()));
  const Pixels pixels(decoded, &heif_image_release);
  if (heif_image_get_width(decoded, heif_channel_interleaved) != width ||
      heif_image_get_height(decoded, heif_channel_interleaved) != height)
    fail_damaged(where, "HEIF", "its pixels have another size than it says");
  const int64_t per_pixel = has_alpha ? 4 : 3;
  const auto icc = profile_of(found);
  if (is_deep)
    return on_white(
        samples_in<uint16_t>(decoded, height, width, per_pixel, bits), height,
        width, per_pixel, icc, limits);
  return on_white(samples_in<uint8_t>(decoded, height, width, per_pixel, bits),
                  height, width, per_pixel, icc, limits);
}

}  // namespace calotype
