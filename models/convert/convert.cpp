#include "models/convert/convert.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <exception>
#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/note.h"
#include "models/convert/conv_autoencoder.h"
#include "models/convert/diffusers.h"
#include "models/convert/dit.h"
#include "models/convert/latent_diffusion.h"
#include "models/convert/open_magvit2.h"
#include "models/convert/source_tensors.h"
#include "models/convert/taesd.h"
#include "models/pipeline_folder.h"
#include "models/registry.h"
#include "nn/checkpoint.h"
#include "nn/model_folder.h"
#include "nn/tensor_reader.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPipelineIndex = "model_index.json";
constexpr const char* kDescription = "config.json";

/// A checkpoint with what was told and found beside it.
struct Opened {
  Checkpoint checkpoint;
  StateDict weights;
  ProjectConfig project;
  CheckpointKind kind;

  std::string where() const { return checkpoint.path().string(); }
};

bool holds(const Checkpoint& checkpoint, const char* wrapper) {
  return std::ranges::any_of(
      checkpoint.state_dicts(),
      [&](const StateDict& each) { return each.wrapper == wrapper; });
}

bool has_averages(const Checkpoint& checkpoint) {
  return holds(checkpoint, "ema") && holds(checkpoint, "model");
}

/// Where the file has averages of the training (ema) and the weights of its
/// last step (model): DiT samples with the former, LlamaGen with the latter.
StateDict choose_weights(const Checkpoint& checkpoint,
                         const CheckpointKind& kind,
                         const ConvertOptions& options) {
  if (!has_averages(checkpoint)) return checkpoint.state_dict(kind.wrapper);
  const bool averaged =
      options.weights == "averaged" ||
      (options.weights == "auto" && kind.name != "llamagen_vq");
  return checkpoint.state_dict(averaged ? "ema" : "model");
}

/// Of the kinds whose names do not tell them apart, another one.
void take_at_its_word(CheckpointKind& kind, const std::string& said,
                      const fs::path& path) {
  constexpr std::array kAlike{"ldm_vq", "taming_vqgan", "taming_ema",
                              "seed_ibq"};
  const auto is_one = [&](const std::string& name) {
    return std::ranges::find(kAlike, name) != kAlike.end();
  };
  if (!is_one(kind.name) || !is_one(said))
    throw ConfigError(fmt::format(
        "{}: is {} by its names ({}), which --kind {} cannot change",
        path.string(), kind.what, kind.name, said));
  kind.name = said;
  kind.guess.clear();
}

Opened open(const fs::path& path, const ConvertOptions& options) {
  auto checkpoint = Checkpoint::open(path);
  auto project = options.config.empty() ? find_project_config(path)
                                        : read_project_config(options.config);
  auto kind = kind_of(checkpoint, project_target(project.json));
  if (options.kind != "auto") take_at_its_word(kind, options.kind, path);
  auto weights = choose_weights(checkpoint, kind, options);
  return {.checkpoint = std::move(checkpoint),
          .weights = std::move(weights),
          .project = std::move(project),
          .kind = std::move(kind)};
}

/// Under their names without what wrappers of networks put in front; what has
/// no such name is left out.
SourceTensors source_of(const Opened& opened) {
  std::map<std::string, SourceTensors::Stored> tensors;
  const auto& prefix = opened.kind.prefix;
  for (const auto& [name, stored] : opened.weights.tensors)
    if (name.starts_with(prefix))
      tensors[name.substr(prefix.size())] = {
          .shape = stored.shape,
          .read = [stored] { return read_tensor(stored); }};
  return SourceTensors(opened.where(), std::move(tensors));
}

/// What became of the file's tensors, the weights and what lies beside them.
void account(const Opened& opened, const SourceTensors& source,
             Conversion& result) {
  result.num_used += source.num_used();
  for (const auto& [why, count] : source.aside()) result.aside[why] += count;
  for (auto& name : source.left_over())
    result.left_over.push_back(std::move(name));
  const auto beside =
      int64_t(opened.checkpoint.tensors().size()) - source.num_tensors();
  if (beside > 0)
    result.aside["beside the weights: optimizer, other weights and the like"] +=
        beside;
  for (const auto& each : opened.checkpoint.left_out())
    result.left_over.push_back(fmt::format("{} ({})", each.name, each.why));
}

ConvertContext context_of(const Opened& opened, const ConvertOptions& options) {
  return {.where = opened.where(),
          .kind = opened.kind,
          .project = opened.project,
          .options = options};
}

Conversion single(const Opened& opened, ConvertedModel model) {
  Conversion result{.kind = opened.kind};
  result.models.emplace_back("", std::move(model));
  return result;
}

ConvertedModel autoencoder(const Opened& opened, const ConvertContext& context,
                           SourceTensors& source) {
  SourcePart part(source, "");
  if (context.wants_averages() && part.use_averages("", "model_ema."))
    note(context.where +
         ": moving averages are taken (--weights plain takes the last "
         "weights)");
  auto* const convert = opened.kind.name == "seed_open_magvit2"
                            ? convert_open_magvit2
                            : convert_ldm_autoencoder;
  auto model =
      convert(context, constructor_arguments(opened.project.json), part);
  source.set_aside("model_ema.", "moving averages that are not taken");
  return model;
}

/// The other half of TAESD: called alike, or the only one beside this file.
fs::path other_half_of(const fs::path& file, bool is_encoder) {
  const std::string own = is_encoder ? "encoder" : "decoder",
                    other = is_encoder ? "decoder" : "encoder";
  auto name = file.filename().string();
  if (const auto at = name.rfind(own); at != std::string::npos) {
    const auto path = file.parent_path() / name.replace(at, own.size(), other);
    if (fs::is_regular_file(path)) return path;
  }
  throw ConfigError(fmt::format(
      "{}: is TAESD's {} alone; its {} must lie beside it, its name alike but "
      "for that word",
      file.string(), own, other));
}

Conversion taesd(const Opened& one, const Opened& other,
                 const ConvertOptions& options) {
  const bool in_order = one.kind.part == "encoder";
  const auto& first = in_order ? one : other;
  const auto& second = in_order ? other : one;
  if (first.kind.part != "encoder" || second.kind.part != "decoder")
    throw ConfigError(fmt::format(
        "{} and {}: expected an encoder and a "
        "decoder of TAESD, got {} and {}",
        one.where(), other.where(), one.kind.what, other.kind.what));
  auto encoder = source_of(first), decoder = source_of(second);
  auto context = context_of(first, options);
  context.kind.what = "TAESD";
  auto result = single(first, convert_taesd(context, SourcePart(encoder, ""),
                                            SourcePart(decoder, "")));
  result.kind.what = context.kind.what;
  account(first, encoder, result);
  account(second, decoder, result);
  return result;
}

/// TAESD of one file, or of this one and that beside it.
Conversion convert_taesd_file(const Opened& opened,
                              const ConvertOptions& options) {
  if (!opened.kind.part.empty()) {
    const auto other =
        other_half_of(opened.checkpoint.path(), opened.kind.part == "encoder");
    return taesd(opened, open(other, options), options);
  }
  auto source = source_of(opened);
  auto result = single(opened, convert_taesd(context_of(opened, options),
                                             SourcePart(source, "encoder."),
                                             SourcePart(source, "decoder.")));
  account(opened, source, result);
  return result;
}

/// Why a file that is sound becomes no model here.
[[noreturn]] void refuse_kind(const Opened& opened) {
  const auto& kind = opened.kind;
  if (!kind.read_by.empty())
    throw NoClassHere(fmt::format(
        "{}: {}, which is no model of images; {} takes the file as it is",
        opened.where(), kind.what, kind.read_by));
  if (kind.name.starts_with("diffusers"))
    throw ConfigError(fmt::format(
        "{}: weights of diffusers, whose config.json must lie beside them",
        opened.where()));
  if (kind.name == "unknown")
    throw NoClassHere(fmt::format("{}: {}; its names are such as {}",
                                  opened.where(), kind.what,
                                  opened.weights.tensors.empty()
                                      ? "none"
                                      : opened.weights.tensors.begin()->first));
  throw NoClassHere(fmt::format(
      "{}: {} ({}) has no class here{}", opened.where(), kind.what, kind.name,
      kind.remarks.empty() ? "" : ": " + kind.remarks.front()));
}

bool is_one_of(const std::string& name,
               std::initializer_list<const char*> names) {
  return std::ranges::any_of(names,
                             [&](const char* each) { return name == each; });
}

/// The checkpoint of one file that is no model of diffusers.
Conversion convert_file(const Opened& opened, const ConvertOptions& options) {
  const auto& name = opened.kind.name;
  if (!opened.kind.guess.empty())
    note(fmt::format("{}: {} (--kind)", opened.where(), opened.kind.guess));
  if (has_averages(opened.checkpoint))
    note(fmt::format("{}: takes {} (--weights {} takes the others)",
                     opened.where(),
                     opened.weights.wrapper == "ema"
                         ? "the averages of the training, ema"
                         : "the weights of the last step, model, and not ema",
                     opened.weights.wrapper == "ema" ? "plain" : "averaged"));
  if (name == "taesd") return convert_taesd_file(opened, options);
  const auto context = context_of(opened, options);
  auto source = source_of(opened);
  Conversion result{.kind = opened.kind};
  if (is_one_of(name, {"ldm_autoencoder_kl", "ldm_vq", "taming_vqgan",
                       "taming_ema", "seed_ibq", "seed_open_magvit2"}))
    result = single(opened, autoencoder(opened, context, source));
  else if (name.starts_with("ldm_"))
    result = convert_latent_diffusion(context, source);
  else if (name == "llamagen_vq")
    result = single(opened, convert_llamagen(context, SourcePart(source, "")));
  else if (name == "dit")
    result = single(opened, convert_dit(context, SourcePart(source, "")));
  else
    refuse_kind(opened);
  account(opened, source, result);
  return result;
}

bool is_of_diffusers(const fs::path& folder) {
  const auto path = folder / kDescription;
  return fs::is_regular_file(path) &&
         read_json_file(path).contains("_class_name");
}

/// Files of a folder that may be checkpoints, by their endings.
std::vector<fs::path> checkpoints_in(const fs::path& folder) {
  static const std::set<std::string> endings{".ckpt", ".pt", ".pth", ".bin",
                                             ".safetensors"};
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_regular_file() &&
        endings.contains(entry.path().extension().string()))
      files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

Conversion diffusers_folder(const fs::path& folder, const fs::path& weights) {
  const auto checkpoint = Checkpoint::open(weights);
  Conversion result{.kind = kind_of(checkpoint, "")};
  result.models.emplace_back("", convert_diffusers(folder, weights));
  result.num_used = int64_t(checkpoint.state_dict().tensors.size());
  return result;
}

/// The checkpoints of known kinds in a folder.
std::vector<Opened> known_in(const fs::path& folder,
                             const ConvertOptions& options) {
  std::vector<Opened> known;
  const auto files = checkpoints_in(folder);
  std::exception_ptr first_error;
  for (const auto& file : files) try {
      auto opened = open(file, options);
      if (files.size() == 1 || opened.kind.name != "unknown")
        known.push_back(std::move(opened));
    } catch (const DataError&) {
      // It may be no checkpoint: diffusers leaves training_args.bin, say.
      if (!first_error) first_error = std::current_exception();
    }
  if (known.empty() && first_error) std::rethrow_exception(first_error);
  return known;
}

Conversion convert_folder(const fs::path& folder,
                          const ConvertOptions& options) {
  if (fs::exists(folder / kPipelineIndex))
    return convert_diffusers_pipeline(folder);
  if (is_of_diffusers(folder)) return diffusers_folder(folder, folder);
  const auto known = known_in(folder, options);
  if (known.empty())
    throw ConfigError(
        fmt::format("{}: holds neither a model nor a checkpoint that is known",
                    folder.string()));
  if (known.size() == 1) return convert_file(known[0], options);
  if (known.size() == 2 && known[0].kind.name == "taesd" &&
      known[0].kind.part != known[1].kind.part)
    return taesd(known[0], known[1], options);
  std::vector<std::string> names;
  for (const auto& each : known)
    names.push_back(each.checkpoint.path().filename().string());
  throw ConfigError(fmt::format("{}: holds several checkpoints, name one: {}",
                                folder.string(), fmt::join(names, ", ")));
}

/// Holds each model to its class, and gives it all keys of that.
void fit_to_classes(Conversion& conversion, const std::string& where) {
  for (auto& [name, model] : conversion.models) {
    const auto* known = find_model_class(model.class_name);
    const auto made = known->make(model.config);
    load_weights(*made.module, model.weights, where);
    auto config = made.config;
    leave_out_own_keys(config, model.config);
    model.config = std::move(config);
    model.weights.metadata["format"] = "pt";
  }
}

}  // namespace

Conversion convert_checkpoint(const fs::path& path,
                              const ConvertOptions& options) {
  if (!fs::exists(path))
    throw ConfigError(path.string() + ": no such file or folder");
  Conversion result = [&] {
    if (fs::is_directory(path)) return convert_folder(path, options);
    const auto folder = fs::absolute(path).parent_path();
    auto opened = open(path, options);
    if (opened.kind.name.starts_with("diffusers") && is_of_diffusers(folder))
      return diffusers_folder(folder, path);
    return convert_file(opened, options);
  }();
  expect_heads_wanted(options, result.kind, path.string());
  fit_to_classes(result, path.string());
  return result;
}

bool is_of_conversion(const fs::path& file) {
  static const std::set<std::string> names{
      kDescription, kWeightsName, kPipelineIndex, "scheduler_config.json"};
  return names.contains(file.filename().string());
}

void write_conversion(const fs::path& folder, const Conversion& conversion) {
  for (const auto& [name, model] : conversion.models)
    save_model_folder(folder / name, model.class_name, model.config,
                      model.weights);
  if (conversion.pipeline.empty()) return;
  std::vector<std::pair<std::string, std::string>> parts;
  if (conversion.scheduler) {
    make_folder(folder / "scheduler");
    write_scheduler_config(folder / "scheduler" / "scheduler_config.json",
                           *conversion.scheduler);
    parts.emplace_back("scheduler", conversion.scheduler->class_name);
  }
  for (const auto& [name, model] : conversion.models)
    parts.emplace_back(name, model.class_name);
  write_pipeline_index(folder, conversion.pipeline, conversion.pipeline_keys,
                       parts);
}

}  // namespace calotype
