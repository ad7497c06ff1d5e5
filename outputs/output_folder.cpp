#include "outputs/output_folder.h"

#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/hash.h"
#include "core/json_difference.h"
#include "core/printable.h"
#include "core/runtime.h"
#include "images/png_recipe.h"
#include "outputs/folder_files.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

constexpr const char* kManifest = ".calotype.json";
constexpr int64_t kManifestVersion = 1;

std::string hash_of(const fs::path& file) {
  return hex64(xxh64(read_file(file)));
}

/// What an earlier call has written of itself.
class Manifest {
 public:
  /// One that cannot be read proves nothing.
  explicit Manifest(const fs::path& folder) : folder_(folder) {
    if (!fs::is_regular_file(folder / kManifest)) return;
    try {
      json_ = read_json_file(folder / kManifest);
      if (!json_.value("call", Json()).is_object()) json_ = nullptr;
      if (json_.contains("files")) files_ = json_["files"];
    } catch (const std::exception&) {
      json_ = nullptr;
    }
  }

  bool is_there() const { return !json_.is_null(); }
  Json call() const { return is_there() ? json_["call"] : Json::object(); }

  /// Such a call has not said what it wrote, but nothing of that was there when
  /// it began.
  bool was_broken_off() const { return is_there() && files_.is_null(); }

  /// Whether the file is as the call has written it.
  bool lists(const std::string& file) const {
    const auto name = printable(file);
    return files_.contains(name) && files_[name] == hash_of(folder_ / file);
  }

 private:
  fs::path folder_;
  Json json_, files_;
};

}  // namespace

OutputFolder::OutputFolder(const fs::path& folder, OutputPlan plan, bool fresh)
    : folder_((folder / "").parent_path()), plan_(std::move(plan)) {
  const Json call{{"command", plan_.command}, {"settings", plan_.settings}};
  plan_.settings = Json::parse(json_text(call));  // as a manifest has it
  const Manifest manifest(folder_);
  std::vector<std::string> own, strangers;
  for (const auto& file : visible_files(folder_)) {
    const bool is_listed = manifest.lists(file);
    if (!plan_.makes(file) && !is_listed) continue;
    const bool is_own =
        is_listed || manifest.was_broken_off() || read_recipe(folder_ / file);
    (is_own ? own : strangers).push_back(file);
  }
  refuse_strangers(folder_, strangers);
  if (const auto difference = difference_text(manifest.call(), plan_.settings);
      !own.empty() && !fresh && !difference.empty())
    throw ConfigError(fmt::format(
        "{}: holds {}, of another call ({}); choose an empty folder{}",
        folder_.string(), some_of(own),
        manifest.is_there() ? difference : "which is not known",
        plan_.has_fresh ? ", or remove it with --fresh" : ""));
  to_remove_ = own;
}

void OutputFolder::begin() {
  remove_files(folder_, to_remove_);
  make_folder(folder_);
  write_manifest({});
}

void OutputFolder::finish() {
  Json files = Json::object();
  for (const auto& file : visible_files(folder_))
    if (plan_.makes(file)) files[printable(file)] = hash_of(folder_ / file);
  write_manifest(files);
  sync_all(folder_);
}

void OutputFolder::write_manifest(const std::optional<Json>& files) const {
  Json manifest{{"format_version", kManifestVersion},
                {"version", version_text()},
                {"call", plan_.settings}};
  if (files) manifest["files"] = *files;
  write_file_atomic(folder_ / kManifest, json_text(manifest, 2) + "\n");
}

}  // namespace calotype
