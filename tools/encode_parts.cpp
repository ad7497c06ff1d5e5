#include "tools/encode_parts.h"

#include <fmt/format.h>
#include <torch/types.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/note.h"
#include "core/progress.h"
#include "core/stop_signal.h"
#include "datasets/loader.h"
#include "report/skipped.h"
#include "store/latent_store.h"
#include "store/store_info.h"
#include "tools/encode_rows.h"
#include "tools/fit_preview.h"

namespace calotype {
namespace {

/// Blocks of images of many shapes: more than a shard of each, so that there is
/// no handful of rows in a file.
constexpr int64_t kShardsPerMixedBlock = 8;

/// The part of this process.
Part part_of(const EncodeJob& job) {
  const auto plan = find_part_plan(job.out);
  return part_of_work(*job.part, plan ? plan->parts : job.part->count,
                      plan ? plan->first : job.part->first, job.out);
}

class PartOfStore {
 public:
  PartOfStore(const EncodeJob& job, const LoadedCodec& codec,
              std::shared_ptr<const ImageSource> source, const StoreInfo& info,
              const PartPlan& plan)
      : job_(job),
        codec_(codec),
        source_(std::move(source)),
        info_(info),
        parts_(job.out, info, plan) {}

  StoreParts& parts() { return parts_; }

  Json encode(const Part& part) {
    const auto blocks = parts_.plan().blocks_of(part.index);
    const auto images =
        blocks.size() == 0 ? Slice{}
                           : Slice{parts_.plan().images_of(blocks.begin).begin,
                                   parts_.plan().images_of(blocks.end - 1).end};
    const torch::InferenceMode inference;
    Progress progress("encode", images.size(), "images");
    const auto done = parts_.done();
    for (auto block = blocks.begin; block < blocks.end; ++block) {
      const auto own = parts_.plan().images_of(block);
      if (!done.contains(block)) encode_block(block, own);
      progress.update(own.end - images.begin);
    }
    progress.finish();
    Json result{{"store", job_.out.string()},
                {"part", part.index},
                {"parts", part.count},
                {"images", images.size()},
                {"encoded", num_encoded_},
                {"precision", info_.precision},
                {"images_per_s", progress.rate()}};
    report_skipped(result, skipped_, notes_);
    return result;
  }

  /// All parts are there.
  Json finish() {
    const auto num_rows = parts_.gather();
    StoreWriter writer(job_.out, info_, parts_.plan().rows_per_shard);
    if (writer.num_stored() != num_rows)
      throw DataError(fmt::format(
          "{}: has {} rows of {} in its parts; give the same command again",
          job_.out.string(), writer.num_stored(), num_rows));
    std::optional<PreviewMap> preview;
    if (info_.kind != "tokens")
      preview = fit_preview(job_.out, source_, job_.preprocessing,
                            *codec_.codec, job_.num_workers);
    writer.finish(preview);
    remove_parts(job_.out);
    return {{"store", job_.out.string()},
            {"images", num_rows},
            {"parts", parts_.plan().parts},
            {"precision", info_.precision}};
  }

 private:
  void encode_block(int64_t block, const Slice& images) {
    const auto skip = all_but(images, source_->size());
    Loader loader(source_, job_.preprocessing,
                  {.batch_size = job_.batch_size,
                   .shuffle = false,
                   .strict = job_.strict,
                   .num_workers = job_.num_workers,
                   .max_batch_pixels = kUsualBatchPixels},
                  0, 0, &skip);
    BlockWriter writer(job_.out, info_, parts_.plan(), block);
    while (const auto batch = loader.next()) {
      writer.append(encode_rows(codec_, *batch, info_, job_.device));
      num_encoded_ += batch->indices.size(0);
      throw_if_stopped();
    }
    writer.finish();
    const auto& skipped = loader.skipped();
    skipped_.insert(skipped_.end(), skipped.begin(), skipped.end());
    notes_.add(loader.notes());
  }

  const EncodeJob& job_;
  const LoadedCodec& codec_;
  std::shared_ptr<const ImageSource> source_;
  const StoreInfo& info_;
  StoreParts parts_;
  int64_t num_encoded_ = 0;
  std::vector<SkippedImage> skipped_;
  PassNotes notes_;
};

PartPlan plan_of(const EncodeJob& job, int64_t num_images) {
  auto plan = cut_of(job, num_images);
  if (job.part) {
    const auto part = part_of(job);
    plan.parts = part.count;
    plan.first = part.first;
  } else if (const auto found = find_part_plan(job.out)) {
    plan.parts = found->parts;
    plan.first = found->first;
  } else {
    throw ConfigError(
        fmt::format("{}: is not written in parts; --part I/N begins one",
                    job.out.string()));
  }
  return plan;
}

/// `work`, or nothing to do where it fails since another process has made the
/// store meanwhile, and removed what this one was at.
Json unless_complete(const EncodeJob& job, const StoreInfo& info,
                     const std::function<Json()>& work) {
  try {
    return work();
  } catch (const Interrupted&) {
    throw;
  } catch (const std::runtime_error&) {
    if (!is_complete(job.out)) throw;
  }
  remove_parts(job.out);
  note(fmt::format("{}: another process has made the store meanwhile",
                   job.out.string()));
  return {{"store", job.out.string()},
          {"images", StoreReader(job.out).size()},
          {"already_complete", true},
          {"precision", info.precision}};
}

/// The store of parts that are all there.
Json finish_parts(const EncodeJob& job, PartOfStore& store) {
  const auto missing = store.parts().missing();
  if (!missing.empty())
    throw ConfigError(missing_text(job.out, missing, store.parts().plan().parts,
                                   store.parts().plan().first));
  return store.finish();
}

/// A part, and the store if it is the last.
Json encode_part(const EncodeJob& job, PartOfStore& store) {
  const auto part = part_of(job);
  if (!part.variables.empty())
    note(fmt::format("encodes part {} of {} ({}); --part 0/1 would encode all",
                     part.index, part.count, part.variables));
  auto result = store.encode(part);
  if (const auto missing = store.parts().missing(); !missing.empty()) {
    result["missing"] = array_list(missing, store.parts().plan().first);
    return result;
  }
  try {
    result.update(store.finish());
  } catch (const FolderInUse&) {
    note(
        fmt::format("{}: another process makes the store of the parts; if it "
                    "is killed, --finish does",
                    job.out.string()));
  }
  return result;
}

}  // namespace

bool is_complete(const std::filesystem::path& store) {
  const auto file = store / "store.json";
  return std::filesystem::exists(file) &&
         parse_store_info(read_text_file(file), file.string()).complete;
}

PartPlan cut_of(const EncodeJob& job, int64_t num_images) {
  // A resumed run forms the same batches.
  const auto rows = (job.rows_per_shard + job.batch_size - 1) / job.batch_size *
                    job.batch_size;
  return {.num_images = num_images,
          .images_per_block =
              job.preprocessing.size > 0 ? rows : rows * kShardsPerMixedBlock,
          .rows_per_shard = rows};
}

Json encode_in_parts(const EncodeJob& job, const LoadedCodec& codec,
                     const std::shared_ptr<const ImageSource>& source,
                     const StoreInfo& info) {
  return unless_complete(job, info, [&] {
    PartOfStore store(job, codec, source, info, plan_of(job, source->size()));
    return job.part ? encode_part(job, store) : finish_parts(job, store);
  });
}

}  // namespace calotype
