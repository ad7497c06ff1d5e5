// libturbojpeg's own interface cannot ask for fitted Huffman tables before
// version 3; libjpeg's can.
#include <cstdio>
// jpeglib.h wants FILE from the line above.
#include <jpeglib.h>

#include <csetjmp>
#include <cstdlib>

#include "datasets/lossy_codecs.h"

namespace calotype {
namespace {

struct Errors {
  jpeg_error_mgr base{};
  std::jmp_buf way_out{};
  char message[JMSG_LENGTH_MAX]{};
};

// The library expects that this does not return, and knows no exceptions.
[[noreturn]] void leave(j_common_ptr info) {
  auto* errors = reinterpret_cast<Errors*>(info->err);
  errors->base.format_message(info, errors->message);
  std::longjmp(errors->way_out, 1);
}

struct Compressor {
  Compressor() {
    info.err = jpeg_std_error(&errors.base);
    errors.base.error_exit = leave;
  }
  ~Compressor() { jpeg_destroy_compress(&info); }
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;

  jpeg_compress_struct info{};
  Errors errors;
  unsigned char* file = nullptr;  // by malloc, once the file is whole
  unsigned long size = 0;
};

// False with a message if the library gives up. Holds nothing that a jump out
// of the library would fail to destroy.
bool compress(Compressor& compressor, const Image& image, int quality) {
  if (setjmp(compressor.errors.way_out) != 0) return false;
  auto* info = &compressor.info;
  jpeg_create_compress(info);
  jpeg_mem_dest(info, &compressor.file, &compressor.size);
  info->image_width = JDIMENSION(image.width);
  info->image_height = JDIMENSION(image.height);
  info->input_components = int(image.channels);
  info->in_color_space = image.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(info);  // 4:2:0, baseline
  jpeg_set_quality(info, quality, TRUE);
  info->optimize_coding = TRUE;
  jpeg_start_compress(info, TRUE);
  while (info->next_scanline < info->image_height) {
    auto* row = const_cast<uint8_t*>(image.pixels.data()) +
                info->next_scanline * image.width * image.channels;
    jpeg_write_scanlines(info, &row, 1);
  }
  jpeg_finish_compress(info);
  return true;
}

#define CALOTYPE_TEXT_OF(x) #x
#define CALOTYPE_TEXT(x) CALOTYPE_TEXT_OF(x)
#ifdef LIBJPEG_TURBO_VERSION
constexpr char kLibrary[] =
    "libjpeg-turbo " CALOTYPE_TEXT(LIBJPEG_TURBO_VERSION);
#else
constexpr char kLibrary[] = "libjpeg " CALOTYPE_TEXT(JPEG_LIB_VERSION);
#endif

}  // namespace

std::vector<uint8_t> encode_jpeg(const Image& image, int quality) {
  Compressor compressor;
  // A buffer that was outgrown before the failure is the library's, not ours.
  if (!compress(compressor, image, quality))
    fail_to_encode("jpeg", image, compressor.errors.message);
  std::vector<uint8_t> file(compressor.file, compressor.file + compressor.size);
  std::free(compressor.file);
  return file;
}

std::string jpeg_settings() {
  return std::string(kLibrary) +
         ", baseline, 4:2:0, Huffman tables fitted to the image";
}

}  // namespace calotype
