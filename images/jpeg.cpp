#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <vector>

#include "core/error.h"
#include "images/codecs.h"
#include "images/color_profile.h"
#include "images/exif.h"
#include "images/jpeg_library.h"
// jerror.h wants jpeglib.h from the line above.
#include <jerror.h>

namespace calotype {
namespace {

constexpr int kExifMarker = JPEG_APP0 + 1, kProfileMarker = JPEG_APP0 + 2;

struct Warnings {
  JpegErrors errors;  // first, so that the library's pointer is ours too
  char first[JMSG_LENGTH_MAX]{};
  int64_t grey_from_row = -1;  // of the picture, where a segment is short
  bool file_ended = false;     // before its end was marked
  bool needs_all = false;      // the file's end now means missing pixels
  bool pixels_are_missing = false;
};

/// libjpeg's emit_message. The library goes on after a warning, with grey where
/// pixels are missing because the file ends.
void note(j_common_ptr info, int level) {
  if (level >= 0) return;  // no warning
  auto& warnings = *reinterpret_cast<Warnings*>(info->err);
  auto& base = warnings.errors.base;
  if (base.num_warnings++ == 0) base.format_message(info, warnings.first);
  if (base.msg_code == JWRN_JPEG_EOF) {
    warnings.file_ended = true;
    warnings.pixels_are_missing |= warnings.needs_all;
  }
  // Bits were asked for that are not there: the library looks ahead, so that
  // the end of the file alone would not say so.
  if (base.msg_code == JWRN_HIT_MARKER) {
    warnings.pixels_are_missing |= warnings.file_ended;
    if (warnings.grey_from_row < 0 && !warnings.needs_all)
      warnings.grey_from_row =
          reinterpret_cast<jpeg_decompress_struct*>(info)->output_scanline;
  }
  if (warnings.pixels_are_missing) leave_jpeg(info);
}

/// Progressive files of very many scans are a way to keep a decoder busy for
/// hours.
void limit_scans(j_common_ptr info) {
  constexpr int kMaxScans = 500;  // as many as TurboJPEG's own limit
  const auto* decompress = reinterpret_cast<jpeg_decompress_struct*>(info);
  if (decompress->input_scan_number <= kMaxScans) return;
  auto* errors = reinterpret_cast<JpegErrors*>(info->err);
  std::snprintf(errors->message, sizeof errors->message, "more than %d scans",
                kMaxScans);
  std::longjmp(errors->way_out, 1);
}

struct Decompressor {
  ~Decompressor() { jpeg_destroy_decompress(&info); }

  jpeg_decompress_struct info{};
};

class JpegReader {
 public:
  JpegReader(Bytes bytes, const std::string& where, const ImageLimits& limits)
      : where_(where), limits_(limits) {
    info_.err = jpeg_std_error(&warnings_.errors.base);
    info_.err->error_exit = leave_jpeg;
    info_.err->emit_message = note;
    progress_.progress_monitor = limit_scans;
    run([&] {
      jpeg_create_decompress(&info_);
      info_.progress = &progress_;
      jpeg_mem_src(&info_, bytes.data(), bytes.size());
      for (const int marker : {kExifMarker, kProfileMarker})
        jpeg_save_markers(&info_, marker, 0xffff);
      jpeg_read_header(&info_, TRUE);
    });
    orientation_ = find_orientation();
    profile_ = find_profile();
    choose_colors();
    choose_scale();
    check_memory();
  }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  /// 1, 3 or 4 channels; 4 are CMYK.
  Image read();

  ImageNotes notes() const;
  int orientation() const { return orientation_; }
  const std::vector<uint8_t>& profile() const { return profile_; }

 private:
  template <class Step>
  void run(const Step& step) {
    if (jpeg_does(warnings_.errors, step)) return;
    fail();
  }

  [[noreturn]] void fail() const;

  int find_orientation() const;

  /// The ICC profile, whose pieces lie in several segments (ICC.1:2022, annex
  /// B.4); nothing if there is none or a piece is missing.
  std::vector<uint8_t> find_profile() const;

  void choose_colors();
  void choose_scale();
  void check_memory();

  const std::string& where_;
  const ImageLimits& limits_;
  Warnings warnings_;
  jpeg_progress_mgr progress_{};
  Decompressor decompressor_;
  jpeg_decompress_struct& info_ = decompressor_.info;
  int eighths_ = 8;  // of the size at which it is decoded
  int orientation_ = 1;
  std::vector<uint8_t> profile_;
};

void JpegReader::fail() const {
  const auto& errors = warnings_.errors;
  if (warnings_.file_ended)
    fail_truncated(where_, "JPEG", "Premature end of JPEG file");
  switch (errors.base.msg_code) {
    case JERR_ARITH_NOTIMPL:
    case JERR_BAD_PRECISION:
    case JERR_FRACT_SAMPLE_NOTIMPL:
    case JERR_SOF_UNSUPPORTED:
      throw DataError(fmt::format("{}: this JPEG is not supported ({})", where_,
                                  errors.message));
  }
  fail_damaged(where_, "JPEG", errors.message);
}

void JpegReader::choose_colors() {
  switch (info_.jpeg_color_space) {
    case JCS_GRAYSCALE:
      info_.out_color_space = JCS_GRAYSCALE;
      break;
    case JCS_RGB:
    case JCS_YCbCr:
      info_.out_color_space = JCS_RGB;
      break;
    case JCS_CMYK:
    case JCS_YCCK:
      info_.out_color_space = JCS_CMYK;
      break;
    default:
      throw DataError(fmt::format(
          "{}: JPEG of {} components is not supported; expected grey, RGB, "
          "YCbCr, CMYK or YCCK",
          where_, info_.num_components));
  }
}

void JpegReader::choose_scale() {
  const int64_t width = info_.image_width, height = info_.image_height;
  const auto scaled = [&](int64_t side) { return (side * eighths_ + 7) / 8; };
  const auto fits = [&] {
    return scaled(width) <=
           limits_.max_pixels / std::max<int64_t>(1, scaled(height));
  };
  while (limits_.least_side > 0 && eighths_ > 1 && !fits()) --eighths_;
  if (!fits() ||
      (eighths_ < 8 && scaled(std::min(width, height)) < limits_.least_side))
    eighths_ = 8;
  if (eighths_ == 8) check_image_size(where_, "JPEG", width, height, limits_);
  info_.scale_num = unsigned(eighths_);
  info_.scale_denom = 8;
}

/// All coefficients of a file of several scans are kept until the last.
void JpegReader::check_memory() {
  warnings_.needs_all = jpeg_has_multiple_scans(&info_) || info_.arith_code;
  if (!jpeg_has_multiple_scans(&info_)) return;
  uint64_t bytes = 0;
  for (int i = 0; i < info_.num_components; ++i) {
    const auto& component = info_.comp_info[i];
    bytes += uint64_t(component.width_in_blocks) * component.height_in_blocks *
             sizeof(JBLOCK);
  }
  if (bytes > uint64_t(limits_.max_pixels) * 16)
    throw DataError(fmt::format(
        "{}: progressive JPEG of {}x{} pixels needs {} MiB, above the limit of "
        "16 bytes for each of {} pixels (--max-pixels)",
        where_, info_.image_width, info_.image_height, bytes >> 20,
        limits_.max_pixels));
}

Image JpegReader::read() {
  run([&] { jpeg_calc_output_dimensions(&info_); });
  Image image{
      info_.output_height, info_.output_width, info_.out_color_components, {}};
  const auto row_size = size_t(image.width * image.channels);
  image.pixels.resize(row_size * size_t(image.height));
  run([&] {
    jpeg_start_decompress(&info_);
    while (info_.output_scanline < info_.output_height) {
      JSAMPROW row = image.pixels.data() + info_.output_scanline * row_size;
      jpeg_read_scanlines(&info_, &row, 1);
    }
  });
  // All pixels are there: whatever stands behind them is no reason to refuse.
  warnings_.needs_all = false;
  if (!jpeg_does(warnings_.errors, [&] { jpeg_finish_decompress(&info_); }) &&
      warnings_.errors.base.num_warnings++ == 0)
    std::memcpy(warnings_.first, warnings_.errors.message,
                sizeof warnings_.first);
  return image;
}

ImageNotes JpegReader::notes() const {
  ImageNotes notes;
  const auto count = warnings_.errors.base.num_warnings;
  if (count > 0)
    notes.remarks.push_back(
        count == 1 ? std::string(warnings_.first)
                   : fmt::format("{} and {} more", warnings_.first, count - 1));
  if (const auto row = warnings_.grey_from_row; row >= 0)
    notes.remarks.push_back(
        fmt::format("pixels are missing from about row {} of {} on", row,
                    info_.output_height));
  if (eighths_ == 8) return notes;
  notes.remarks.push_back(fmt::format(
      "decoded at {}/8 of its {}x{} pixels, which are above the "
      "limit of {} (--max-pixels)",
      eighths_, info_.image_width, info_.image_height, limits_.max_pixels));
  notes.reduced_from = {info_.image_height, info_.image_width};
  if (orientation_ >= 5)
    std::swap(notes.reduced_from[0], notes.reduced_from[1]);
  return notes;
}

int JpegReader::find_orientation() const {
  for (const auto* at = info_.marker_list; at; at = at->next) {
    if (at->marker != kExifMarker) continue;
    const auto tiff = after_exif_mark(Bytes(at->data, at->data_length));
    if (!tiff.empty()) return exif_orientation(tiff);
  }
  return 1;
}

std::vector<uint8_t> JpegReader::find_profile() const {
  constexpr char kMark[] = "ICC_PROFILE";     // and the zero at its end
  constexpr size_t kHead = sizeof kMark + 2;  // number of the piece, of all
  std::map<int, Bytes> pieces;
  size_t num_pieces = 0;
  for (const auto* at = info_.marker_list; at; at = at->next) {
    if (at->marker != kProfileMarker || at->data_length < kHead ||
        std::memcmp(at->data, kMark, sizeof kMark) != 0)
      continue;
    num_pieces = at->data[kHead - 1];
    pieces.emplace(at->data[kHead - 2],
                   Bytes(at->data, at->data_length).subspan(kHead));
  }
  if (pieces.empty() || pieces.size() != num_pieces ||
      pieces.rbegin()->first != int(num_pieces))
    return {};
  std::vector<uint8_t> whole;
  for (const auto& [number, piece] : pieces)
    whole.insert(whole.end(), piece.begin(), piece.end());
  return whole;
}

/// Ink to light: what is left of white after the colour and after the black.
/// All programs that write CMYK store it inverted, with Adobe's marker or
/// without.
Image cmyk_to_rgb(const Image& cmyk) {
  Image rgb{cmyk.height, cmyk.width, 3, {}};
  rgb.pixels.resize(size_t(rgb.height * rgb.width * 3));
  auto* out = rgb.pixels.data();
  for (size_t i = 0; i < cmyk.pixels.size(); i += 4)
    for (size_t c = 0; c < 3; ++c)
      *out++ = scale_to_byte(uint64_t(cmyk.pixels[i + c]) * cmyk.pixels[i + 3],
                             255 * 255);
  return rgb;
}

}  // namespace

Picture decode_jpeg(Bytes bytes, const std::string& where,
                    const ImageLimits& limits) {
  JpegReader reader(bytes, where, limits);
  auto image = reader.read();
  auto notes = reader.notes();
  if (image.channels != 4)
    apply_profile(reader.profile(), samples_of(image), limits, notes);
  else if (auto rgb = cmyk_by_profile(reader.profile(), image, limits, notes))
    image = std::move(*rgb);
  else
    image = cmyk_to_rgb(image);
  return {apply_orientation(std::move(image), reader.orientation()),
          std::move(notes)};
}

}  // namespace calotype
