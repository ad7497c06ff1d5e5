#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <unordered_set>

#include "core/crc32.h"
#include "core/error.h"
#include "core/pickle.h"
#include "core/printable.h"
#include "core/zip_archive.h"
#include "nn/torch_content.h"
#include "nn/torch_file.h"

namespace calotype {
namespace {

constexpr std::string_view kPickleName = "data.pkl";

/// The records of one folder in an archive.
class TorchRecords {
 public:
  TorchRecords(std::span<const uint8_t> bytes, const std::string& where)
      : where_(where), archive_(bytes, where) {
    find_folder();
    if (archive_.find(folder_ + "constants.pkl"))
      throw DataError(where +
                      ": is TorchScript, a program; save the state_dict of its "
                      "module where it is loaded");
  }

  std::span<const uint8_t> pickle() {
    const auto& entry = *archive_.find(folder_ + "data.pkl");
    const auto bytes = bytes_of(entry);
    check(entry, bytes);
    return bytes;
  }

  /// Before PyTorch 2.0 nobody said so, and all were little-endian.
  bool is_big_endian() const {
    const auto* entry = archive_.find(folder_ + "byteorder");
    if (!entry) return false;
    const auto bytes = bytes_of(*entry);
    const std::string_view order(reinterpret_cast<const char*>(bytes.data()),
                                 bytes.size());
    if (order != "little" && order != "big")
      throw DataError(
          fmt::format("{}: the byte order is {}, neither little nor "
                      "big",
                      where_, printable(order.substr(0, 40))));
    return order == "big";
  }

  /// The record of a storage; its checksum is looked at once.
  std::span<const uint8_t> storage(const TorchStorage& storage) {
    const auto name = fmt::format("{}data/{}", folder_, storage.key);
    const auto* entry = archive_.find(name);
    if (!entry)
      throw DataError(fmt::format("{}: there is no record {}", where_,
                                  printable(name.substr(0, 200))));
    const auto bytes = bytes_of(*entry);
    if (bytes.size() < storage.num_bytes())
      throw DataError(fmt::format(
          "{}: {} has {} bytes, and {} elements of {} should be there", where_,
          printable(name), bytes.size(), storage.num_elements,
          storage.element_size));
    if (seen_.insert(entry).second) check(*entry, bytes);
    return bytes;
  }

  bool lacks_checksums() const { return lacks_checksums_; }

 private:
  /// Throws DataError for a checksum that is wrong; 0 is none, as PyTorch
  /// writes where it is told to (torch.serialization.set_crc32_options).
  void check(const ZipEntry& entry, std::span<const uint8_t> bytes) {
    if (crc32(bytes) == entry.crc) return;
    if (entry.crc != 0)
      throw DataError(fmt::format("{}: damaged: the CRC of {} is wrong", where_,
                                  printable(entry.name)));
    lacks_checksums_ = true;
  }

  /// Of a record, whose checksum is for the caller to look at.
  std::span<const uint8_t> bytes_of(const ZipEntry& entry) const {
    if (entry.is_encrypted || entry.method != uint16_t(ZipMethod::kStored))
      throw DataError(fmt::format(
          "{}: {} is {}, and records of a checkpoint are stored", where_,
          printable(entry.name),
          entry.is_encrypted ? "encrypted" : zip_method_name(entry.method)));
    return archive_.packed(entry);
  }

  // Its name is that of the file when it was saved, or "archive".
  void find_folder() {
    const ZipEntry* found = nullptr;
    for (const auto& entry : archive_.entries()) {
      const std::string_view name = entry.name;
      if (!name.ends_with(kPickleName)) continue;
      const auto folder = name.substr(0, name.size() - kPickleName.size());
      if (!folder.empty() && !folder.ends_with('/')) continue;
      if (found)
        throw DataError(
            fmt::format("{}: a zip archive with data.pkl in {} and "
                        "in {}",
                        where_, printable(found->name), printable(name)));
      found = &entry;
      folder_ = folder;
    }
    if (!found)
      throw DataError(where_ +
                      ": a zip archive without data.pkl, which no checkpoint "
                      "of PyTorch's is");
  }

  const std::string& where_;
  ZipArchive archive_;
  std::string folder_;  // with its '/', or nothing
  std::unordered_set<const ZipEntry*> seen_;
  bool lacks_checksums_ = false;
};

}  // namespace

bool is_torch_zip(std::span<const uint8_t> bytes) {
  constexpr std::string_view kMagic = "PK\x03\x04";
  return bytes.size() >= kMagic.size() &&
         std::equal(kMagic.begin(), kMagic.end(), bytes.begin());
}

CheckpointContent read_torch_zip(std::span<const uint8_t> bytes,
                                 const std::string& where) {
  TorchRecords records(bytes, where);
  const bool big_endian = records.is_big_endian();
  const auto pickle = read_pickle(records.pickle(), where);
  auto file = torch_content(
      pickle.values,
      [&](const TorchStorage& storage) { return records.storage(storage); },
      bytes.size(), where);
  file.format = "pickle in a zip";
  for (auto& item : file.tensors) item.second.big_endian = big_endian;
  for (auto& state_dict : file.state_dicts)
    for (auto& item : state_dict.tensors) item.second.big_endian = big_endian;
  file.lacks_checksums = records.lacks_checksums();
  return file;
}

}  // namespace calotype
