#include "core/file_parts.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string_view>

#include "core/error.h"
#include "core/files.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

std::span<const uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

int num_files(const std::filesystem::path& folder) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    count += entry.is_regular_file();
  return count;
}

TEST(WritePartsAtomic, WritesThemOneAfterTheOther) {
  TempFolder folder;
  write_parts_atomic(folder / "a", [](const PartSink& sink) {
    sink(bytes_of("one, "));
    sink({});
    sink(bytes_of("two"));
  });
  EXPECT_EQ(read_text_file(folder / "a"), "one, two");
  EXPECT_EQ(num_files(folder.path()), 1);
}

TEST(WritePartsAtomic, LeavesWhatWasThereIfTheyBreakOff) {
  TempFolder folder;
  write_file_atomic(folder / "a", "before");
  EXPECT_THROW(write_parts_atomic(folder / "a",
                                  [](const PartSink& sink) {
                                    sink(bytes_of("half"));
                                    throw std::logic_error("broke off");
                                  }),
               std::logic_error);
  EXPECT_EQ(read_text_file(folder / "a"), "before");
  EXPECT_EQ(num_files(folder.path()), 1);
}

TEST(WritePartsAtomic, RefusesAFolderThatIsNotThere) {
  TempFolder folder;
  bool is_asked = false;
  EXPECT_THROW(write_parts_atomic(folder / "no" / "a",
                                  [&](const PartSink&) { is_asked = true; }),
               ConfigError);
  EXPECT_FALSE(is_asked);
}

}  // namespace
}  // namespace calotype
