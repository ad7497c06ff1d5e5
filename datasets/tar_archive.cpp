#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/mapped_file.h"
#include "core/printable.h"
#include "datasets/archive.h"

namespace calotype {
namespace {

/// Memory as a stream.
class MemoryStream : public ByteStream {
 public:
  explicit MemoryStream(std::span<const uint8_t> bytes) : rest_(bytes) {}

  size_t read(std::span<uint8_t> out) override {
    const auto count = std::min(out.size(), rest_.size());
    std::copy_n(rest_.begin(), count, out.begin());
    rest_ = rest_.subspan(count);
    return count;
  }

  uint64_t skip(uint64_t count) override {
    const auto done = std::min<uint64_t>(count, rest_.size());
    rest_ = rest_.subspan(size_t(done));
    return done;
  }

 private:
  std::span<const uint8_t> rest_;
};

class Tar : public Archive {
 public:
  explicit Tar(const std::filesystem::path& path)
      : where_(printable(path.string())), file_(path) {}

  std::vector<TarMember> list() const override {
    MemoryStream stream(file_.bytes());
    TarReader reader(stream, where_);
    std::vector<TarMember> members;
    while (auto member = reader.next()) members.push_back(std::move(*member));
    return members;
  }

  std::span<const uint8_t> read(const TarMember& member, uint64_t max_bytes,
                                std::vector<uint8_t>&) const override {
    const auto bytes = file_.bytes();
    if (member.bytes > max_bytes)
      throw DataError(fmt::format("{}/{}: larger than {} bytes", where_,
                                  printable(member.name), max_bytes));
    if (member.offset > bytes.size() ||
        member.bytes > bytes.size() - member.offset)
      throw DataError(fmt::format("{}/{}: lies behind the end of the archive",
                                  where_, printable(member.name)));
    return bytes.subspan(member.offset, member.bytes);
  }

 private:
  std::string where_;
  MappedFile file_;
};

}  // namespace

std::unique_ptr<Archive> open_tar(const std::filesystem::path& path) {
  return std::make_unique<Tar>(path);
}

}  // namespace calotype
