#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/error.h"
#include "datasets/tar_reader.h"

namespace calotype {
namespace {

class Memory : public ByteStream {
 public:
  explicit Memory(std::span<const uint8_t> bytes) : rest_(bytes) {}
  size_t read(std::span<uint8_t> out) override {
    const auto count = std::min(out.size(), rest_.size());
    std::copy_n(rest_.begin(), count, out.begin());
    rest_ = rest_.subspan(count);
    return count;
  }
  uint64_t skip(uint64_t count) override {
    const auto done = std::min<uint64_t>(count, rest_.size());
    rest_ = rest_.subspan(done);
    return done;
  }

 private:
  std::span<const uint8_t> rest_;
};

// Whatever the bytes are, a tar is read or refused, and no member lies outside.
void read_tar(std::span<const uint8_t> bytes) {
  try {
    Memory memory(bytes);
    TarReader reader(memory, "fuzz.tar");
    while (const auto member = reader.next()) {
      if (member->name.empty() || member->name.front() == '/') __builtin_trap();
      if (member->bytes > bytes.size()) continue;
      const auto content = reader.content();
      if (member->offset + content.size() > bytes.size()) __builtin_trap();
      if (!std::equal(content.begin(), content.end(),
                      bytes.begin() + std::ptrdiff_t(member->offset)))
        __builtin_trap();
    }
  } catch (const DataError&) {
  } catch (const ConfigError&) {
  }
}

}  // namespace
}  // namespace calotype

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  calotype::read_tar({data, size});
  return 0;
}
