#include "tools/embed.h"

#include <torch/utils.h>

#include <algorithm>

#include "core/error.h"
#include "core/files.h"
#include "evaluation/image_pass.h"
#include "models/codec.h"
#include "models/round_trip.h"
#include "outputs/apart.h"
#include "outputs/folder_files.h"
#include "report/csv.h"
#include "report/skipped.h"
#include "tools/encode.h"

namespace calotype {
namespace {

constexpr const char* kTableHead = "index,name,class";

Json embed_in_store(const EmbedJob& job) {
  const bool is_part =
      job.limit > 0 && job.limit < open_source(job.data)->size();
  return encode({.codec = job.codec,
                 .data = is_part ? fmt::format("{}[0:{}]", job.data, job.limit)
                                 : job.data,
                 .out = job.out,
                 .preprocessing = job.preprocessing,
                 .dtype = "fp32",
                 .batch_size = job.batch_size,
                 .num_workers = job.num_workers,
                 .strict = job.strict,
                 .dry_run = job.dry_run,
                 .device = job.device});
}

}  // namespace

Json embed(const EmbedJob& given) {
  auto job = given;
  if (job.out.extension() != ".csv") return embed_in_store(job);
  expect_other_than(job.out, {path_of_source(job.data), job.codec});
  expect_own_text(job.out, std::string(kTableHead) + ",z0");
  const auto codec = load_codec(job.codec, job.device);
  fit_preprocessing(codec, job.preprocessing);
  const std::shared_ptr<const ImageSource> source =
      open_source(job.data, job.preprocessing);
  const auto total =
      job.limit > 0 ? std::min(job.limit, source->size()) : source->size();
  if (job.dry_run)
    return {
        {"would_embed", total},
        {"table", job.out.string()},
        {"expected", expected_cost(codec.cost->of(CodecPass::kEncode, *source,
                                                  job.preprocessing),
                                   total, job.batch_size)}};
  expect_fits(codec, *source, job.preprocessing, CodecPass::kEncode);
  const auto classes = source->class_names();
  const torch::InferenceMode inference;
  std::string text;
  int64_t numbers = 0;
  const auto pass = for_each_batch(
      job, "embed", source, job.limit, [&](const ImageBatch& batch) {
        expect_fits(codec, batch.images, CodecPass::kEncode);
        const auto codes = encode_images(*codec.codec, batch.images, job.device)
                               .mean.flatten(1)
                               .to(torch::kCPU)
                               .contiguous();
        if (numbers == 0) {
          numbers = codes.size(1);
          text = kTableHead;
          for (int64_t j = 0; j < numbers; ++j) text += fmt::format(",z{}", j);
          text += '\n';
        }
        if (codes.size(1) != numbers)
          throw ConfigError(fmt::format(
              "{}: {} has a code of {} numbers, the first image one of {}; "
              "choose one --size for all",
              job.data, batch.names.front(), codes.size(1), numbers));
        for (int64_t i = 0; i < codes.size(0); ++i) {
          text += csv_row_head(batch, i, classes);
          const auto* row = codes.data_ptr<float>() + i * numbers;
          for (int64_t j = 0; j < numbers; ++j)
            text += fmt::format(",{:.7g}", row[j]);
          text += '\n';
        }
      });
  write_file_atomic(job.out, text);
  Json result{{"table", job.out.string()},
              {"images", pass.num_images},
              {"numbers_per_image", numbers},
              {"images_per_s", pass.images_per_s}};
  report_skipped(result, pass.skipped, pass.notes);
  return result;
}

}  // namespace calotype
