#include "images/color_profile.h"

#include <fmt/format.h>
#include <lcms2.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace calotype {
namespace {

struct CloseProfile {
  void operator()(void* profile) const { cmsCloseProfile(profile); }
};
struct DeleteTransform {
  void operator()(void* transform) const { cmsDeleteTransform(transform); }
};
using Profile = std::unique_ptr<void, CloseProfile>;
using Transform = std::unique_ptr<void, DeleteTransform>;

/// What the samples of a file are, in the library's words.
struct Layout {
  cmsColorSpaceSignature colors;
  cmsUInt32Number format;
};

Layout layout_of(const Samples& samples) {
  const bool is_grey = samples.per_pixel <= 2;
  const auto channels = is_grey ? 1u : 3u;
  const auto alpha = cmsUInt32Number(samples.per_pixel) - channels;
  const auto format =
      COLORSPACE_SH(cmsUInt32Number(is_grey ? PT_GRAY : PT_RGB)) |
      CHANNELS_SH(channels) | EXTRA_SH(alpha) |
      BYTES_SH(cmsUInt32Number(samples.bytes_each));
  return {is_grey ? cmsSigGrayData : cmsSigRgbData, format};
}

constexpr Layout kCmyk{cmsSigCmykData, TYPE_CMYK_8_REV};

/// sRGB, or grey with its curve (IEC 61966-2-1).
Profile srgb(bool is_grey) {
  if (!is_grey) return Profile(cmsCreate_sRGBProfile());
  const cmsFloat64Number parameters[] = {2.4, 1 / 1.055, 0.055 / 1.055,
                                         1 / 12.92, 0.04045};
  auto* curve = cmsBuildParametricToneCurve(nullptr, 4, parameters);
  Profile profile(cmsCreateGrayProfile(cmsD50_xyY(), curve));
  cmsFreeToneCurve(curve);
  return profile;
}

/// Whether a grid of colours stays as it is, up to two levels of 255: profiles
/// of sRGB come from many makers, and none says so in a way that one could
/// read.
bool is_srgb(const Profile& profile, bool is_grey) {
  constexpr int kTolerance = 2;
  const auto format = is_grey ? TYPE_GRAY_8 : TYPE_RGB_8;
  const auto standard = srgb(is_grey);
  const Transform transform(cmsCreateTransform(
      profile.get(), format, standard.get(), format,
      INTENT_RELATIVE_COLORIMETRIC, cmsFLAGS_NOOPTIMIZE | cmsFLAGS_NOCACHE));
  if (!transform) return false;
  constexpr uint8_t levels[] = {0, 51, 102, 153, 204, 255};
  std::vector<uint8_t> before;
  for (const auto red : levels)
    for (const auto green : levels)
      for (const auto blue : levels)
        if (is_grey)
          before.push_back(uint8_t(red + (green + blue / 6) / 6));
        else
          before.insert(before.end(), {red, green, blue});
  auto after = before;
  cmsDoTransform(transform.get(), before.data(), after.data(),
                 cmsUInt32Number(before.size() / (is_grey ? 1 : 3)));
  return std::ranges::equal(before, after, [](int a, int b) {
    return std::abs(a - b) <= kTolerance;
  });
}

/// The profile's description in letters that a terminal can show.
std::string description(const Profile& profile) {
  char text[64]{};
  cmsGetProfileInfoASCII(profile.get(), cmsInfoDescription, "en", "US", text,
                         sizeof text);
  std::string name(text);
  std::erase_if(name, [](unsigned char c) { return c < 32 || c > 126; });
  return name.empty() ? "a profile without a name" : name;
}

/// A usable profile of other colours than sRGB; nothing, with a note, if it is
/// not usable or not asked for.
Profile foreign_profile(Bytes icc, cmsColorSpaceSignature colors,
                        const ImageLimits& limits, ImageNotes& notes) {
  if (icc.empty()) return nullptr;
  // Most files of a set have the same profile, and a look at it costs as much
  // as decoding a small image.
  thread_local struct {
    std::vector<uint8_t> icc;
    cmsColorSpaceSignature colors{};
    std::string name;  // "" of sRGB
  } last;
  const bool is_ink = colors == cmsSigCmykData;
  if (last.colors == colors && std::ranges::equal(icc, last.icc)) {
    if (last.name.empty()) return nullptr;
    if (!limits.convert_to_srgb) {
      notes.profile = last.name;
      return nullptr;
    }
  }
  const auto remember = [&](const std::string& name) {
    last.icc.assign(icc.begin(), icc.end());
    last.colors = colors;
    last.name = name;
  };
  const auto left_alone = [&](const std::string& name, const char* why) {
    if (limits.convert_to_srgb)
      notes.remarks.push_back(
          fmt::format("pixels are not converted: its colour profile {}", why));
    else
      notes.profile = name;
    return nullptr;
  };
  Profile profile(
      cmsOpenProfileFromMem(icc.data(), cmsUInt32Number(icc.size())));
  if (!profile) return left_alone("a damaged profile", "is damaged");
  const bool has_same_colors = cmsGetColorSpace(profile.get()) == colors;
  const bool is_grey = cmsGetColorSpace(profile.get()) == cmsSigGrayData;
  if (!is_ink && is_srgb(profile, is_grey)) {
    remember("");
    return nullptr;
  }
  const auto name = description(profile);
  if (!has_same_colors)
    return left_alone(name, "is of another kind of colours");
  if (limits.convert_to_srgb) return profile;
  remember(name);
  notes.profile = name;
  return nullptr;
}

/// Perceptual, as the profile's maker chose it.
Transform to_srgb(const Profile& profile, cmsUInt32Number from,
                  cmsUInt32Number to, ImageNotes& notes) {
  const auto standard = srgb(T_COLORSPACE(to) == PT_GRAY);
  Transform transform(cmsCreateTransform(profile.get(), from, standard.get(),
                                         to, INTENT_PERCEPTUAL, 0));
  if (transform) return transform;
  notes.profile = description(profile);
  notes.remarks.push_back(
      "pixels are not converted: its colour profile leads to no other");
  return nullptr;
}

}  // namespace

Samples samples_of(Image& image) {
  return {.data = image.pixels.data(),
          .num_pixels = image.height * image.width,
          .per_pixel = image.channels};
}

void apply_profile(Bytes icc, const Samples& samples, const ImageLimits& limits,
                   ImageNotes& notes) {
  const auto layout = layout_of(samples);
  const auto profile = foreign_profile(icc, layout.colors, limits, notes);
  if (!profile) return;
  if (const auto transform =
          to_srgb(profile, layout.format, layout.format, notes))
    cmsDoTransform(transform.get(), samples.data, samples.data,
                   cmsUInt32Number(samples.num_pixels));
}

std::optional<Image> cmyk_by_profile(Bytes icc, const Image& cmyk,
                                     const ImageLimits& limits,
                                     ImageNotes& notes) {
  const auto profile = foreign_profile(icc, kCmyk.colors, limits, notes);
  if (!profile) return {};
  const auto transform = to_srgb(profile, kCmyk.format, TYPE_RGB_8, notes);
  if (!transform) return {};
  Image rgb{cmyk.height, cmyk.width, 3, {}};
  rgb.pixels.resize(size_t(rgb.height * rgb.width * 3));
  cmsDoTransform(transform.get(), cmyk.pixels.data(), rgb.pixels.data(),
                 cmsUInt32Number(rgb.height * rgb.width));
  return rgb;
}

}  // namespace calotype
