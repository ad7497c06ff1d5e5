#include "tools/decode.h"

#include <torch/utils.h>

#include <algorithm>
#include <array>
#include <optional>

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
#include "tools/folder_parts.h"

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

/// What decoding has to do: the first `total` images, numbered in the order of
/// the buckets.
class Decoding {
 public:
  Decoding(const DecodeJob& job, const LoadedCodec& codec,
           const StoreReader& store, int64_t total)
      : job_(job), codec_(codec), store_(store), settings_(of_call()) {
    if (!store.info().preprocessing.empty())
      read_config(store.info().preprocessing, preprocessing_,
                  job.store.string());
    for (size_t b = 0; b < store.buckets().size(); ++b) {
      const auto [height, width] =
          image_size(codec, store.info().grid_shapes[b]);
      at_once_.push_back(std::clamp<int64_t>(
          kUsualBatchPixels / std::max<int64_t>(1, height * width), 1,
          job.batch_size));
      for (const auto row : store.buckets()[b])
        if (std::ssize(rows_) < total) {
          rows_.push_back(row);
          bucket_of_.push_back(b);
        }
    }
    writer_.emplace(
        ImageFolderPlan{.folder = job.out,
                        .command = "decode",
                        .settings = settings_,
                        .fresh = job.fresh,
                        .sets = {job.store},
                        .models = {job.codec},
                        .staging = is_in_parts(job) ? parts_folder(job.out)
                                                    : std::filesystem::path()},
        store.names());
  }

  const Json& settings() const { return settings_; }
  double rate() const { return rate_; }

  /// Images of [0, total) that are not there; returns how many those were.
  int64_t make(const Slice& images) {
    const torch::InferenceMode inference;
    Progress progress("decode", images.size(), "images");
    int64_t num_decoded = 0;
    for (auto begin = images.begin; begin < images.end;) {
      const auto bucket = bucket_of_[size_t(begin)];
      auto end = begin + 1;
      while (end < images.end && end - begin < at_once_[bucket] &&
             bucket_of_[size_t(end)] == bucket)
        ++end;
      if (!has_all({begin, end})) {
        write({begin, end});
        num_decoded += end - begin;
      }
      begin = end;
      progress.update(end - images.begin);
      throw_if_stopped();
    }
    finish();
    progress.finish();
    rate_ = progress.rate();
    return num_decoded;
  }

  bool has(int64_t image) const {
    const auto facts = store_.facts(rows_[size_t(image)]);
    return writer_->has(facts.name, recipe_of(facts.index));
  }

  void finish() { writer_->finish(); }

 private:
  /// What decoded images depend on.
  Json of_call() const {
    return {{"codec", codec_.sha256},
            {"fingerprint", store_fingerprint(store_)},
            {"limit", job_.limit},
            {"flipped", job_.flipped}};
  }

  bool has_all(const Slice& images) const {
    for (auto image = images.begin; image < images.end; ++image)
      if (!has(image)) return false;
    return true;
  }

  Json recipe_of(int64_t index) const {
    Json recipe{{"store", printable(job_.store.filename().string())},
                {"index", index},
                {"codec", codec_.sha256}};
    if (job_.flipped) recipe["flipped"] = true;
    if (current_precision() != Precision::kFp32)
      recipe["precision"] = precision_name(current_precision());
    return recipe;
  }

  /// Images of one bucket.
  void write(const Slice& images) {
    const auto wanted = torch::tensor(std::vector<int64_t>(
        rows_.begin() + images.begin, rows_.begin() + images.end));
    const auto rows = store_.read(
        wanted, torch::full_like(wanted, job_.flipped, torch::kBool));
    const auto made = decoded(codec_, rows, job_.device);
    for (int64_t i = 0; i < images.size(); ++i)
      writer_->write(rows.names[size_t(i)],
                     cut_to(made.narrow(0, i, 1),
                            size_of(preprocessing_, rows.sizes[size_t(i)]))[0],
                     recipe_of(rows.indices[i].item<int64_t>()));
  }

  const DecodeJob& job_;
  const LoadedCodec& codec_;
  const StoreReader& store_;
  Json settings_;
  Preprocessing preprocessing_;
  std::vector<int64_t> rows_;      // of the store, of each image
  std::vector<size_t> bucket_of_;  // of each image
  std::vector<int64_t> at_once_;   // by bucket
  std::optional<ImageFolderWriter> writer_;
  double rate_ = 0;
};

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
  expect_parts_fit(job.out, is_in_parts(job), job.finishes, job.fresh);
  Decoding decoding(job, codec, store, total);
  Json result;
  if (is_in_parts(job)) {
    result = work_in_parts(
        job.part, job.finishes,
        {.folder = job.out,
         .call = {{"command", "decode"}, {"settings", decoding.settings()}},
         .makes = "decodes",
         .count = total,
         // On the CPU a picture has the same bits in any batch.
         .per_unit = job.device.is_cpu() ? 1 : job.batch_size,
         .make = [&](const Slice& images) { return decoding.make(images); },
         .has = [&](int64_t image) { return decoding.has(image); },
         .finish = [&] { decoding.finish(); }});
  } else {
    decoding.make({0, total});
    result = {{"folder", job.out.string()}, {"images", total}};
  }
  if (decoding.rate() > 0) result["images_per_s"] = decoding.rate();
  return result;
}

}  // namespace calotype
