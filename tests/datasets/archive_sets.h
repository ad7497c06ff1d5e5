#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/note.h"
#include "tests/datasets/small_images.h"
#include "tests/support/archives.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace calotype {

struct File {
  std::string name;
  std::string content;
};

inline std::string png(uint8_t value) {
  const auto bytes = small_png(value);
  return {bytes.begin(), bytes.end()};
}

inline std::string tar_of(const std::vector<File>& files) {
  std::vector<TarPart> parts;
  for (const auto& file : files)
    parts.push_back({.name = file.name, .content = file.content});
  return make_tar(parts);
}

inline std::string zip_of(const std::vector<File>& files, bool deflates) {
  std::vector<ZipPart> parts;
  for (const auto& file : files)
    parts.push_back({.name = file.name,
                     .content = file.content,
                     .deflates = deflates,
                     .sizes_follow = deflates});
  return make_zip(parts);
}

inline FileBytes bytes_from(const std::string& text) {
  return {text.begin(), text.end()};
}

class Archives : public testing::Test {
 protected:
  Archives() {
    ::setenv("XDG_CACHE_HOME", (root / "cache").c_str(), 1);
    take_notes();
  }

  std::string write(const std::string& name, const std::string& content) {
    put(root / name, bytes_from(content));
    return (root / name).string();
  }

  /// As if it had been written a while ago.
  static void settle(const std::string& path) {
    const timespec times[2] = {{1'000'000'000, 0}, {1'000'000'000, 0}};
    ::utimensat(AT_FDCWD, path.c_str(), times, 0);
  }

  std::string refusal(const std::string& name, const std::string& content) {
    const auto path = write(name, content);
    return message_of<DataError>([&] { open_source(path); });
  }

  TempFolder root;
};

}  // namespace calotype
