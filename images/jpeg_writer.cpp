#include <algorithm>
#include <new>
#include <utility>
#include <vector>

#include "images/jpeg_library.h"
#include "images/lossy_codecs.h"

namespace calotype {
namespace {

/// Memory that libjpeg writes to. Its own (jpeg_mem_dest) is lost where it
/// gives up in the middle.
struct Memory {
  Memory() {
    base.init_destination = [](j_compress_ptr info) { grow(info); };
    base.empty_output_buffer = grow;
    base.term_destination = [](j_compress_ptr info) {
      auto& memory = of(info);
      memory.file.resize(memory.file.size() - memory.base.free_in_buffer);
    };
  }

  static Memory& of(j_compress_ptr info) {
    return *reinterpret_cast<Memory*>(info->dest);
  }

  /// Makes room behind what is full.
  static boolean grow(j_compress_ptr info) {
    auto& [base, file] = of(info);
    const auto full = file.size();
    bool has_room = true;
    try {
      file.resize(std::max<size_t>(4096, 2 * full));
    } catch (const std::bad_alloc&) {
      has_room = false;  // no exception may pass libjpeg
    }
    if (!has_room)
      leave_jpeg(reinterpret_cast<j_common_ptr>(info), "out of memory");
    base.next_output_byte = file.data() + full;
    base.free_in_buffer = file.size() - full;
    return TRUE;
  }

  jpeg_destination_mgr base{};
  std::vector<uint8_t> file;
};

struct Compressor {
  Compressor() {
    info.err = jpeg_std_error(&errors.base);
    errors.base.error_exit = leave_jpeg;
  }
  ~Compressor() { jpeg_destroy_compress(&info); }
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;

  jpeg_compress_struct info{};
  JpegErrors errors;
  Memory memory;
};

void compress(Compressor& compressor, const Image& image, int quality,
              bool fitted_tables) {
  auto* info = &compressor.info;
  jpeg_create_compress(info);
  info->dest = &compressor.memory.base;
  info->image_width = JDIMENSION(image.width);
  info->image_height = JDIMENSION(image.height);
  info->input_components = int(image.channels);
  info->in_color_space = image.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(info);  // 4:2:0, baseline
  jpeg_set_quality(info, quality, TRUE);
  info->optimize_coding = fitted_tables;
  jpeg_start_compress(info, TRUE);
  while (info->next_scanline < info->image_height) {
    auto* row = const_cast<uint8_t*>(image.pixels.data()) +
                info->next_scanline * image.width * image.channels;
    jpeg_write_scanlines(info, &row, 1);
  }
  jpeg_finish_compress(info);
}

std::vector<uint8_t> compressed(const Image& image, int quality,
                                bool fitted_tables) {
  Compressor compressor;
  if (!jpeg_does(compressor.errors,
                 [&] { compress(compressor, image, quality, fitted_tables); }))
    fail_to_encode("jpeg", image, compressor.errors.message);
  return std::move(compressor.memory.file);
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
  return compressed(image, quality, true);
}

std::vector<uint8_t> encode_plain_jpeg(const Image& image, int quality) {
  return compressed(image, quality, false);
}

std::string jpeg_settings() {
  return std::string(kLibrary) +
         ", baseline, 4:2:0, Huffman tables fitted to the image";
}

}  // namespace calotype
