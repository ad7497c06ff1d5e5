#include "tools/encode.h"

#include <torch/torch.h>

#include "core/check.h"
#include "core/error.h"
#include "core/files.h"
#include "core/progress.h"
#include "core/runtime.h"
#include "core/stop_signal.h"
#include "datasets/latent_store.h"
#include "datasets/loader.h"
#include "datasets/store_info.h"
#include "tools/codec.h"
#include "tools/fit_preview.h"
#include "tools/round_trip.h"
#include "tools/skipped.h"

namespace calotype {
namespace {

std::string store_kind(const EncodeJob& job, const LoadedCodec& codec) {
  check_one_of("encode", "--kind", job.kind, {"auto", "latents", "tokens"});
  if (job.kind == "tokens" && !codec.tokenizer)
    throw ConfigError(fmt::format("{}: a {} has no tokens; say --kind latents",
                                  codec.path.string(), codec.class_name));
  if (codec.tokenizer && job.kind != "latents") {
    if (job.flips)
      throw ConfigError(
          "encode: --flips is for latents, and these are tokens; say --kind "
          "latents");
    return "tokens";
  }
  if (job.packing != "none")
    throw ConfigError("encode: --packing packs tokens, and these are latents");
  return codec.codec->has_variance() ? "moments" : "latents";
}

StoreInfo store_info(const EncodeJob& job, const LoadedCodec& codec,
                     const ImageSource& source) {
  StoreInfo info{.kind = store_kind(job, codec), .dtype = job.dtype};
  info.codec = codec_record(codec);
  if (info.kind == "tokens")
    info.dtype = token_dtype(codec.tokenizer->num_codes());
  info.packing = job.packing;
  info.flips = job.flips;
  info.preprocessing = preprocessing_record(job.preprocessing);
  info.source = {{"spec", source.spec()},
                 {"fingerprint", source.fingerprint()},
                 {"count", source.size()}};
  info.class_names = source.class_names();
  return info;
}

/// The rows of a store in which an earlier call has encoded exactly this;
/// nothing if there is none, or if its shards are not what they were.
std::optional<int64_t> complete_rows(const std::filesystem::path& store,
                                     const StoreInfo& wanted) {
  const auto file = store / "store.json";
  if (!std::filesystem::exists(file)) return {};
  const auto found = parse_store_info(read_text_file(file), file.string());
  if (!found.complete || !first_difference(found, wanted).empty()) return {};
  try {
    return StoreReader(store).size();
  } catch (const std::runtime_error& damage) {
    fmt::print(stderr, "{}; encoding what is missing\n", damage.what());
    return {};
  }
}

/// Rows of a shard: a multiple of the batch, so that a resumed run forms the
/// same batches and therefore the same bits.
int64_t aligned_rows(const EncodeJob& job) {
  return (job.rows_per_shard + job.batch_size - 1) / job.batch_size *
         job.batch_size;
}

LatentGrid latents_of(const LoadedCodec& codec, const at::Tensor& images,
                      c10::Device device) {
  auto grid = encode_images(*codec.codec, images, device);
  grid.mean = grid.mean.to(torch::kCPU).contiguous();
  if (grid.logvar.defined())
    grid.logvar = grid.logvar.to(torch::kCPU).contiguous();
  return grid;
}

StoreRows encode_batch(const LoadedCodec& codec, const ImageBatch& batch,
                       const StoreInfo& info, c10::Device device) {
  StoreRows rows{.labels = batch.labels,
                 .indices = batch.indices,
                 .names = batch.names,
                 .sizes = batch.sizes,
                 .hashes = batch.hashes};
  if (info.kind == "tokens") {
    try {
      rows.tokens =
          tokenize_images(*codec.codec, *codec.tokenizer, batch.images, device);
    } catch (const NumericError& error) {
      throw NumericError(fmt::format("{}: {}, for an image from {} to {}",
                                     codec.path.string(), error.what(),
                                     batch.names.front(), batch.names.back()));
    }
    return rows;
  }
  rows.grid = latents_of(codec, batch.images, device);
  if (info.flips)  // before anything is padded
    rows.flipped = latents_of(codec, batch.images.flip({3}), device);
  return rows;
}

}  // namespace

Json encode(const EncodeJob& given) {
  auto job = given;
  check_range("encode", "--batch-size", double(job.batch_size), 1, 1 << 16);
  check_range("encode", "--rows-per-shard", double(job.rows_per_shard), 1, 1e9);
  parse_dtype(job.dtype);
  const auto codec = load_codec(job.codec, job.device);
  fit_preprocessing(codec, job.preprocessing);
  const std::shared_ptr<const ImageSource> source =
      open_source(job.data, job.preprocessing);
  const auto info = store_info(job, codec, *source);
  if (job.dry_run)
    return {{"would_encode", source->size()},
            {"store", job.out.string()},
            {"info", write_config(info)}};

  if (const auto rows = complete_rows(job.out, info)) {
    fmt::print(stderr, "{}: is complete already\n", job.out.string());
    return {{"store", job.out.string()},
            {"images", *rows},
            {"already_complete", true}};
  }
  StoreWriter writer(job.out, info, aligned_rows(job));
  const auto stored = writer.stored(source->size());
  const auto num_before = writer.num_stored();
  if (num_before > 0)
    fmt::print(stderr, "{}: going on after {} of {} images\n", job.out.string(),
               num_before, source->size());
  Loader loader(source, job.preprocessing,
                {.batch_size = job.batch_size,
                 .shuffle = false,
                 .strict = job.strict,
                 .num_workers = job.num_workers},
                0, 0, &stored);
  const torch::InferenceMode inference;
  Progress progress("encode", source->size(), "images", num_before);
  int64_t done = num_before;
  while (const auto batch = loader.next()) {
    writer.append(encode_batch(codec, *batch, info, job.device));
    done += batch->images.size(0);
    progress.update(done);
    throw_if_stopped();
  }
  progress.finish();
  writer.write_rest();
  std::optional<PreviewMap> preview;
  if (info.kind != "tokens")
    preview = fit_preview(job.out, source, job.preprocessing, *codec.codec,
                          job.num_workers);
  writer.finish(preview);

  Json result{{"store", job.out.string()},
              {"images", done},
              {"images_per_s", progress.rate()},
              {"peak_memory_mib", double(peak_memory_bytes()) / (1 << 20)}};
  if (preview) result["preview_r2"] = preview->r2;
  report_skipped(result, loader.skipped(), loader.notes());
  return result;
}

}  // namespace calotype
