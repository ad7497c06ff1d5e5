#include "core/memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <limits>
#include <memory>

#include "core/error.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr int64_t kMiB = 1 << 20;

TEST(ParseBytes, TakesUnitsOf1024) {
  EXPECT_EQ(parse_bytes("2097152", "x"), 2 * kMiB);
  EXPECT_EQ(parse_bytes("2097152B", "x"), 2 * kMiB);
  for (const auto* text : {"1536K", "1536KB", "1536KiB", "1.5M", "1.5MiB"})
    EXPECT_EQ(parse_bytes(text, "x"), 3 * kMiB / 2) << text;
  EXPECT_EQ(parse_bytes("8G", "x"), 8192 * kMiB);
  EXPECT_EQ(parse_bytes("1T", "x"), int64_t{1} << 40);
}

TEST(ParseBytes, RefusesWhatIsNoAmountOfMemory) {
  for (const auto* text : {"", "G", "8X", "8 G", "-8G", "1.2.3G", "8GG", "8iB",
                           "100", "1e9", "99999999999T", "nan"})
    EXPECT_THAT([&] { parse_bytes(text, "--memory"); },
                ThrowsMessage<ConfigError>(
                    std::string("--memory: expected bytes, such as 800M or 8G, "
                                "at least 1M, got ") +
                    text))
        << text;
}

TEST(FreeMemory, IsWhatTheKernelSays) {
  TempFolder folder;
  const auto file = folder / "meminfo";
  std::ofstream(file) << "MemTotal:       16000 kB\nMemFree:  100 kB\n"
                         "MemAvailable:   3000 kB\nBuffers:  5 kB\n";
  EXPECT_EQ(free_memory_bytes(file), 3000 * 1024);
  EXPECT_GT(free_memory_bytes(), 0);
}

TEST(MemoryLeft, IsTheLimitWithoutTheHeap) {
  EXPECT_EQ(memory_left(), std::numeric_limits<int64_t>::max());
  set_memory_limit(memory_in_use() + 64 * kMiB);
  EXPECT_NEAR(double(memory_left()), 64.0 * kMiB, 4.0 * kMiB);
  {
    const auto held = std::make_unique<char[]>(size_t(48 * kMiB));
    std::memset(held.get(), 1, size_t(48 * kMiB));
    EXPECT_NEAR(double(memory_left()), 16.0 * kMiB, 4.0 * kMiB);
  }
  EXPECT_NEAR(double(memory_left()), 64.0 * kMiB, 4.0 * kMiB);
  set_memory_limit(1);
  EXPECT_EQ(memory_left(), 0);
  set_memory_limit(0);
}

}  // namespace
}  // namespace calotype
