#include "tools/explore.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/note.h"
#include "core/stop_signal.h"
#include "explorer/code_set.h"
#include "explorer/diffusion_view.h"
#include "explorer/explorer.h"
#include "explorer/frozen_page.h"
#include "explorer/local_server.h"
#include "explorer/page.h"
#include "explorer/routes.h"
#include "models/codec.h"
#include "models/diffusion_model.h"
#include "models/pipeline_folder.h"
#include "models/pixel_codec.h"
#include "models/registry.h"
#include "models/token_space.h"
#include "nn/model_folder.h"
#include "outputs/apart.h"
#include "outputs/folder_files.h"
#include "store/latent_store.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxRows = 100'000;
constexpr int64_t kMaxRowsInPage = 2000;
constexpr int64_t kMaxPixelsInPage = int64_t{32} << 20;  // what browsers bear

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

/// What a model is for; a codec, where its class is not known.
ModelKind kind_of(const fs::path& path) {
  if (PixelCodec::named(path)) return ModelKind::kCodec;
  if (is_pipeline_folder(path)) return ModelKind::kDenoiser;
  const auto* known = find_model_class(open_model_folder(path).class_name);
  return known ? known->kind : ModelKind::kCodec;
}

/// The codec of what a model draws.
LoadedCodec codec_of(const ExploreJob& job, const CodecRecord& record) {
  return load_recorded_codec(record, job.codec, job.any_codec, job.model,
                             job.device);
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

/// What is explored, and the same images in another codec.
struct Opened {
  LoadedCodec codec;
  std::optional<CodeSet> codes;
  // What draws its latents, or its tokens.
  std::shared_ptr<DiffusionView> diffusion;
  std::shared_ptr<TokenView> tokens;
  std::optional<LoadedCodec> other;
  std::optional<CodeSet> other_codes;
};

/// What a model is shown without a store or images that are named: what draws
/// learnt from a store, a codec from images.
void take_data_of_run(const ExploreJob& job, bool draws, CodeSetJob& set) {
  const auto data = data_of_run(job.model);
  if (data.empty()) return;
  try {
    if (draws)
      StoreReader(data, /*allow_incomplete=*/true);
    else
      open_source(data, job.preprocessing);
  } catch (const std::runtime_error& error) {
    return note(
        fmt::format("the images of the run are not at hand: {}", error.what()));
  }
  if (draws)
    set.store = data;
  else
    set.data = data;
  note(fmt::format("shown are the images of the run: {}", data));
}

/// The codec, and what draws from its codes.
Opened open_codec(const ExploreJob& job) {
  const auto kind = kind_of(job.model);
  Opened opened;
  if (kind == ModelKind::kDenoiser) {
    const auto model = load_latent_diffusion(job.model, job.device);
    opened.codec = codec_of(job, model->space().codec);
    expect_depth(opened.codec, model->space().grid_shape[0],
                 job.model.string());
    opened.diffusion =
        std::make_shared<DiffusionView>(model, opened.codec, job.device);
  } else if (kind == ModelKind::kGenerator) {
    const auto model =
        load_any_model(open_model_folder(job.model), "a generator of tokens",
                       [](const ModelClass& known) {
                         return known.kind == ModelKind::kGenerator;
                       })
            .generator;
    model->to(job.device);
    const auto space = read_token_space(job.model);
    opened.codec = codec_of(job, space.codec);
    opened.tokens = std::make_shared<TokenView>(
        model, space.class_names, space.image_size, opened.codec, job.device);
  } else {
    if (!job.codec.empty())
      throw ConfigError("explore: --codec is for a model that draws");
    opened.codec = load_codec(job.model, job.device);
  }
  return opened;
}

Opened open_model(const ExploreJob& job) {
  auto opened = open_codec(job);
  CodeSetJob set{.data = job.data,
                 .store = job.store,
                 .any_codec = job.any_codec,
                 .limit = job.limit > 0      ? job.limit
                          : job.page.empty() ? kMaxRows
                                             : kMaxRowsInPage,
                 .preprocessing = job.preprocessing,
                 .batch_size = job.batch_size,
                 .num_workers = job.num_workers,
                 .strict = job.strict,
                 .device = job.device};
  if (set.store.empty() && set.data.empty())
    take_data_of_run(job, opened.diffusion || opened.tokens, set);
  opened.codes = set_for(opened.codec, set);
  if (job.beside.empty()) return opened;
  opened.other = load_codec(job.beside, job.device);
  // The same images, as the first codec was given them.
  set.store.clear();
  if (opened.codes) set.preprocessing = opened.codes->preprocessing;
  if (set.data.empty() && opened.codes && opened.codes->images)
    set.data = opened.codes->images->spec();
  if (set.data.empty())
    throw ConfigError(
        "explore: --beside needs --data, to encode the same images");
  opened.other_codes = encode_code_set(*opened.other, set);
  return opened;
}

/// What the page of a model asks, answered.
Explored explored(const ExploreJob& job, const Opened& opened) {
  Explored explored;
  auto facts = facts_of(opened.codec);
  if (opened.other)
    explored.beside = std::make_shared<Explorer>(
        *opened.other, opened.other_codes, job.preprocessing,
        facts_of(*opened.other), job.device);
  explored.diffusion = opened.diffusion;
  explored.tokens = opened.tokens;
  if (opened.diffusion || opened.tokens) {
    facts["diffusion"] =
        opened.diffusion ? opened.diffusion->facts() : opened.tokens->facts();
    facts["diffusion"]["path"] = job.model.filename().string();
    facts["diffusion"]["class"] =
        open_model_folder(denoiser_folder(job.model)).class_name;
  }
  facts["beside"] = explored.beside != nullptr;
  explored.codec = std::make_shared<Explorer>(
      opened.codec, opened.codes, job.preprocessing, facts, job.device);
  return explored;
}

/// Writes the page that needs no program.
Json give_away(const ExploreJob& job, const Opened& opened) {
  if (!opened.codes)
    throw ConfigError("explore: --export needs a store or --data");
  const auto& size = opened.codes->image_size;
  const auto most = kMaxPixelsInPage / (size[0] * size[1]);
  if (opened.codes->size() > most)
    throw ConfigError(fmt::format(
        "explore: a page takes {} pictures of {}x{}, got {}; say --limit {}",
        most, size[1], size[0], opened.codes->size(), most));
  const auto views = explored(job, opened);
  Json beside;
  if (opened.other)
    beside = frozen_model(*views.beside, *opened.other, *opened.other_codes,
                          job.device);
  const auto model =
      frozen_model(*views.codec, opened.codec, *opened.codes, job.device);
  if (opened.diffusion || opened.tokens)
    note("the page holds the codec, not the model that draws");
  if (model.contains("lattice"))
    note(fmt::format(
        "the page cannot run {}: it holds {} decoded places of the plane",
        opened.codec.class_name,
        model["lattice"]["sheet"]["count"].get<int64_t>()));
  const auto page = frozen_page(model, beside);
  write_file_atomic(job.page, page);
  return {{"page", job.page.string()},
          {"pictures", opened.codes->size()},
          {"bytes", page.size()}};
}

}  // namespace

Json explore(const ExploreJob& job) {
  if (job.toy ? !job.model.empty() : job.model.empty())
    throw ConfigError("explore: give a model, or --toy without one");
  if (!job.page.empty()) {
    expect_other_than(job.page,
                      {job.model, job.store, path_of_source(job.data)});
    expect_own_text(job.page, "Calotype explorer");
    if (!job.toy) return give_away(job, open_model(job));
    const auto page = toy_page();
    write_file_atomic(job.page, page);
    return {{"page", job.page.string()}, {"bytes", page.size()}};
  }
  LocalServer server(
      uint16_t(job.port),
      job.toy ? toy_routes() : explorer_routes(explored(job, open_model(job))));
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
