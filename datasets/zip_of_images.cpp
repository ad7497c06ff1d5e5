#include <fmt/format.h>

#include <utility>

#include "core/error.h"
#include "core/mapped_file.h"
#include "core/printable.h"
#include "core/zip_archive.h"
#include "datasets/archive.h"
#include "images/inflate.h"

namespace calotype {
namespace {

class Zip : public Archive {
 public:
  explicit Zip(const std::filesystem::path& path)
      : where_(printable(path.string())),
        file_(path),
        archive_(file_.bytes(), where_) {
    for (const auto& entry : archive_.entries()) {
      archive_.expect_supported(entry);
      if (!entry.is_regular)
        throw DataError(fmt::format(
            "{}: member \"{}\" is a link or a device; only files and folders "
            "are read",
            where_, printable(entry.name)));
    }
  }

  /// `offset` is a member's place in the directory.
  std::vector<TarMember> list() const override {
    std::vector<TarMember> members;
    for (const auto& entry : archive_.entries())
      members.push_back({entry.name, members.size(), entry.bytes});
    return members;
  }

  std::span<const uint8_t> read(const TarMember& member, uint64_t max_bytes,
                                std::vector<uint8_t>& buffer) const override {
    const auto& entry = archive_.entries().at(member.offset);
    const auto content = peek(member, max_bytes, buffer);
    archive_.check_content(entry, content);
    return content;
  }

  std::span<const uint8_t> peek(const TarMember& member, uint64_t max_bytes,
                                std::vector<uint8_t>& buffer) const override {
    const auto& entry = archive_.entries().at(member.offset);
    const auto where = where_ + "/" + printable(entry.name);
    if (entry.bytes > max_bytes)
      throw DataError(
          fmt::format("{}: larger than {} bytes", where, max_bytes));
    const auto packed = archive_.packed(entry);
    if (entry.method == uint16_t(ZipMethod::kStored)) return packed;
    buffer = inflate_all(Wrapping::kNone, packed, entry.bytes, where);
    return buffer;
  }

 private:
  std::string where_;
  MappedFile file_;
  ZipArchive archive_;
};

}  // namespace

std::unique_ptr<Archive> open_zip(const std::filesystem::path& path) {
  return std::make_unique<Zip>(path);
}

}  // namespace calotype
