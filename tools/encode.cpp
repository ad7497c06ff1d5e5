#include "tools/encode.h"

#include <torch/utils.h>

#include <algorithm>
#include <array>
#include <system_error>
#include <utility>

#include "core/check.h"
#include "core/disk_space.h"
#include "core/error.h"
#include "core/files.h"
#include "core/note.h"
#include "core/progress.h"
#include "core/runtime.h"
#include "core/stop_signal.h"
#include "datasets/loader.h"
#include "datasets/source_record.h"
#include "models/codec.h"
#include "models/round_trip.h"
#include "nn/precision.h"
#include "outputs/apart.h"
#include "outputs/folder_files.h"
#include "report/skipped.h"
#include "store/latent_store.h"
#include "store/store_info.h"
#include "store/store_replacing.h"
#include "store/store_rows.h"
#include "store/store_size.h"
#include "tools/encode_parts.h"
#include "tools/encode_plan.h"
#include "tools/encode_rows.h"
#include "tools/fit_preview.h"

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
  info.precision = precision_name(current_precision());
  info.packing = job.packing;
  info.flips = job.flips;
  info.preprocessing = preprocessing_record(job.preprocessing);
  info.source = source_record(source);
  info.class_names = source.class_names();
  return info;
}

/// What the network computes in: where nobody says, as in the store that is to
/// go on.
Precision precision_for(const EncodeJob& job) {
  const auto file = job.out / "store.json";
  if (job.precision == "auto" && std::filesystem::exists(file))
    return resolve_precision(
        parse_store_info(read_text_file(file), file.string()).precision,
        job.device);
  return current_precision();
}

/// The images at `places` of a batch.
ImageBatch part_of(const ImageBatch& batch,
                   const std::vector<int64_t>& places) {
  const auto which = torch::tensor(places, torch::kLong);
  ImageBatch part{.images = batch.images.index_select(0, which),
                  .labels = batch.labels.index_select(0, which),
                  .indices = batch.indices.index_select(0, which)};
  for (const auto place : places) {
    part.names.push_back(batch.names[size_t(place)]);
    part.sizes.push_back(batch.sizes[size_t(place)]);
    part.hashes.push_back(batch.hashes[size_t(place)]);
  }
  return part;
}

/// Writes the rows of a set, of which some are written already and some are
/// known from the store that was there before.
class Encoding {
 public:
  Encoding(const EncodeJob& job, const LoadedCodec& codec,
           std::shared_ptr<const ImageSource> source, const StoreInfo& info,
           const EncodePlan& plan)
      : job_(job),
        codec_(codec),
        source_(std::move(source)),
        info_(info),
        plan_(plan),
        cut_(cut_of(job, source_->size())),
        writer_(plan.folder, info, cut_.rows_per_shard),
        stored_(writer_.stored(source_->size())),
        num_before_(writer_.num_stored()) {}

  int64_t num_before() const { return num_before_; }
  int64_t num_copied() const { return num_copied_; }
  int64_t num_encoded() const { return num_encoded_; }
  int64_t num_rows() const { return writer_.num_stored(); }
  double rate() const { return rate_; }

  /// Images that could not be read, and what there is to say of the others.
  const std::vector<SkippedImage>& skipped() const { return skipped_; }
  const PassNotes& notes() const { return notes_; }

  void write_rows() {
    const torch::InferenceMode inference;
    Progress progress("encode", source_->size(), "images", num_before_);
    // Images of one shape come in the order of the index, so that a pass over
    // all of them sees where a block ends.
    if (job_.preprocessing.size > 0)
      write_pass(plan_.known ? blanked() : source_, stored_, progress);
    else
      for (int64_t block = 0; block < cut_.num_blocks(); ++block)
        write_pass(blanked(), all_but(cut_.images_of(block), source_->size()),
                   progress);
    progress.finish();
    rate_ = progress.rate();
    writer_.write_rest();
  }

  void finish(const std::optional<PreviewMap>& preview) {
    writer_.finish(preview);
  }

 private:
  void write_pass(const std::shared_ptr<const ImageSource>& source,
                  const std::vector<bool>& skip, Progress& progress) {
    Loader loader(source, job_.preprocessing,
                  {.batch_size = job_.batch_size,
                   .shuffle = false,
                   .strict = job_.strict,
                   .num_workers = job_.num_workers,
                   .max_batch_pixels = kUsualBatchPixels},
                  0, 0, &skip);
    while (const auto batch = loader.next()) {
      write(*batch);
      progress.update(writer_.num_stored());
      throw_if_stopped();
    }
    const auto& skipped = loader.skipped();
    skipped_.insert(skipped_.end(), skipped.begin(), skipped.end());
    notes_.add(loader.notes());
  }

  /// Rows of a batch, each to its block.
  void append(const StoreRows& rows) {
    const auto* indices = rows.indices.data_ptr<int64_t>();
    const auto count = rows.indices.size(0);
    for (int64_t begin = 0, end = 0; begin < count; begin = end) {
      const auto block = indices[begin] / cut_.images_per_block;
      while (end < count && indices[end] / cut_.images_per_block == block)
        ++end;
      if (block != block_) writer_.end_block(block * cut_.images_per_block);
      block_ = block;
      writer_.append(begin == 0 && end == count
                         ? rows
                         : slice_rows(rows, begin, end - begin));
    }
  }

  bool is_known(int64_t index) const {
    return plan_.known && plan_.known->has(index);
  }

  /// The source, of which nothing is read whose row is there.
  std::shared_ptr<const ImageSource> blanked() const {
    const auto edge = int32_t(job_.preprocessing.size);
    std::vector<std::array<int32_t, 2>> sizes(size_t(source_->size()), {0, 0});
    for (int64_t index = 0; index < source_->size(); ++index)
      if (is_known(index))
        sizes[size_t(index)] =
            edge > 0 ? std::array{edge, edge} : plan_.known->size(index);
    if (num_before_ > 0 && edge == 0) {
      const StoreReader written(plan_.folder, /*allow_incomplete=*/true);
      for (int64_t row = 0; row < written.size(); ++row) {
        const auto facts = written.facts(row);
        sizes[size_t(facts.index)] = facts.size;
      }
    }
    return with_blanks(source_, std::move(sizes), job_.preprocessing.channels);
  }

  void write(const ImageBatch& batch) {
    std::vector<int64_t> fresh, encoded, known;  // places in the batch
    std::vector<int64_t> kept, known_indices;    // places in `encoded`
    for (int64_t i = 0; i < batch.indices.size(0); ++i) {
      const auto index = batch.indices[i].item<int64_t>();
      if (!stored_[size_t(index)] && is_known(index)) {
        known.push_back(i);
        known_indices.push_back(index);
        continue;
      }
      if (!stored_[size_t(index)]) {
        fresh.push_back(i);
        kept.push_back(int64_t(encoded.size()));
      }
      // What is stored keeps its place: rounding depends on how many share a
      // batch.
      encoded.push_back(i);
    }
    std::vector<StoreRows> parts;
    if (!known.empty()) parts.push_back(plan_.known->read(known_indices));
    if (!fresh.empty()) {
      const bool all = int64_t(encoded.size()) == batch.indices.size(0);
      const auto asked = all ? batch : part_of(batch, encoded);
      const auto rows = encode_rows(codec_, asked, info_, job_.device);
      parts.push_back(kept.size() == encoded.size() ? rows
                                                    : select_rows(rows, kept));
    }
    if (parts.empty()) return;
    num_copied_ += int64_t(known.size());
    num_encoded_ += int64_t(fresh.size());
    append(in_order(join_rows(parts)));
  }

  /// As the batch had them.
  static StoreRows in_order(const StoreRows& rows) {
    const auto order = rows.indices.argsort();
    const auto* places = order.data_ptr<int64_t>();
    if (torch::equal(order, torch::arange(order.size(0)))) return rows;
    return select_rows(rows, {places, places + order.size(0)});
  }

  const EncodeJob& job_;
  const LoadedCodec& codec_;
  std::shared_ptr<const ImageSource> source_;
  const StoreInfo& info_;
  const EncodePlan& plan_;
  PartPlan cut_;
  int64_t block_ = 0;  // whose rows come
  StoreWriter writer_;
  std::vector<bool> stored_;  // by this call's predecessors, by index
  int64_t num_before_ = 0, num_copied_ = 0, num_encoded_ = 0;
  double rate_ = 0;
  std::vector<SkippedImage> skipped_;
  PassNotes notes_;
};

/// Bytes that the rows take for certain.
int64_t bytes_needed(const EncodeJob& job, const LoadedCodec& codec,
                     const StoreInfo& info, int64_t count) {
  const auto step = codec.codec->downsample();
  const auto edge = codec.codec->fixed_size()
                        ? 0
                        : (job.preprocessing.size + step - 1) / step;
  const auto depth = info.kind == "tokens" ? codec.tokenizer->num_levels()
                                           : codec.codec->latent_channels();
  return least_store_bytes(info, count, edge * edge, depth);
}

/// Bytes of the files of a folder, which need not be there.
int64_t bytes_in(const std::filesystem::path& folder) {
  int64_t bytes = 0;
  std::error_code ignored;
  for (const auto& file : std::filesystem::directory_iterator(folder, ignored))
    if (const auto size = file.file_size(ignored); !ignored)
      bytes += int64_t(size);
  return bytes;
}

Json expected(const EncodeJob& job, const LoadedCodec& codec,
              const ImageSource& source) {
  auto row = codec.cost->of(CodecPass::kEncode, source, job.preprocessing);
  if (job.flips) row.seconds *= 2;
  return expected_cost(row, source.size(), job.batch_size);
}

void tell_what_is_there(const EncodePlan& plan, const Encoding& encoding,
                        int64_t num_images) {
  if (encoding.num_before() > 0)
    fmt::print(stderr, "{}: going on after {} of {} images\n",
               plan.store.string(), encoding.num_before(), num_images);
}

}  // namespace

Json encode(const EncodeJob& given) {
  auto job = given;
  check_range("encode", "--batch-size", double(job.batch_size), 1, 1 << 16);
  check_range("encode", "--rows-per-shard", double(job.rows_per_shard), 1, 1e9);
  parse_dtype(job.dtype);
  expect_other_than(job.out, {path_of_source(job.data), job.codec});
  // Of several parts that begin at once, one makes the store.
  if (!find_part_plan(job.out)) expect_empty(job.out, "store.json");
  const auto codec = load_codec(job.codec, job.device);
  fit_preprocessing(codec, job.preprocessing);
  const std::shared_ptr<const ImageSource> source =
      open_source(job.data, job.preprocessing);
  const PrecisionScope precision(precision_for(job));
  const auto info = store_info(job, codec, *source);
  const auto needs = bytes_needed(job, codec, info, source->size());
  if (job.dry_run)
    return {{"would_encode", source->size()},
            {"store", job.out.string()},
            {"expected", expected(job, codec, *source)},
            {"needs_bytes", needs},
            {"free_bytes", free_bytes(job.out)},
            {"info", write_config(info)},
            {"precision", info.precision}};

  expect_fits(codec, *source, job.preprocessing, CodecPass::kEncode);
  const bool in_parts = job.part || job.finishes;
  if (in_parts && !is_complete(job.out)) {
    if (job.part)
      expect_space(job.out, needs / std::max<int64_t>(1, job.part->count));
    return encode_in_parts(job, codec, source, info);
  }
  const auto plan = plan_encode(job.out, info, *source);
  if (in_parts && !plan.complete_rows)
    throw ConfigError(fmt::format(
        "{}: the images changed since it was encoded, and it grows in one "
        "process: leave --part out (--part 0/1 under a launcher)",
        job.out.string()));
  if (plan.complete_rows) {
    fmt::print(stderr, "{}: is complete already\n", job.out.string());
    return {{"store", job.out.string()},
            {"images", *plan.complete_rows},
            {"already_complete", true},
            {"precision", info.precision}};
  }
  expect_space(job.out, needs - bytes_in(plan.folder));
  std::optional<FolderLock> old;  // of the store that will be replaced
  if (plan.replaces()) old.emplace(job.out);
  std::optional<Encoding> encoding(std::in_place, job, codec, source, info,
                                   plan);
  tell_what_is_there(plan, *encoding, source->size());
  encoding->write_rows();
  std::optional<PreviewMap> preview;
  if (info.kind != "tokens")
    preview = fit_preview(plan.folder, source, job.preprocessing, *codec.codec,
                          job.num_workers);
  encoding->finish(preview);

  Json result{{"store", job.out.string()},
              {"images", encoding->num_rows()},
              {"precision", info.precision},
              {"images_per_s", encoding->rate()},
              {"peak_memory_mib", double(peak_memory_bytes()) / (1 << 20)}};
  if (plan.replaces()) {
    const auto removed = plan.known ? plan.known->num_gone() : 0;
    result["copied"] = encoding->num_copied();
    result["encoded"] = encoding->num_encoded();
    result["removed"] = removed;
    fmt::print(stderr,
               "{}: the images changed: {} rows copied, {} encoded, {} "
               "removed\n",
               job.out.string(), encoding->num_copied(),
               encoding->num_encoded(), removed);
  }
  report_skipped(result, encoding->skipped(), encoding->notes());
  encoding.reset();
  if (plan.replaces()) replace_store(job.out);
  if (preview) result["preview_r2"] = preview->r2;
  return result;
}

}  // namespace calotype
