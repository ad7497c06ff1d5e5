#include "tools/begin_with.h"

#include <fmt/format.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>

#include "core/error.h"
#include "core/latent_scale.h"
#include "core/note.h"
#include "core/random.h"
#include "models/shared_weights.h"
#include "tools/stored_config.h"
#include "training/frozen_part.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

// See ModelFolder.
constexpr const char* kLatentsOf = "_latents_of";

/// Whether one image of noise has the same latents, bit for bit.
bool encode_alike(LatentCodec& a, LatentCodec& b) {
  if (a.image_channels() != b.image_channels() ||
      a.downsample() != b.downsample() || a.fixed_size() != b.fixed_size())
    return false;
  const torch::InferenceMode inference;
  const auto edge = a.fixed_size().value_or(8 * a.downsample());
  const auto image =
      normal_rows({a.image_channels(), edge, edge},
                  torch::zeros({1}, torch::kLong), 0, Stream::kSynthetic);
  const auto latents = [&](LatentCodec& codec) {
    const bool trains = codec.module().is_training();
    codec.module().eval();
    auto grid = codec.encode(image);
    codec.module().train(trains);
    return grid;
  };
  const auto first = latents(a), second = latents(b);
  const auto equal = [](const at::Tensor& x, const at::Tensor& y) {
    return x.defined() == y.defined() && (!x.defined() || torch::equal(x, y));
  };
  return equal(first.mean, second.mean) && equal(first.logvar, second.logvar);
}

/// Whether `model` encodes as `initial` does, and will after a training that
/// leaves `frozen` as it is.
bool keeps_latents(const InitialModel& initial, const AnyModel& model,
                   const std::vector<std::string>& frozen) {
  if (!initial.model.codec || !model.codec) return false;
  const auto stays = [&](const std::string& name) {
    return is_of_decoder(name) ||
           std::ranges::find(frozen, name) != frozen.end();
  };
  return std::ranges::all_of(model.module->named_parameters().keys(), stays) &&
         std::ranges::all_of(model.module->named_buffers().keys(), stays) &&
         encode_alike(*initial.model.codec, *model.codec);
}

/// What an encoder makes has the scale of the model that it was trained in.
void expect_same_scale(const InitialModel& initial, const AnyModel& model) {
  const auto before = latent_scale(initial.model.config),
             now = latent_scale(model.config);
  if (before != now)
    throw ConfigError(fmt::format(
        "config: model.scaling_factor and shift_factor must be {:g} and {:g}, "
        "those of {}, whose encoder stays as it is; got {:g} and {:g}",
        before.scale, before.shift, initial.where, now.scale, now.shift));
}

void add_once(std::vector<std::string>& list, const std::string& text) {
  if (std::ranges::find(list, text) == list.end()) list.push_back(text);
}

void expect_trained_last_layer(const TrainConfig& config,
                               const std::vector<std::string>& frozen) {
  constexpr const char* kLastLayer = "decoder.conv_out.weight";
  if (!config.loss || !config.loss->contains("adversarial")) return;
  const auto& adversarial = (*config.loss)["adversarial"];
  if (adversarial["weight"] > 0 && adversarial["adaptive"] == true &&
      std::ranges::find(frozen, kLastLayer) != frozen.end())
    throw ConfigError(fmt::format(
        "config: loss.adversarial.adaptive must be false where {} is frozen, "
        "at which the weight is taken",
        kLastLayer));
}

void tell_differences(const InitialModel& initial, const Prepared& prepared) {
  const auto& config = prepared.config;
  if (config.diffusion && !initial.prediction_type.empty()) {
    const auto& now = config.diffusion->scheduler.schedule.prediction_type;
    if (now != initial.prediction_type)
      note(fmt::format(
          "--init {}: was trained to answer {}, and learns {} from here on; "
          "diffusion.scheduler.prediction_type says which",
          initial.where, initial.prediction_type, now));
  }
  if (const auto& now = prepared.latents_by.sha256();
      !now.empty() && !initial.codec.sha256().empty() &&
      now != initial.codec.sha256())
    note(fmt::format(
        "--init {}: learnt latents of codec {}, and these are of {}",
        initial.where, initial.codec.short_text(),
        prepared.latents_by.short_text()));
}

void complete_class(TrainConfig& config,
                    const std::optional<InitialModel>& initial,
                    const Json& earlier) {
  auto model = Json::object();
  if (initial) {
    model["_class_name"] = initial->known->name;
    model.update(initial->model.config);
    note(fmt::format("--init {}: the model is as that, {}{}", initial->where,
                     initial->known->name,
                     config.model.empty() ? "" : ", but for the keys given"));
  } else if (!earlier.is_null()) {
    model = earlier.at("model");
  } else {
    throw ConfigError(
        "config: model says no _class_name; --init names a model that it is "
        "to be like");
  }
  model.update(config.model);
  config.model = std::move(model);
}

}  // namespace

Json earlier_config(const TrainJob& job) {
  const auto file = job.out / "run.json";
  if (job.fresh || !fs::exists(file)) return {};
  const auto run = read_json_object(file);
  return completed_config(run.value("config", Json::object()));
}

std::optional<InitialModel> initial_model_of(const TrainJob& job) {
  if (job.config.init.empty()) return {};
  if (!job.fresh && fs::exists(RunFolder::state_file(job.out))) return {};
  if (!fs::exists(job.config.init))
    throw ConfigError(
        fmt::format("--init: {}: no such file or folder", job.config.init));
  return open_initial_model(fs::path(job.config.init),
                            /*wants_codec=*/!job.config.diffusion);
}

void complete_model(TrainConfig& config,
                    const std::optional<InitialModel>& initial,
                    const Json& earlier) {
  if (!config.model.contains("_class_name"))
    complete_class(config, initial, earlier);
  if (config.init.empty() || config.distill) return;
  if (!initial) {  // goes on
    if (earlier.is_null()) return;
    if (!config.loss && earlier.at("loss").is_object())
      config.loss = earlier["loss"];
    if (!config.diffusion && earlier.at("diffusion").is_object())
      read_config(earlier["diffusion"], config.diffusion, "diffusion");
    return;
  }
  if (config.model["_class_name"] != initial->known->name) return;
  const auto tell = [&](const char* what) {
    note(fmt::format("--init {}: \"{}\" is that of its run", initial->where,
                     what));
  };
  if (!config.loss && initial->loss) {
    config.loss = *initial->loss;
    tell("loss");
  }
  if (!config.diffusion && initial->diffusion) {
    read_config(*initial->diffusion, config.diffusion, "diffusion");
    tell("diffusion");
  }
}

void begin_with(const InitialModel& initial, Prepared& prepared) {
  const auto weights =
      share_weights(prepared.model, initial, prepared.class_names);
  tell_shared(weights, initial);
  tell_differences(initial, prepared);
  const Json record{{"class", initial.known->name},
                    {"fingerprint", initial.sha256},
                    {"fingerprint_kind", "sha256"},
                    {"shared", weights.shared.size()},
                    {"fitted", grouped_names(weights.fitted)},
                    {"new", grouped_names(weights.fresh)},
                    {"of_another_shape", grouped_names(weights.misshapen)},
                    {"left_over", grouped_names(weights.left_over)}};
  prepared.records.emplace_back("init", [record] { return record; });
}

void settle_frozen(const std::optional<InitialModel>& initial,
                   const Json& earlier, Prepared& prepared) {
  auto& config = prepared.config;
  const auto& module = *prepared.model.module;
  const auto frozen = frozen_names(module, {.train = config.training.train,
                                            .freeze = config.training.freeze});
  expect_trained_last_layer(config, frozen);
  if (!earlier.is_null() && !initial) {
    if (earlier.at("model").contains(kLatentsOf))
      config.model[kLatentsOf] = earlier["model"][kLatentsOf];
    return;
  }
  auto known = prepared.decodes;
  if (initial && keeps_latents(*initial, prepared.model, frozen)) {
    expect_same_scale(*initial, prepared.model);
    note(fmt::format(
        "--init {}: images keep its latents, so that stores of it are decoded "
        "by this run too",
        initial->where));
    for (const auto& sha256 : initial->latents_of) add_once(known, sha256);
    add_once(known, initial->sha256);
  }
  if (!known.empty()) config.model[kLatentsOf] = known;
}

}  // namespace calotype
