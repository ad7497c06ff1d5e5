#include "models/pipeline_folder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "core/error.h"
#include "core/files.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

constexpr const char* kIndexName = "model_index.json";

struct PipelineClass {
  const char* name;
  const char* denoiser;
  const char* codec;
};

constexpr PipelineClass kPipelineClasses[] = {
    {"LDMPipeline", "unet", "vqvae"},
    {"DiTPipeline", "transformer", "vae"},
};

Json read_index(const fs::path& path) {
  auto index = read_json_object(path / kIndexName);
  if (!index.contains("_class_name") || !index["_class_name"].is_string())
    throw DataError(
        fmt::format("{}: no _class_name", (path / kIndexName).string()));
  return index;
}

/// Whether a value of the index names a part: [library, class].
bool is_part(const Json& value) {
  return value.is_array() && value.size() == 2 && value[0].is_string() &&
         value[1].is_string();
}

const PipelineClass& find_class(const Json& index, const std::string& where) {
  const auto name = index["_class_name"].get<std::string>();
  std::vector<std::string> names;
  for (const auto& known : kPipelineClasses) {
    if (name == known.name) return known;
    names.emplace_back(known.name);
  }
  throw ConfigError(fmt::format("{}: there is no {} here; known are {}", where,
                                name, fmt::join(names, ", ")));
}

/// Throws ConfigError unless the index names the part `name`, of diffusers.
void expect_part(const Json& index, const std::string& name,
                 const std::string& where) {
  if (!index.contains(name) || !is_part(index[name]))
    throw ConfigError(
        fmt::format("{}: {} needs a part {}, which is not named", where,
                    index["_class_name"].get<std::string>(), name));
  const auto library = index[name][0].get<std::string>();
  if (library != "diffusers")
    throw ConfigError(
        fmt::format("{}: its {} is a {} of {}, which has no class here", where,
                    name, index[name][1].get<std::string>(), library));
}

/// Throws ConfigError for a part that has no place in the pipeline.
void refuse_other_parts(const Json& index, const PipelineClass& known,
                        const std::string& where) {
  for (const auto& [key, value] : index.items())
    if (is_part(value) && key != known.denoiser && key != known.codec &&
        key != "scheduler")
      throw ConfigError(fmt::format(
          "{}: has a {} ({}), which has no class here and no place in a {}",
          where, key, value[1].get<std::string>(), known.name));
}

std::map<int64_t, std::string> read_labels(const Json& index,
                                           const std::string& where) {
  std::map<int64_t, std::string> labels;
  const auto found = index.find("id2label");
  if (found == index.end() || found->is_null()) return labels;
  const auto fail = [&](const std::string& got) {
    throw DataError(
        fmt::format("{}: id2label must be names by number of the class, got {}",
                    where, got));
  };
  if (!found->is_object()) fail(json_text(*found).substr(0, 80));
  for (const auto& [key, name] : found->items()) {
    int64_t number = -1;
    const auto* end = key.data() + key.size();
    const auto [stop, error] = std::from_chars(key.data(), end, number);
    if (error != std::errc() || stop != end || number < 0 ||
        std::to_string(number) != key || !name.is_string())
      fail(fmt::format("\"{}\": {}", key, json_text(name).substr(0, 80)));
    labels[number] = name.get<std::string>();
  }
  return labels;
}

/// A part's folder, which must be there.
fs::path part_of(const fs::path& path, const char* name) {
  if (!fs::is_directory(path / name))
    throw ConfigError(fmt::format("{}: its {} is not there", path.string(),
                                  (path / name).string()));
  return path / name;
}

}  // namespace

bool is_pipeline_folder(const fs::path& path) {
  return fs::exists(path / kIndexName) && !fs::exists(path / "config.json");
}

PipelineFolder open_pipeline_folder(const fs::path& path) {
  const auto where = (path / kIndexName).string();
  const auto index = read_index(path);
  const auto& known = find_class(index, where);
  for (const char* name : {known.denoiser, known.codec, "scheduler"})
    expect_part(index, name, where);
  refuse_other_parts(index, known, where);
  return {.path = path,
          .class_name = known.name,
          .denoiser = part_of(path, known.denoiser),
          .codec = part_of(path, known.codec),
          .scheduler = part_of(path, "scheduler") / "scheduler_config.json",
          .class_names = read_labels(index, where)};
}

void write_pipeline_index(
    const fs::path& path, const std::string& class_name, const Json& keys,
    const std::vector<std::pair<std::string, std::string>>& parts) {
  Json index{{"_class_name", class_name}};
  index.update(keys);
  for (const auto& [name, part] : parts) index[name] = {"diffusers", part};
  write_file_atomic(path / kIndexName, json_text(index, 2) + "\n");
}

fs::path codec_folder(const fs::path& path) {
  if (!is_pipeline_folder(path)) return path;
  const auto index = read_index(path);
  for (const char* name : {"vae", "vqvae"})
    if (index.contains(name) && is_part(index[name]))
      return part_of(path, name);
  throw ConfigError(fmt::format(
      "{}: is a {}, which has neither a vae nor a vqvae to encode with",
      path.string(), index["_class_name"].get<std::string>()));
}

fs::path denoiser_folder(const fs::path& path) {
  return is_pipeline_folder(path) ? open_pipeline_folder(path).denoiser : path;
}

}  // namespace calotype
