#include <fmt/format.h>
#include <gif_lib.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "images/codecs.h"

// GIF 89a, the first picture, by giflib.
namespace calotype {
namespace {

struct CloseGif {
  void operator()(GifFileType* file) const {
    int ignored = 0;
    DGifCloseFile(file, &ignored);
  }
};
using GifFile = std::unique_ptr<GifFileType, CloseGif>;

int read_gif(GifFileType* file, GifByteType* out, int size) {
  auto& rest = *static_cast<Bytes*>(file->UserData);
  const auto count = std::min(size_t(std::max(0, size)), rest.size());
  if (count > 0) std::memcpy(out, rest.data(), count);
  rest = rest.subspan(count);
  return int(count);
}

class GifReader {
 public:
  GifReader(Bytes& bytes, const std::string& where, const ImageLimits& limits)
      : where_(where), limits_(limits) {
    int error = 0;
    file_.reset(DGifOpen(&bytes, read_gif, &error));
    if (!file_) fail(error);
  }

  Picture first() {
    check_image_size(where_, "GIF", file_->SWidth, file_->SHeight, limits_);
    while (next_record() != IMAGE_DESC_RECORD_TYPE) skip_extension();
    Picture picture{.image = read_picture()};
    // What is behind the first picture is of no concern, but that it is there.
    GifRecordType type = UNDEFINED_RECORD_TYPE;
    while (DGifGetRecordType(file_.get(), &type) == GIF_OK &&
           type == EXTENSION_RECORD_TYPE && try_extension()) {
    }
    if (type == IMAGE_DESC_RECORD_TYPE)
      picture.notes.remarks.push_back("animated; its first picture is taken");
    return picture;
  }

 private:
  [[noreturn]] void fail(int error) const {
    const char* reason = GifErrorString(error);
    fail_damaged(where_, "GIF", reason ? reason : "unknown");
  }

  GifRecordType next_record() {
    GifRecordType type = UNDEFINED_RECORD_TYPE;
    if (DGifGetRecordType(file_.get(), &type) != GIF_OK) fail(file_->Error);
    if (type == TERMINATE_RECORD_TYPE)
      fail_damaged(where_, "GIF", "it has no picture");
    return type;
  }

  /// Takes the transparent colour on the way.
  bool try_extension() {
    int code = 0;
    GifByteType* block = nullptr;
    if (DGifGetExtension(file_.get(), &code, &block) != GIF_OK) return false;
    if (code == GRAPHICS_EXT_FUNC_CODE && block && block[0] >= 4 &&
        (block[1] & 1) != 0)
      transparent_ = block[4];
    while (block)
      if (DGifGetExtensionNext(file_.get(), &block) != GIF_OK) return false;
    return true;
  }

  void skip_extension() {
    if (!try_extension()) fail(file_->Error);
  }

  /// On the white screen, as far as it lies on it.
  Image read_picture() {
    if (DGifGetImageDesc(file_.get()) != GIF_OK) fail(file_->Error);
    const auto& frame = file_->Image;
    const auto* palette = frame.ColorMap ? frame.ColorMap : file_->SColorMap;
    if (!palette) fail_damaged(where_, "GIF", "it has no palette");
    if (frame.Width < 1 || frame.Height < 1)
      fail_damaged(where_, "GIF", "its picture has no pixels");
    check_image_size(where_, "GIF", frame.Width, frame.Height, limits_);
    Image image{file_->SHeight, file_->SWidth, 3, {}};
    image.pixels.assign(size_t(image.height * image.width * 3), 255);
    std::vector<GifPixelType> row(size_t(frame.Width), 0);
    const auto draw = [&](int64_t y) {
      if (DGifGetLine(file_.get(), row.data(), frame.Width) != GIF_OK)
        fail(file_->Error);
      if (frame.Top + y >= image.height) return;
      for (int64_t x = 0; x < frame.Width; ++x) {
        const int color = row[size_t(x)];
        if (color == transparent_ || frame.Left + x >= image.width) continue;
        if (color >= palette->ColorCount)
          fail_damaged(where_, "GIF", "a colour is not in its palette");
        const auto& rgb = palette->Colors[color];
        auto* out = &image.pixels[size_t(
            ((frame.Top + y) * image.width + frame.Left + x) * 3)];
        out[0] = rgb.Red;
        out[1] = rgb.Green;
        out[2] = rgb.Blue;
      }
    };
    if (!frame.Interlace) {
      for (int64_t y = 0; y < frame.Height; ++y) draw(y);
      return image;
    }
    constexpr int64_t first[] = {0, 4, 2, 1}, step[] = {8, 8, 4, 2};
    for (int pass = 0; pass < 4; ++pass)
      for (int64_t y = first[pass]; y < frame.Height; y += step[pass]) draw(y);
    return image;
  }

  GifFile file_;
  const std::string& where_;
  const ImageLimits& limits_;
  int transparent_ = -1;
};

}  // namespace

Picture decode_gif(Bytes bytes, const std::string& where,
                   const ImageLimits& limits) {
  return GifReader(bytes, where, limits).first();
}

}  // namespace calotype
