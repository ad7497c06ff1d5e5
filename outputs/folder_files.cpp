#include "outputs/folder_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>

#include "core/error.h"
#include "core/files.h"
#include "core/printable.h"
#include "images/png_recipe.h"

namespace calotype {

namespace fs = std::filesystem;

std::vector<std::string> visible_files(const fs::path& folder) {
  std::vector<std::string> files;
  if (!fs::is_directory(folder)) return files;
  for (auto it = fs::recursive_directory_iterator(folder);
       it != fs::recursive_directory_iterator(); ++it) {
    if (it->path().filename().string().starts_with('.'))
      it.disable_recursion_pending();
    else if (it->is_symlink() || !it->is_directory())
      files.push_back(it->path().lexically_relative(folder).string());
  }
  std::ranges::sort(files);
  return files;
}

std::string some_of(const std::vector<std::string>& files) {
  return fmt::format("{} file{}, such as {}", files.size(),
                     files.size() == 1 ? "" : "s", printable(files.front()));
}

void remove_files(const fs::path& folder,
                  const std::vector<std::string>& files) {
  for (const auto& file : files) {
    fs::remove(folder / file);
    std::error_code not_empty;
    for (auto parent = fs::path(file).parent_path(); !parent.empty();
         parent = parent.parent_path())
      fs::remove(folder / parent, not_empty);
  }
}

void sync_all(const fs::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::syncfs(descriptor);
  ::close(descriptor);
}

void refuse_strangers(const fs::path& folder,
                      const std::vector<std::string>& files) {
  if (!files.empty())
    throw ConfigError(fmt::format(
        "{}: holds {}, which nothing proves to be of this program; choose an "
        "empty folder",
        folder.string(), some_of(files)));
}

void expect_empty(const fs::path& folder, const std::string& unless) {
  if (fs::exists(folder / unless)) return;
  const auto files = visible_files(folder);
  if (!files.empty())
    throw ConfigError(
        fmt::format("{}: holds {}, and no {}; choose an empty folder",
                    folder.string(), some_of(files), unless));
}

void expect_own_picture(const fs::path& file) {
  if (!fs::exists(fs::symlink_status(file))) return;
  const auto recipe = read_recipe(file);
  if (!recipe || !is_by_product(*recipe))
    throw ConfigError(fmt::format(
        "{}: is there, and is no {} that this program wrote; choose another "
        "--out, or move it away",
        file.string(), recipe ? "overview or strip" : "picture"));
}

void expect_own_text(const fs::path& file, const std::string& mark) {
  if (!fs::exists(fs::symlink_status(file))) return;
  constexpr size_t kHead = 1024;
  std::vector<uint8_t> head;
  if (fs::is_regular_file(file)) head = read_file_head(file, kHead);
  const auto found = std::ranges::search(head, mark);
  const bool begins = found.begin() == head.begin();
  if (found.empty() || (file.extension() == ".csv" && !begins))
    throw ConfigError(fmt::format(
        "{}: is there, and is no file that this program wrote; choose another "
        "--out, or move it away",
        file.string()));
}

}  // namespace calotype
