#include "tools/explore.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "core/error.h"
#include "core/note.h"
#include "core/stop_signal.h"
#include "explorer/code_set.h"
#include "explorer/diffusion_view.h"
#include "explorer/explorer.h"
#include "explorer/local_server.h"
#include "explorer/routes.h"
#include "models/codec.h"
#include "models/diffusion_model.h"
#include "models/pixel_codec.h"
#include "models/registry.h"
#include "nn/model_folder.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

/// The images that a run was held to, or learnt from; empty if that is unknown.
std::string data_of_run(const fs::path& folder) {
  if (!fs::exists(folder / "run.json")) return "";
  const auto run = read_json_object(folder / "run.json");
  const auto data =
      run.value("config", Json::object()).value("data", Json::object());
  for (const char* key : {"validation", "train"})
    if (data.contains(key) && data[key].is_string() &&
        !data[key].get<std::string>().empty())
      return data[key];
  return "";
}

/// What the page says of a codec beside what it is: the weight of its prior.
Json facts_of(const LoadedCodec& codec) {
  const auto& folder = codec.path;
  Json facts = Json::object();
  if (!codec.codec->has_variance() || !fs::exists(folder / "run.json"))
    return facts;
  const auto run = read_json_object(folder / "run.json");
  const auto loss =
      run.value("config", Json::object()).value("loss", Json::object());
  if (loss.contains("kl_weight")) facts["beta"] = loss["kl_weight"];
  return facts;
}

bool is_diffusion(const fs::path& path) {
  if (PixelCodec::named(path)) return false;
  const auto* known = find_model_class(open_model_folder(path).class_name);
  return known && known->kind == ModelKind::kDenoiser;
}

/// The codec of a diffusion model's latents.
LoadedCodec codec_of(const ExploreJob& job, const LatentSpace& space) {
  auto codec = load_recorded_codec(space.codec, job.codec, job.any_codec,
                                   job.model, job.device);
  expect_depth(codec, space.grid_shape[0], job.model.string());
  return codec;
}

std::optional<CodeSet> set_for(const LoadedCodec& codec,
                               const CodeSetJob& job) {
  if (!job.store.empty()) return read_code_set(codec, job);
  if (!job.data.empty()) return encode_code_set(codec, job);
  note(
      "no images are shown: give a store or --data; a picture that is dropped "
      "on the page is encoded");
  return {};
}

/// Starts a browser where there is a desktop for it.
void open_in_browser(const std::string& url) {
  if (!std::getenv("DISPLAY") && !std::getenv("WAYLAND_DISPLAY")) return;
  std::string program = "xdg-open", address = url;
  char* arguments[] = {program.data(), address.data(), nullptr};
  posix_spawn_file_actions_t quietly;
  posix_spawn_file_actions_init(&quietly);
  for (const int out : {1, 2})
    posix_spawn_file_actions_addopen(&quietly, out, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  if (posix_spawnp(&child, arguments[0], &quietly, nullptr, arguments,
                   environ) != 0)
    note("no browser was opened: xdg-open is not there");
  posix_spawn_file_actions_destroy(&quietly);
}

/// What the page of a model asks, answered.
std::map<std::string, WebRoute> model_routes(const ExploreJob& job) {
  std::shared_ptr<LatentDiffusion> diffusion;
  if (is_diffusion(job.model))
    diffusion = load_latent_diffusion(job.model, job.device);
  else if (!job.codec.empty())
    throw ConfigError("explore: --codec is for a diffusion model");
  const auto codec = diffusion ? codec_of(job, diffusion->space())
                               : load_codec(job.model, job.device);
  CodeSetJob set{.data = job.data,
                 .store = job.store,
                 .any_codec = job.any_codec,
                 .limit = job.limit,
                 .preprocessing = job.preprocessing,
                 .batch_size = job.batch_size,
                 .num_workers = job.num_workers,
                 .strict = job.strict,
                 .device = job.device};
  if (set.store.empty() && set.data.empty()) {
    // A diffusion model learns from a store, a codec from images.
    const auto data = data_of_run(job.model);
    if (diffusion ? fs::exists(fs::path(data) / "store.json") : !data.empty()) {
      if (diffusion)
        set.store = data;
      else
        set.data = data;
      note(fmt::format("shown are the images of the run: {}", data));
    }
  }
  auto codes = set_for(codec, set);
  Explored explored;
  auto facts = facts_of(codec);
  if (!job.beside.empty()) {
    const auto other = load_codec(job.beside, job.device);
    auto same = set;
    same.store.clear();
    if (same.data.empty() && codes && codes->images)
      same.data = codes->images->spec();
    if (same.data.empty())
      throw ConfigError(
          "explore: --beside needs --data, to encode the same images");
    explored.beside = std::make_shared<Explorer>(
        other, encode_code_set(other, same), job.preprocessing, facts_of(other),
        job.device);
  }
  if (diffusion) {
    explored.diffusion =
        std::make_shared<DiffusionView>(diffusion, codec, job.device);
    facts["diffusion"] = explored.diffusion->facts();
    facts["diffusion"]["path"] = job.model.filename().string();
    facts["diffusion"]["class"] = open_model_folder(job.model).class_name;
  }
  facts["beside"] = explored.beside != nullptr;
  explored.codec = std::make_shared<Explorer>(
      codec, std::move(codes), job.preprocessing, facts, job.device);
  return explorer_routes(explored);
}

}  // namespace

Json explore(const ExploreJob& job) {
  if (job.toy ? !job.model.empty() : job.model.empty())
    throw ConfigError("explore: give a model, or --toy without one");
  LocalServer server(uint16_t(job.port),
                     job.toy ? toy_routes() : model_routes(job));
  fmt::print("{}\n", server.url());
  std::fflush(stdout);
  if (job.open) open_in_browser(server.url());
  while (!stop_requested()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    server.drop_slow_connections();
  }
  return {{"requests", server.num_answered()}};
}

}  // namespace calotype
