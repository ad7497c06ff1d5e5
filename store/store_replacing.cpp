#include "store/store_replacing.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

#include "core/error.h"
#include "core/files.h"
#include "core/hash.h"
#include "store/shard_list.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

/// Where the folder lies that `store` names: links stay as they are.
fs::path place_of(const fs::path& store) {
  const auto place = fs::weakly_canonical(store);
  return place.has_filename() ? place : place.parent_path();
}

fs::path hidden_beside(const fs::path& store, const char* what) {
  const auto place = place_of(store);
  return place.parent_path() /
         fmt::format(".calotype-{}-{}", what,
                     hex64(xxh64(place.filename().native())));
}

/// Where the old store lies meanwhile, if two names cannot be exchanged.
fs::path predecessor_of(const fs::path& store) {
  return hidden_beside(store, "old");
}

bool is_ours(const std::string& name) {
  return is_store_file(name) || is_left_by_a_kill(name) || name == ".lock";
}

[[noreturn]] void fail(const fs::path& store, int error) {
  throw ConfigError(fmt::format(
      "{}: the new store cannot take its place: {}; it lies whole "
      "in {}",
      store.string(), std::strerror(error), successor_of(store).string()));
}

/// What others put into the store's folder moves to `to`.
void move_strangers(const fs::path& from, const fs::path& to) {
  for (const auto& file : fs::directory_iterator(from)) {
    const auto name = file.path().filename();
    std::error_code ignored;  // then it stays, and so does its folder
    if (!is_ours(name.string()) && !fs::exists(to / name))
      fs::rename(file.path(), to / name, ignored);
  }
}

/// Removes the files of a store, and the folder if nothing else is in it.
void remove_store(const fs::path& folder) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) return;
  // store.json first: what is left over is then no store.
  fs::remove(folder / "store.json", ignored);
  for (const auto& file : fs::directory_iterator(folder))
    if (is_ours(file.path().filename().string()))
      fs::remove(file.path(), ignored);
  fs::remove(folder, ignored);
}

}  // namespace

fs::path successor_of(const fs::path& store) {
  return hidden_beside(store, "next");
}

void replace_store(const fs::path& store) {
  const auto place = place_of(store), next = successor_of(store);
  auto old = next;  // where the old store is found then
  if (::renameat2(AT_FDCWD, next.c_str(), AT_FDCWD, place.c_str(),
                  RENAME_EXCHANGE) != 0) {
    if (errno != EINVAL && errno != ENOSYS) fail(store, errno);
    old = predecessor_of(store);
    if (::rename(place.c_str(), old.c_str()) != 0 ||
        ::rename(next.c_str(), place.c_str()) != 0)
      fail(store, errno);
  }
  sync_folder(place.parent_path());
  move_strangers(old, place);
  remove_store(old);
}

void finish_replacing(const fs::path& store) {
  const auto place = place_of(store), old = predecessor_of(store);
  std::error_code ignored;
  if (!fs::is_directory(old, ignored)) return;
  const FolderLock lock(old);  // nobody writes there
  if (!fs::exists(place)) return fs::rename(old, place);
  move_strangers(old, place);
  remove_store(old);
}

void discard_successor(const fs::path& store) {
  const auto next = successor_of(store);
  std::error_code ignored;
  if (!fs::is_directory(next, ignored)) return;
  const FolderLock lock(next);  // nobody writes there
  if (fs::is_directory(store)) move_strangers(next, place_of(store));
  remove_store(next);
}

}  // namespace calotype
