#include "datasets/folder_walk.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>
#include <utility>

#include "core/error.h"
#include "core/printable.h"
#include "images/image_format.h"
#include "images/png_recipe.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& path, const char* what, int error) {
  throw ConfigError(fmt::format("{}: {}{}", printable(path.string()), what,
                                std::strerror(error)));
}

/// Folders that archivers, viewers and systems leave among images: copies,
/// thumbnails, what was deleted.
bool is_litter(std::string_view name) {
  static constexpr std::array kNames = {"__MACOSX", "@eaDir", "$RECYCLE.BIN",
                                        "System Volume Information",
                                        "lost+found"};
  return std::ranges::find(kNames, name) != kNames.end();
}

/// Whether a folder is a training run, whose pictures are no set.
bool is_run(const fs::path& folder) {
  std::error_code ignored;
  if (!fs::is_regular_file(folder / "run.json", ignored) ||
      !fs::is_directory(folder / "state", ignored))
    return false;
  const auto run = Json::parse(std::ifstream(folder / "run.json"), nullptr,
                               /*allow_exceptions=*/false);
  return run.is_object() && run.contains("config");
}

bool shows_no_image(const fs::path& path) {
  if (lower_extension(path) != ".png") return false;
  const auto recipe = read_recipe(path);
  return recipe && is_by_product(*recipe);
}

class Walk {
 public:
  /// False for a folder that was entered before.
  bool enter(const fs::path& folder, const std::string& prefix) {
    struct stat status;
    if (::stat(folder.c_str(), &status) != 0) fail(folder, "", errno);
    if (!entered_.emplace(status.st_dev, status.st_ino).second) return false;
    std::error_code error;
    std::vector<std::string> names;
    for (fs::directory_iterator it(folder, error), end; !error && it != end;
         it.increment(error))
      names.push_back(it->path().filename().string());
    if (error) fail(folder, "cannot read the folder: ", error.value());
    // A folder that several links lead to is entered through the first of them,
    // so the order must not depend on the file system.
    std::ranges::sort(names);
    for (const auto& name : names)
      if (name[0] != '.') visit(folder / name, prefix + name);
    return true;
  }

  FolderContents contents;

 private:
  void visit(const fs::path& path, const std::string& relative) {
    struct stat status {};
    const bool exists =
        ::stat(path.c_str(), &status) == 0;  // not so: a link to nowhere
    if (exists && S_ISDIR(status.st_mode)) return visit_folder(path, relative);
    // Only regular files are ever opened: reading a pipe could wait for ever.
    bool is_image = has_image_extension(path);
    if (exists && !S_ISREG(status.st_mode))
      is_image = false;
    else if (!is_image)
      is_image = sniff_format(read_leading_bytes(path)) != ImageFormat::kNone;
    if (is_image && exists && shows_no_image(path)) is_image = false;
    if (is_image) {
      contents.images.push_back(relative);
    } else {
      contents.ignored.push_back(printable(relative));
      if (S_ISREG(status.st_mode)) contents.others.push_back(relative);
    }
  }

  void visit_folder(const fs::path& path, const std::string& relative) {
    if (is_litter(path.filename().string()) || is_run(path)) {
      contents.ignored.push_back(printable(relative + "/"));
      return;
    }
    const bool is_new = enter(path, relative + "/");
    if (relative.find('/') == std::string::npos)
      (is_new ? contents.folders : contents.doubled).push_back(relative);
  }

  std::set<std::pair<dev_t, ino_t>> entered_;
};

}  // namespace

FolderContents walk_folder(const fs::path& folder) {
  Walk walk;
  walk.enter(folder, "");
  std::ranges::sort(walk.contents.images);
  std::ranges::sort(walk.contents.ignored);
  std::ranges::sort(walk.contents.others);
  return std::move(walk.contents);
}

bool is_left_out(std::string_view path) {
  for (size_t at = 0; at < path.size();) {
    const auto slash = std::min(path.find('/', at), path.size());
    const auto part = path.substr(at, slash - at);
    if (part.starts_with('.') || (slash < path.size() && is_litter(part)))
      return true;
    at = slash + 1;
  }
  return false;
}

std::vector<uint8_t> read_leading_bytes(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<uint8_t> bytes(kSniffBytes);
  file.read(reinterpret_cast<char*>(bytes.data()),
            std::streamsize(bytes.size()));
  bytes.resize(size_t(std::max<std::streamsize>(0, file.gcount())));
  return bytes;
}

}  // namespace calotype
