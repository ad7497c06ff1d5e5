#include "tests/datasets/image_files.h"

#include <turbojpeg.h>
#include <webp/encode.h>
#include <zlib.h>

#include <stdexcept>

#include "core/error.h"
#include "datasets/png_chunks.h"

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

FileBytes make_exif(int orientation, bool big_endian) {
  const auto value = uint8_t(orientation);
  if (big_endian)
    return {'M', 'M', 0, 42, 0, 0, 0,     8, 0, 1, 1, 0x12, 0,
            3,   0,   0, 0,  1, 0, value, 0, 0, 0, 0, 0,    0};
  return {'I', 'I', 42, 0, 8, 0,     0, 0, 1, 0, 0x12, 1, 3,
          0,   1,   0,  0, 0, value, 0, 0, 0, 0, 0,    0, 0};
}

FileBytes make_jpeg(const Image& image, int quality) {
  const auto handle = tjInitCompress();
  unsigned char* data = nullptr;
  unsigned long size = 0;
  const int layout = image.channels == 1   ? TJPF_GRAY
                     : image.channels == 4 ? TJPF_CMYK
                                           : TJPF_RGB;
  const int status = tjCompress2(handle, image.pixels.data(), int(image.width),
                                 0, int(image.height), layout, &data, &size,
                                 image.channels == 1 ? TJSAMP_GRAY : TJSAMP_444,
                                 quality, TJFLAG_ACCURATEDCT);
  FileBytes file(data, data + size);
  tjFree(data);
  tjDestroy(handle);
  if (status != 0) throw std::runtime_error("turbojpeg cannot compress");
  return file;
}

FileBytes with_exif(const FileBytes& jpeg, const FileBytes& exif) {
  FileBytes segment = {0xff, 0xe1, 0, uint8_t(exif.size() + 8)};
  for (const char c : {'E', 'x', 'i', 'f', '\0', '\0'})
    segment.push_back(uint8_t(c));
  return joined({FileBytes(jpeg.begin(), jpeg.begin() + 2), segment, exif,
                 FileBytes(jpeg.begin() + 2, jpeg.end())});
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
