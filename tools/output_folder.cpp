#include "tools/output_folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/hash.h"
#include "core/runtime.h"
#include "datasets/png_recipe.h"
#include "datasets/printable.h"
#include "training/run_folder.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

constexpr const char* kManifest = ".calotype.json";
constexpr int64_t kManifestVersion = 1;

std::string hash_of(const fs::path& file) {
  return hex64(xxh64(read_file(file)));
}

/// What is not UTF-8 in it is replaced.
std::string text_of(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

/// What an earlier call has written of itself; nothing if there is none, or if
/// it cannot be read.
std::optional<Json> read_manifest(const fs::path& folder) {
  if (!fs::is_regular_file(folder / kManifest)) return {};
  try {
    auto manifest = read_json_file(folder / kManifest);
    if (manifest.is_object() && manifest.value("call", Json()).is_object())
      return manifest;
  } catch (const std::exception&) {  // damaged: it proves nothing
  }
  return {};
}

/// Files below a folder but for hidden ones, sorted.
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

/// "3 files ..., such as a.png".
std::string some_of(const std::vector<std::string>& files) {
  return fmt::format("{} file{}, such as {}", files.size(),
                     files.size() == 1 ? "" : "s", printable(files.front()));
}

/// One sync for a file system's waiting writes instead of one for each picture.
void sync_all(const fs::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::syncfs(descriptor);
  ::close(descriptor);
}

}  // namespace

/// What lies in the folder, by what it is to this call.
struct OutputFolder::Contents {
  std::optional<Json> manifest;
  bool is_same_call = false;
  std::vector<std::string> own;        // written by the program
  std::vector<std::string> unasked;    // of these: not made by this call
  std::vector<std::string> strangers;  // in the way, and nobody knows whose

  Contents(const fs::path& folder, const OutputPlan& plan, const Json& call)
      : manifest(read_manifest(folder)) {
    is_same_call = manifest && (*manifest)["call"] == call;
    for (const auto& file : visible_files(folder)) {
      const bool is_listed = has_listed(folder, file);
      if (!plan.is_set && !plan.makes(file) && !is_listed) continue;
      const bool is_own =
          is_listed || is_unfinished() || read_recipe(folder / file);
      (is_own ? own : strangers).push_back(file);
      if (!plan.makes(file)) unasked.push_back(file);
    }
  }

  /// Whether the manifest is of a call that was broken off before it could list
  /// its files. None of these names was there when it began.
  bool is_unfinished() const {
    return manifest && !manifest->value("set", true) &&
           !manifest->contains("files");
  }

  /// Whether the manifest knows the file as it is.
  bool has_listed(const fs::path& folder, const std::string& file) const {
    if (!manifest) return false;
    const auto files = manifest->value("files", Json::object());
    const auto found = files.find(printable(file));
    return found != files.end() && *found == hash_of(folder / file);
  }
};

OutputFolder::OutputFolder(const fs::path& folder, OutputPlan plan, bool fresh)
    : folder_((folder / "").parent_path()), plan_(std::move(plan)) {
  const Json call{{"command", plan_.command}, {"settings", plan_.settings}};
  plan_.settings = Json::parse(text_of(call));  // as a manifest gives it back
  const Contents contents(folder_, plan_, plan_.settings);
  refuse_strangers(contents, fresh);
  if (fresh || !plan_.is_set) to_remove_ = contents.own;
}

void OutputFolder::refuse_strangers(const Contents& contents,
                                    bool fresh) const {
  const auto where = folder_.string();
  if (!contents.strangers.empty())
    throw ConfigError(fmt::format(
        "{}: holds {}, which nothing proves to be of this program; choose an "
        "empty folder",
        where, some_of(contents.strangers)));
  if (fresh || contents.own.empty()) return;
  const auto* remedy = plan_.has_fresh
                           ? "choose an empty folder, or remove it with --fresh"
                           : "choose an empty folder";
  if (!contents.manifest)
    throw ConfigError(
        fmt::format("{}: holds {}, of a call that is not known; {}", where,
                    some_of(contents.own), remedy));
  if (!contents.is_same_call)
    throw ConfigError(fmt::format(
        "{}: holds {}, of another call ({}); {}", where, some_of(contents.own),
        first_difference((*contents.manifest)["call"], plan_.settings, ""),
        remedy));
  if (plan_.is_set && !contents.unasked.empty())
    throw ConfigError(
        fmt::format("{}: holds {}, that this call does not make; {}", where,
                    some_of(contents.unasked), remedy));
}

void OutputFolder::begin() {
  for (const auto& file : to_remove_) {
    fs::remove(folder_ / file);
    std::error_code not_empty;
    for (auto parent = fs::path(file).parent_path(); !parent.empty();
         parent = parent.parent_path())
      fs::remove(folder_ / parent, not_empty);
  }
  make_folder(folder_);
  write_manifest({});
}

void OutputFolder::finish() {
  if (!plan_.is_set) {
    Json files = Json::object();
    for (const auto& file : visible_files(folder_))
      if (plan_.makes(file)) files[printable(file)] = hash_of(folder_ / file);
    write_manifest(files);
  }
  sync_all(folder_);
}

void OutputFolder::write_manifest(const std::optional<Json>& files) const {
  Json manifest{{"format_version", kManifestVersion},
                {"version", version_text()},
                {"call", plan_.settings},
                {"set", plan_.is_set}};
  if (files) manifest["files"] = *files;
  write_file_atomic(folder_ / kManifest, text_of(manifest));
}

void expect_own_picture(const fs::path& file) {
  if (fs::exists(fs::symlink_status(file)) && !read_recipe(file))
    throw ConfigError(fmt::format(
        "{}: is there, and is no picture that this program wrote; choose "
        "another --out, or move it away",
        file.string()));
}

void expect_own_text(const fs::path& file, const std::string& mark) {
  if (!fs::exists(fs::symlink_status(file))) return;
  constexpr size_t kHead = 1024;
  std::vector<uint8_t> head;
  if (fs::is_regular_file(file)) head = read_file_head(file, kHead);
  if (std::ranges::search(head, mark).empty())
    throw ConfigError(fmt::format(
        "{}: is there, and is no file that this program wrote; choose another "
        "--out, or move it away",
        file.string()));
}

void expect_empty(const fs::path& folder, const std::string& unless) {
  if (fs::exists(folder / unless)) return;
  const auto files = visible_files(folder);
  if (!files.empty())
    throw ConfigError(
        fmt::format("{}: holds {}, and no {}; choose an empty folder",
                    folder.string(), some_of(files), unless));
}

}  // namespace calotype
