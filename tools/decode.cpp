#include "tools/decode.h"

#include <torch/utils.h>

#include <algorithm>
#include <array>

#include "core/disk_space.h"
#include "core/error.h"
#include "core/printable.h"
#include "core/profile.h"
#include "core/progress.h"
#include "core/stop_signal.h"
#include "datasets/loader.h"
#include "images/transforms.h"
#include "models/codec.h"
#include "models/image_size.h"
#include "models/rescaled_codec.h"
#include "nn/precision.h"
#include "outputs/image_files.h"
#include "store/latent_store.h"
#include "store/store_fingerprint.h"

namespace calotype {
namespace {

/// [H,W] of an image: the set's common size, or the source's; empty of what was
/// drawn and has none.
std::vector<int64_t> size_of(const Preprocessing& how,
                             const std::array<int32_t, 2>& source_size) {
  if (how.size > 0) return {how.size, how.size};
  if (source_size[0] <= 0 || source_size[1] <= 0) return {};
  return {source_size[0], source_size[1]};
}

/// The codec must know the store's tokens, also under --any-codec.
void expect_tokenizer(const LoadedCodec& codec, const StoreInfo& store,
                      const std::string& where) {
  if (!codec.tokenizer)
    throw ConfigError(fmt::format("{}: holds tokens, and a {} has none", where,
                                  codec.class_name));
  const auto num_codes = codec.tokenizer->num_codes();
  if (const auto wanted = store.codec.num_codes();
      wanted != 0 && wanted != num_codes)
    throw ConfigError(
        fmt::format("{}: its tokens are of a codebook of {} codes, {} has {}",
                    where, wanted, codec.path.string(), num_codes));
  const auto num_levels = codec.tokenizer->num_levels();
  for (const auto& shape : store.grid_shapes)
    if (shape[0] != num_levels)
      throw ConfigError(fmt::format("{}: has {} tokens in a cell, {} takes {}",
                                    where, shape[0], codec.path.string(),
                                    num_levels));
}

/// What decoded images depend on.
Json settings_of(const DecodeJob& job, const LoadedCodec& codec,
                 const StoreReader& store) {
  return {{"codec", codec.sha256},
          {"fingerprint", store_fingerprint(store)},
          {"limit", job.limit},
          {"flipped", job.flipped}};
}

/// Height and width of an image of latents of this shape.
std::array<int64_t, 2> image_size(const LoadedCodec& codec,
                                  const std::vector<int64_t>& grid_shape) {
  const auto step = codec.codec->downsample();
  return {grid_shape[1] * step, grid_shape[2] * step};
}

/// Of all images of a store, uncompressed.
int64_t pixel_bytes(const LoadedCodec& codec, const StoreReader& store) {
  double bytes = 0;
  for (size_t b = 0; b < store.buckets().size(); ++b) {
    const auto [height, width] = image_size(codec, store.info().grid_shapes[b]);
    bytes += double(store.buckets()[b].size()) * double(height) *
             double(width) * double(codec.codec->image_channels());
  }
  return int64_t(std::min(bytes, 9e18));
}

/// Of the first `total` images.
Json expected(const DecodeJob& job, const LoadedCodec& codec,
              const StoreReader& store, int64_t total) {
  RowCost row;
  auto left = total;
  for (size_t b = 0; b < store.buckets().size(); ++b) {
    const auto [height, width] = image_size(codec, store.info().grid_shapes[b]);
    const auto cost = codec.cost->of(CodecPass::kDecode, height, width);
    const auto count = std::min(left, int64_t(store.buckets()[b].size()));
    left -= count;
    row.bytes = std::max(row.bytes, cost.bytes);
    row.seconds +=
        cost.seconds * double(count) / double(std::max<int64_t>(1, total));
  }
  return expected_cost(row, total, job.batch_size);
}

at::Tensor decoded(const LoadedCodec& codec, const StoreRows& rows,
                   c10::Device device) {
  const ProfileZone zone("decode", ZoneKind::kNetwork);
  return (rows.tokens.defined()
              ? codec.tokenizer->detokenize(rows.tokens.to(device))
              : codec.codec->decode(rows.grid.mean.to(device)))
      .to(torch::kCPU);
}

}  // namespace

Json decode(const DecodeJob& job) {
  auto loaded = load_codec(job.codec, job.device);
  const StoreReader store(job.store, /*allow_incomplete=*/true);
  if (!job.any_codec)
    expect_same_codec(loaded, store.info().codec, job.store.string());
  const auto codec =
      with_scale_of(std::move(loaded), store.info().codec, job.store.string());
  const bool is_tokens = store.info().kind == "tokens";
  if (job.flipped && !store.info().flips)
    throw ConfigError(job.store.string() +
                      ": has no latents of mirror images, which --flipped asks "
                      "for; encode with --flips");
  if (is_tokens) expect_tokenizer(codec, store.info(), job.store.string());
  if (!is_tokens)  // also under --any-codec
    for (const auto& shape : store.info().grid_shapes)
      expect_depth(codec, shape[0], job.store.string());
  Preprocessing preprocessing;
  if (!store.info().preprocessing.empty())
    read_config(store.info().preprocessing, preprocessing, job.store.string());

  const auto total =
      job.limit > 0 ? std::min(job.limit, store.size()) : store.size();
  if (job.dry_run)
    return {{"would_decode", total},
            {"folder", job.out.string()},
            {"expected", expected(job, codec, store, total)}};
  for (const auto& shape : store.info().grid_shapes) {
    const auto [height, width] = image_size(codec, shape);
    codec.cost->expect_fits(CodecPass::kDecode, height, width,
                            job.store.string());
  }
  tell_if_tight(job.out, pixel_bytes(codec, store));
  const torch::InferenceMode inference;
  ImageFolderWriter writer({.folder = job.out,
                            .command = "decode",
                            .settings = settings_of(job, codec, store),
                            .fresh = job.fresh,
                            .sets = {job.store},
                            .models = {job.codec}},
                           store.names());
  Progress progress("decode", total, "images");
  int64_t done = 0;
  for (size_t b = 0; b < store.buckets().size(); ++b) {
    const auto& bucket = store.buckets()[b];
    const auto [height, width] = image_size(codec, store.info().grid_shapes[b]);
    const auto at_once = std::clamp<int64_t>(
        kUsualBatchPixels / std::max<int64_t>(1, height * width), 1,
        job.batch_size);
    for (size_t at = 0; at < bucket.size() && done < total;) {
      const auto count =
          std::min({size_t(at_once), bucket.size() - at, size_t(total - done)});
      const auto wanted = torch::tensor(std::vector<int64_t>(
          bucket.begin() + long(at), bucket.begin() + long(at + count)));
      const auto rows = store.read(
          wanted, torch::full_like(wanted, job.flipped, torch::kBool));
      const auto images = decoded(codec, rows, job.device);
      for (size_t i = 0; i < count; ++i) {
        Json recipe{{"store", printable(job.store.filename().string())},
                    {"index", rows.indices[int64_t(i)].item<int64_t>()},
                    {"codec", codec.sha256}};
        if (job.flipped) recipe["flipped"] = true;
        if (current_precision() != Precision::kFp32)
          recipe["precision"] = precision_name(current_precision());
        writer.write(rows.names[i],
                     cut_to(images.narrow(0, int64_t(i), 1),
                            size_of(preprocessing, rows.sizes[i]))[0],
                     recipe);
      }
      at += count;
      done += int64_t(count);
      progress.update(done);
      throw_if_stopped();
    }
  }
  writer.finish();
  progress.finish();
  return {{"folder", job.out.string()},
          {"images", done},
          {"images_per_s", progress.rate()}};
}

}  // namespace calotype
