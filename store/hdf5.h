#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <variant>
#include <vector>

// The only user of HDF5: it makes whole files in memory, and tells where the
// arrays of a file lie. The bytes themselves are written and read without it,
// so neither a full disk nor its global lock gets in the way.
namespace calotype {

/// Little-endian elements. HDF5 1.10 has neither of the 2-byte floats; they are
/// described to it bit by bit. h5py shows fp16 as float16 and bf16 as float32.
enum class Hdf5Type {
  kFloat32,
  kFloat16,
  kBfloat16,
  kUint8,
  kUint16,
  kUint32,
  kInt32,
  kInt64,
  kUint64,
  kText
};

/// An array to write. `item_bytes` is the size of one element; for text, which
/// is UTF-8 filled up with zeros, it is the length that all have.
struct Hdf5Array {
  std::string name;
  Hdf5Type type = Hdf5Type::kFloat32;
  int64_t item_bytes = 0;
  std::vector<int64_t> shape;  // every size at least 1
  const void* data = nullptr;
};

/// An attribute of the root group: int64, or UTF-8 of any length.
struct Hdf5Attribute {
  std::string name;
  std::variant<int64_t, std::string> value;
};

struct Hdf5Image {
  std::vector<uint8_t> bytes;
  int64_t header_bytes = 0;  // all that HDF5 itself reads lies before this
};

/// The bytes of an HDF5 file with contiguous, unfiltered arrays that begin at
/// multiples of 64 bytes. The same input gives the same bytes: no times are
/// kept.
Hdf5Image make_hdf5(std::span<const Hdf5Attribute> attributes,
                    std::span<const Hdf5Array> arrays);

/// Where an array lies in its file.
struct Hdf5Place {
  Hdf5Type type = Hdf5Type::kFloat32;
  int64_t item_bytes = 0;
  std::vector<int64_t> shape;
  int64_t offset = 0;      // of the first element
  int64_t size_bytes = 0;  // offset + size_bytes is within the file
};

/// An HDF5 file open for reading, trusted no further than it must be: nothing
/// that it says makes HDF5 open another file, load a plugin or read an array.
class Hdf5File {
 public:
  /// Throws DataError if the file is no HDF5 file.
  explicit Hdf5File(const std::filesystem::path& path);
  ~Hdf5File();
  Hdf5File(const Hdf5File&) = delete;
  Hdf5File& operator=(const Hdf5File&) = delete;

  /// Throws DataError unless `array` is one contiguous run of bytes of this
  /// file with elements of a type named above: no soft or external link, no
  /// external or virtual storage, no chunks, no filters, nothing past the end.
  Hdf5Place find(const std::string& array) const;

  /// Attributes of the root group. Throw DataError if missing or of another
  /// type.
  int64_t integer(const std::string& attribute) const;
  std::string text(const std::string& attribute) const;

 private:
  std::string where_;  // the path, for messages
  uint64_t file_bytes_ = 0;
  int64_t file_ = -1;
};

}  // namespace calotype
