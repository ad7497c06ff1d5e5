#include "tools/convert.h"

#include <algorithm>
#include <string>
#include <system_error>
#include <vector>

#include "core/error.h"
#include "models/convert/convert.h"
#include "nn/model_folder.h"
#include "outputs/apart.h"
#include "outputs/output_folder.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

int64_t num_numbers(const TensorFile& file) {
  int64_t count = 0;
  for (const auto& [name, tensor] : file.tensors) count += tensor.numel();
  return count;
}

/// What was asked for, without what is not: a call with the same settings
/// writes the same files.
Json settings_of(const ConvertJob& job) {
  const auto& options = job.options;
  Json settings{
      {"source", fs::absolute(job.source).lexically_normal().string()},
      {"kind", options.kind},
      {"weights", options.weights}};
  if (!options.config.empty())
    settings["config"] =
        fs::absolute(options.config).lexically_normal().string();
  const auto add = [&](const char* key, const auto& value) {
    if (value) settings[key] = *value;
  };
  add("heads", options.heads);
  add("head_channels", options.head_channels);
  add("scaling_factor", options.scaling_factor);
  add("sample_size", options.sample_size);
  return settings;
}

Json described(const fs::path& folder, const ConvertedModel& model) {
  return {{"class", model.class_name},
          {"tensors", model.weights.tensors.size()},
          {"parameters", num_numbers(model.weights)},
          {"sha256", weights_sha256(open_model_folder(folder))}};
}

Json result_of(const ConvertJob& job, const Conversion& conversion) {
  Json result{{"folder", job.out.string()}, {"kind", conversion.kind.name}};
  if (conversion.pipeline.empty()) {
    result.update(described(job.out, conversion.models.front().second));
  } else {
    result["class"] = conversion.pipeline;
    for (const auto& [name, model] : conversion.models)
      result["parts"][name] = described(job.out / name, model);
  }
  auto& source = result["source"];
  source["used"] = conversion.num_used;
  int64_t aside = 0;
  for (const auto& [why, count] : conversion.aside) aside += count;
  source["set_aside"] = aside;
  for (const auto& [why, count] : conversion.aside) source["why"][why] = count;
  source["left_over"] = conversion.left_over;
  return result;
}

}  // namespace

Json convert(const ConvertJob& job) {
  if (!fs::exists(job.source))
    throw ConfigError(job.source.string() + ": no such file or folder");
  if (fs::exists(job.out / "run.json"))
    throw ConfigError(job.out.string() +
                      ": holds a training run; choose another --out");
  expect_apart(job.out, {}, {job.source});
  OutputFolder folder(
      job.out,
      {.command = "convert",
       .settings = settings_of(job),
       .makes = [](const std::string& file) { return is_of_conversion(file); }},
      job.fresh);
  const auto conversion = convert_checkpoint(job.source, job.options);
  folder.begin();
  write_conversion(job.out, conversion);
  folder.finish();
  return result_of(job, conversion);
}

}  // namespace calotype
