#include "tests/images/image_files.h"

#include <cstdio>
// jpeglib.h wants FILE from the line above.
#include <jpeglib.h>
#include <webp/encode.h>
#include <zlib.h>

#include <cstdlib>

#include "core/error.h"
#include "images/png_chunks.h"

namespace calotype {

FileBytes make_png(const RawPng& png) {
  FileBytes header;
  append_big_endian_32(header, png.width);
  append_big_endian_32(header, png.height);
  header.insert(header.end(),
                {png.bits, png.color_type, 0, 0, uint8_t(png.interlaced)});
  FileBytes file(std::begin(kPngSignature), std::end(kPngSignature));
  append_png_chunk(file, "IHDR", header);
  for (const auto& [type, data] : png.chunks)
    append_png_chunk(file, type, data);
  append_png_chunk(file, "IDAT", deflated(png.rows));
  append_png_chunk(file, "IEND", {});
  return file;
}

FileBytes deflated(const FileBytes& bytes) {
  FileBytes out(compressBound(bytes.size()));
  uLongf size = out.size();
  compress2(out.data(), &size, bytes.data(), bytes.size(), 9);
  out.resize(size);
  return out;
}

FileBytes gzipped(const FileBytes& bytes) {
  FileBytes out(compressBound(bytes.size()) + 64);
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  stream.next_in = const_cast<uint8_t*>(bytes.data());
  stream.avail_in = uInt(bytes.size());
  stream.next_out = out.data();
  stream.avail_out = uInt(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

FileBytes make_exif(int orientation, bool big_endian, uint8_t type) {
  const auto value = uint8_t(orientation);
  // Where the value's last byte lies depends on its size.
  const bool is_byte = type == 1 || type == 6;
  const bool is_long = type == 4 || type == 9;
  if (!big_endian)
    return {'I', 'I', 42, 0, 8, 0,     0, 0, 1, 0, 0x12, 1, type,
            0,   1,   0,  0, 0, value, 0, 0, 0, 0, 0,    0, 0};
  FileBytes exif = {'M',  'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0,
                    type, 0,   0, 0,  1, 0, 0, 0, 0, 0, 0, 0,    0};
  exif[is_byte ? 18 : is_long ? 21 : 19] = value;
  return exif;
}

FileBytes make_jpeg(const Image& image, const JpegSettings& settings) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);  // which ends the test if it gives up
  jpeg_create_compress(&info);
  unsigned char* data = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &data, &size);
  info.image_width = JDIMENSION(image.width);
  info.image_height = JDIMENSION(image.height);
  info.input_components = int(image.channels);
  info.in_color_space = image.channels == 1   ? JCS_GRAYSCALE
                        : image.channels == 4 ? JCS_CMYK
                                              : JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, settings.quality, TRUE);
  if (settings.ycck) jpeg_set_colorspace(&info, JCS_YCCK);
  if (image.channels == 4) info.write_Adobe_marker = settings.adobe_marker;
  for (int i = 0; i < info.num_components; ++i) {
    const auto factors = settings.sampling.empty()
                             ? std::array<int, 2>{1, 1}
                             : settings.sampling[size_t(i)];
    info.comp_info[i].h_samp_factor = factors[0];
    info.comp_info[i].v_samp_factor = factors[1];
  }
  if (settings.progressive) jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    auto* row = const_cast<uint8_t*>(image.pixels.data()) +
                info.next_scanline * image.width * image.channels;
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  FileBytes file(data, data + size);
  std::free(data);
  return file;
}

FileBytes make_jpeg(const Image& image, int quality) {
  return make_jpeg(image, JpegSettings{.quality = quality});
}

FileBytes with_segment(const FileBytes& jpeg, uint8_t marker,
                       const FileBytes& body) {
  const auto size = body.size() + 2;
  return joined({FileBytes(jpeg.begin(), jpeg.begin() + 2),
                 {0xff, marker, uint8_t(size >> 8), uint8_t(size)},
                 body,
                 FileBytes(jpeg.begin() + 2, jpeg.end())});
}

FileBytes with_exif(const FileBytes& jpeg, const FileBytes& exif) {
  return with_segment(jpeg, 0xe1,
                      joined({bytes_of(std::string("Exif\0\0", 6)), exif}));
}

FileBytes with_webp_chunks(const FileBytes& simple, int width, int height,
                           const FileBytes& icc, const FileBytes& exif) {
  const auto chunk = [](const char* name, const FileBytes& body) {
    if (body.empty()) return FileBytes{};
    return joined({bytes_of(name), little_endian({{uint32_t(body.size()), 4}}),
                   body, FileBytes(body.size() % 2)});
  };
  const uint32_t flags = (icc.empty() ? 0 : 0x20) | (exif.empty() ? 0 : 0x08);
  const auto body =
      joined({bytes_of("WEBPVP8X"),
              little_endian({{10, 4},
                             {flags, 4},
                             {uint32_t(width - 1), 3},
                             {uint32_t(height - 1), 3}}),
              chunk("ICCP", icc), FileBytes(simple.begin() + 12, simple.end()),
              chunk("EXIF", exif)});
  return joined(
      {bytes_of("RIFF"), little_endian({{uint32_t(body.size()), 4}}), body});
}

FileBytes make_webp(const FileBytes& samples, int width, int height,
                    int num_samples) {
  uint8_t* data = nullptr;
  const auto encode =
      num_samples == 4 ? WebPEncodeLosslessRGBA : WebPEncodeLosslessRGB;
  const size_t size =
      encode(samples.data(), width, height, width * num_samples, &data);
  FileBytes file(data, data + size);
  WebPFree(data);
  return file;
}

FileBytes little_endian(std::vector<std::pair<uint32_t, int>> numbers) {
  FileBytes bytes;
  for (auto [value, size] : numbers)
    for (; size > 0; --size, value >>= 8) bytes.push_back(uint8_t(value));
  return bytes;
}

FileBytes bytes_of(const std::string& text) {
  return {text.begin(), text.end()};
}

FileBytes joined(std::vector<FileBytes> parts) {
  FileBytes all;
  for (const auto& part : parts)
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

Image gradient(int64_t height, int64_t width, int64_t channels) {
  Image image{height, width, channels, {}};
  for (int64_t i = 0; i < height * width * channels; ++i)
    image.pixels.push_back(uint8_t(i * 37 % 251));
  return image;
}

std::string data_error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const DataError& error) {
    return error.what();
  }
  return "";
}

std::string config_error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

}  // namespace calotype
