#include "explorer/code_set.h"

#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "core/error.h"
#include "core/note.h"
#include "core/progress.h"
#include "core/stop_signal.h"
#include "datasets/loader.h"
#include "metrics/moments.h"
#include "models/image_size.h"
#include "models/rescaled_codec.h"
#include "models/round_trip.h"
#include "store/latent_store.h"

namespace calotype {
namespace {

constexpr int64_t kMaxBytes = int64_t{2} << 30;  // of all codes in memory
constexpr int64_t kMaxCovariance = 1024;         // numbers of a code
constexpr int64_t kRowsForDirections = 1000;     // of longer codes
constexpr int64_t kAtOnce = 4096;                // rows in double

/// How many rows of `numbers` floats each are kept.
int64_t rows_kept(int64_t wanted, int64_t numbers, const std::string& where) {
  const auto most = std::max<int64_t>(1, kMaxBytes / (4 * numbers));
  if (wanted > most)
    note(
        fmt::format("{}: the first {} of {} codes are shown, which fill {} GiB",
                    where, most, wanted, kMaxBytes >> 30));
  return std::min(wanted, most);
}

/// The rows of a set while they come.
struct CodeRows {
  std::vector<at::Tensor> mean, logvar, tokens, labels, indices;

  void move_to(CodeSet& set) const {
    set.mean = at::cat(mean);
    if (!logvar.empty()) set.logvar = at::cat(logvar);
    if (!tokens.empty()) set.tokens = at::cat(tokens);
    set.labels = at::cat(labels);
    set.indices = at::cat(indices);
  }
};

at::Tensor flat(const at::Tensor& grid) {
  return grid.flatten(1).to(at::kCPU, at::kFloat);
}

}  // namespace

CodeSet encode_code_set(const LoadedCodec& codec, const CodeSetJob& job) {
  CodeSet set;
  set.preprocessing = job.preprocessing;
  fit_preprocessing(codec, set.preprocessing);
  set.images = open_source(job.data, set.preprocessing);
  set.spec = job.data;
  set.class_names = set.images->class_names();
  auto total = std::min(job.limit, set.images->size());
  Loader loader(set.images, set.preprocessing,
                {.batch_size = job.batch_size,
                 .shuffle = false,
                 .strict = job.strict,
                 .num_workers = job.num_workers});
  Progress progress("encode", total, "images");
  const c10::InferenceMode inference;
  CodeRows rows;
  int64_t done = 0;
  while (done < total) {
    const auto batch = loader.next();
    if (!batch) break;
    const auto& images = batch->images;
    const auto grid = encode_images(*codec.codec, images, job.device);
    const std::vector<int64_t> shape{grid.mean.size(1), grid.mean.size(2),
                                     grid.mean.size(3)};
    const std::vector<int64_t> size{images.size(2), images.size(3)};
    if (set.grid_shape.empty()) {
      set.grid_shape = shape;
      set.image_size = size;
      total = rows_kept(total,
                        grid.mean[0].numel() * (grid.logvar.defined() ? 2 : 1),
                        job.data);
    }
    if (size != set.image_size)
      throw ConfigError(fmt::format(
          "{}: images of different sizes share no plane; choose one --size for "
          "all",
          job.data));
    const auto count = std::min(images.size(0), total - done);
    rows.mean.push_back(flat(grid.mean.narrow(0, 0, count)));
    if (grid.logvar.defined())
      rows.logvar.push_back(flat(grid.logvar.narrow(0, 0, count)));
    if (codec.tokenizer)
      rows.tokens.push_back(tokenize_images(*codec.codec, *codec.tokenizer,
                                            images.narrow(0, 0, count),
                                            job.device)
                                .to(at::kInt));
    rows.labels.push_back(batch->labels.narrow(0, 0, count));
    rows.indices.push_back(batch->indices.narrow(0, 0, count));
    set.names.insert(set.names.end(), batch->names.begin(),
                     batch->names.begin() + long(count));
    progress.update(done += count);
    throw_if_stopped();
  }
  progress.finish();
  for (const auto& skipped : loader.skipped())
    note(fmt::format("{}: left out, {}", skipped.name, skipped.reason));
  if (done == 0) throw DataError(job.data + ": holds no image");
  rows.move_to(set);
  return set;
}

namespace {

/// Tokens lie in no plane: what was encoded to them is encoded anew.
CodeSet encode_images_of(const LoadedCodec& codec, const StoreReader& store,
                         const CodeSetJob& job) {
  const auto& info = store.info();
  const auto where = job.store.string();
  auto again = job;
  if (again.data.empty()) again.data = info.source.value("spec", "");
  again.preprocessing = job.preprocessing;
  read_config(info.preprocessing, again.preprocessing, where);
  try {
    if (!again.data.empty()) open_source(again.data, again.preprocessing);
  } catch (const ConfigError& error) {
    note(error.what());
    again.data.clear();
  }
  if (again.data.empty())
    throw ConfigError(
        where +
        ": holds tokens, which lie in no plane, and the images "
        "that they are of are not at hand; say where with --data");
  note(fmt::format("{}: holds tokens, which lie in no plane; {} is encoded",
                   where, again.data));
  return encode_code_set(codec, again);
}

}  // namespace

CodeSet read_code_set(const LoadedCodec& codec, const CodeSetJob& job) {
  const StoreReader store(job.store);
  const auto& info = store.info();
  const auto where = job.store.string();
  if (!job.any_codec) expect_same_codec(codec, info.codec, where);
  expect_scale_of(codec, info.codec, where);
  if (info.kind == "tokens") return encode_images_of(codec, store, job);
  if (info.grid_shapes.size() != 1)
    throw ConfigError(where +
                      ": has latents of several shapes, which share no plane");
  CodeSet set;
  set.spec = where;
  set.grid_shape = info.grid_shapes.front();
  expect_depth(codec, set.grid_shape[0], where);
  set.class_names = info.class_names;
  const auto numbers =
      std::accumulate(set.grid_shape.begin(), set.grid_shape.end(), int64_t{1},
                      std::multiplies<>());
  const bool has_logvar = info.kind == "moments";
  const auto total = rows_kept(std::min(job.limit, store.size()),
                               numbers * (has_logvar ? 2 : 1), where);
  CodeRows rows;
  for (int64_t at = 0; at < total; at += kAtOnce) {
    auto some =
        store.read(at::arange(at, std::min(total, at + kAtOnce), at::kLong));
    rows.mean.push_back(flat(some.grid.mean));
    if (some.grid.logvar.defined())
      rows.logvar.push_back(flat(some.grid.logvar));
    rows.labels.push_back(some.labels);
    rows.indices.push_back(some.indices);
    for (auto& name : some.names) set.names.push_back(std::move(name));
    throw_if_stopped();
  }
  if (total == 0) throw DataError(where + ": holds no latents");
  rows.move_to(set);
  set.image_size = image_size_of(store);
  if (set.image_size.empty())
    set.image_size = {set.grid_shape[1] * codec.codec->downsample(),
                      set.grid_shape[2] * codec.codec->downsample()};
  set.preprocessing = job.preprocessing;
  read_config(info.preprocessing, set.preprocessing, where);
  const auto spec =
      job.data.empty() ? info.source.value("spec", std::string()) : job.data;
  try {
    if (!spec.empty()) set.images = open_source(spec, set.preprocessing);
  } catch (const ConfigError& error) {
    note(fmt::format("the originals are not at hand: {}", error.what()));
  }
  return set;
}

at::Tensor image_of(const CodeSet& set, int64_t row) {
  if (!set.images) return {};
  const auto index = set.indices[row].item<int64_t>();
  if (index >= set.images->size() ||
      set.images->name(index) != set.names[size_t(row)])
    throw DataError(fmt::format("{}: is not the set any more that {} is of",
                                set.images->spec(), set.spec));
  auto image =
      to_tensor(preprocess(set.images->load(index).image, set.preprocessing))
          .unsqueeze(0);
  // Of a store whose images were of several sizes, and padded to one grid.
  if (image.size(2) != set.image_size[0] || image.size(3) != set.image_size[1])
    return {};
  return image;
}

CodePlane plane_of_numbers(const CodeSet& set, int64_t x, int64_t y) {
  const auto numbers = set.mean.size(1);
  if (x < 0 || y < 0 || x >= numbers || y >= numbers || x == y)
    throw ConfigError(fmt::format(
        "a plane is of two numbers of the code in [0, {}), got {} and {}",
        numbers, x, y));
  CodePlane plane;
  plane.labels = {fmt::format("z{}", x), fmt::format("z{}", y)};
  plane.origin = at::zeros({numbers}, at::kDouble);
  plane.directions = at::zeros({2, numbers}, at::kDouble);
  plane.directions[0][x] = 1;
  plane.directions[1][y] = 1;
  plane.points = at::stack({set.mean.select(1, x), set.mean.select(1, y)}, 1)
                     .to(at::kDouble);
  return plane;
}

CodePlane usual_plane(const CodeSet& set) {
  const auto numbers = set.mean.size(1);
  // Two codes have no second direction.
  if (numbers == 2 || (numbers > 2 && set.size() < 3))
    return plane_of_numbers(set, 0, 1);
  CodePlane plane;
  if (numbers == 1) {
    plane.labels = {"z0", ""};
    plane.origin = at::zeros({1}, at::kDouble);
    plane.directions = at::tensor({1.0, 0.0}, at::kDouble).unsqueeze(1);
    plane.points =
        at::cat({set.mean, at::zeros_like(set.mean)}, 1).to(at::kDouble);
    return plane;
  }
  at::Tensor variances;
  double total = 0;
  if (numbers <= kMaxCovariance) {
    Moments moments;
    for (const auto& some : set.mean.split(kAtOnce)) moments.add(some);
    const auto found = principal_components(moments, 2);
    plane.origin = found.mean;
    plane.directions = found.directions;
    variances = found.variances;
    total = found.total_variance;
  } else {
    // Of few rows, the directions of their products with each other.
    const auto rows =
        set.mean.narrow(0, 0, std::min(set.size(), kRowsForDirections))
            .to(at::kDouble);
    if (set.size() > rows.size(0))
      note(fmt::format("the plane's directions are those of the first {} codes",
                       rows.size(0)));
    plane.origin = rows.mean(0);
    const auto apart = rows - plane.origin;
    const auto [values, vectors] = at::linalg_eigh(apart.mm(apart.t()));
    const auto best = vectors.slice(1, -2).flip(1);  // largest last
    plane.directions = best.t().mm(apart);
    plane.directions /=
        plane.directions.norm(2, 1, /*keepdim=*/true).clamp_min(1e-300);
    variances = values.slice(0, -2).flip(0).clamp_min(0);
    total = values.clamp_min(0).sum().item<double>();
  }
  plane.points = at::empty({set.size(), 2}, at::kDouble);
  for (int64_t at = 0; at < set.size(); at += kAtOnce) {
    const auto some = set.mean.slice(0, at, at + kAtOnce).to(at::kDouble);
    plane.points.slice(0, at, at + kAtOnce)
        .copy_((some - plane.origin).mm(plane.directions.t()));
  }
  for (int64_t i = 0; i < 2; ++i) {
    const double share = total > 0 ? variances[i].item<double>() / total : 0;
    plane.shares.push_back(share);
    plane.labels.push_back(fmt::format("{} component, {:.1f} % of the variance",
                                       i == 0 ? "first" : "second",
                                       100 * share));
  }
  return plane;
}

at::Tensor CodePlane::spread_of(const at::Tensor& logvar) const {
  const auto u = directions[0], v = directions[1];
  const auto weights = at::stack({u * u, u * v, v * v}, 1);  // [n,3]
  auto spread = at::empty({logvar.size(0), 3}, at::kDouble);
  for (int64_t at = 0; at < logvar.size(0); at += kAtOnce)
    spread.slice(0, at, at + kAtOnce)
        .copy_(logvar.slice(0, at, at + kAtOnce)
                   .to(at::kDouble)
                   .exp()
                   .mm(weights));
  return spread;
}

at::Tensor squared_distances_off(const CodeSet& set, const CodePlane& plane,
                                 const at::Tensor& code) {
  const auto here = code.to(at::kDouble).flatten();
  auto squared = at::empty({set.size()}, at::kDouble);
  for (int64_t at = 0; at < set.size(); at += kAtOnce) {
    const auto apart =
        set.mean.slice(0, at, at + kAtOnce).to(at::kDouble) - here;
    const auto along = apart.mm(plane.directions.t());
    // What is left, not the difference of two large sums.
    squared.slice(0, at, at + kAtOnce)
        .copy_((apart - along.mm(plane.directions)).square().sum(1));
  }
  return squared;
}

double usual_distance(const CodeSet& set) {
  if (set.size() < 2) return 0;
  constexpr int64_t kNumbers = 200'000'000;  // that are compared in all
  const auto samples = std::min(
      set.size(), std::clamp<int64_t>(kNumbers / set.mean.numel(), 8, 400));
  std::vector<double> distances;
  for (int64_t i = 0; i < samples; ++i)
    distances.push_back(
        nearest_codes(set, set.mean[i * set.size() / samples], 2)
            .back()
            .distance);
  std::ranges::sort(distances);
  return distances[size_t(0.95 * double(samples - 1))];
}

std::vector<NearCode> nearest_codes(const CodeSet& set, const at::Tensor& code,
                                    int64_t count) {
  const auto wanted = code.to(at::kDouble).flatten();
  auto distances = at::empty({set.size()}, at::kDouble);
  for (int64_t at = 0; at < set.size(); at += kAtOnce)
    distances.slice(0, at, at + kAtOnce)
        .copy_((set.mean.slice(0, at, at + kAtOnce).to(at::kDouble) - wanted)
                   .square()
                   .sum(1));
  const auto [best, rows] =
      distances.topk(std::min(count, set.size()), 0, /*largest=*/false);
  std::vector<NearCode> near;
  for (int64_t i = 0; i < best.size(0); ++i)
    near.push_back(
        {rows[i].item<int64_t>(), std::sqrt(best[i].item<double>())});
  return near;
}

at::Tensor local_directions(const CodeSet& set, const at::Tensor& code,
                            int64_t count, int64_t neighbours) {
  std::vector<int64_t> rows;
  for (const auto& near : nearest_codes(set, code, neighbours))
    rows.push_back(near.row);
  const auto codes =
      set.mean.index_select(0, torch::tensor(rows)).to(at::kDouble);
  const auto apart = codes - codes.mean(0);
  // Of few rows, from their products with each other.
  const auto [values, vectors] = at::linalg_eigh(apart.mm(apart.t()));
  const auto most = std::min<int64_t>(
      {count, codes.size(1), std::max<int64_t>(codes.size(0) - 1, 0)});
  const auto along = vectors.slice(1, vectors.size(1) - most).flip(1).t();
  return along.mm(apart) /
         std::sqrt(double(std::max<int64_t>(codes.size(0) - 1, 1)));
}

std::vector<int64_t> typical_rows(const CodeSet& set, int64_t count) {
  std::vector<int64_t> rows;
  for (int64_t c = 0; c < int64_t(set.class_names.size()); ++c) {
    const auto its = set.labels.eq(c).nonzero().flatten();
    if (its.size(0) == 0) continue;
    const auto codes = set.mean.index_select(0, its).to(at::kDouble);
    const auto far = (codes - codes.mean(0)).square().sum(1);
    rows.push_back(its[far.argmin()].item<int64_t>());
  }
  if (!rows.empty()) return rows;
  const auto num = std::min(count, set.size());
  for (int64_t i = 0; i < num; ++i) rows.push_back(i * set.size() / num);
  return rows;
}

}  // namespace calotype
