#include "tools/drawing.h"

#include <torch/utils.h>

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/progress.h"
#include "core/stop_signal.h"
#include "tools/drawn_files.h"
#include "tools/folder_parts.h"
#include "tools/generate_cost.h"

namespace calotype {
namespace {

/// Draws into an output what is not there yet.
class Drawing {
 public:
  Drawing(const OutputSetup& setup, GenerateOutput& output,
          const DrawRows& draw)
      : job_(setup.job), files_(setup), output_(output), draw_(draw) {}

  /// Returns how many were drawn.
  int64_t make(const Slice& images) {
    const torch::InferenceMode inference;
    Progress progress("generate", images.size(), "images");
    int64_t num_drawn = 0;
    for (auto begin = images.begin; begin < images.end;) {
      const auto count = std::min(job_.batch_size, images.end - begin);
      const auto rows = files_.rows(begin, count);
      if (!output_.has(rows)) {
        const auto latents = draw_(rows, output_);
        throw_if_stopped();
        output_.add(latents, rows);
        num_drawn += count;
      }
      progress.update((begin += count) - images.begin);
    }
    output_.flush();
    progress.finish();
    rate_ = progress.rate();
    return num_drawn;
  }

  bool has(int64_t image) const { return output_.has(files_.rows(image, 1)); }
  double rate() const { return rate_; }

 private:
  const GenerateJob& job_;
  DrawnFiles files_;
  GenerateOutput& output_;
  const DrawRows& draw_;
  double rate_ = 0;
};

void refuse_unfit_for_parts(const GenerateJob& job) {
  if (job.latents)
    throw ConfigError(
        "generate: --latents is drawn by one process; --part is for images "
        "(--part 0/1 takes no notice of a launcher)");
  if (job.preview_every > 0)
    throw ConfigError(
        "generate: --preview-every shows what one process draws; leave it out "
        "with --part");
}

}  // namespace

Json draw_all(OutputSetup setup, const std::vector<int64_t>& classes,
              const std::function<RowCost()>& cost, const DrawRows& draw) {
  const auto& job = setup.job;
  const Json recipe = setup.recipe;
  setup.classes = classes;
  if (job.latents && job.fresh)
    throw ConfigError(
        "generate: --fresh removes images; delete a store to draw it anew");
  if (is_in_parts(job)) refuse_unfit_for_parts(job);
  if (!job.latents && !setup.codec) setup.codec = codec_of(job, setup.space);
  if (job.dry_run) return expected_drawing(setup, cost());
  if (job.latents && is_drawn_already(setup)) {
    fmt::print(stderr, "{}: is complete already\n", job.out.string());
    return {{"store", job.out.string()},
            {"images", job.count},
            {"already_complete", true},
            {"recipe", recipe}};
  }
  expect_pictures_fit(setup);
  if (!job.latents)
    expect_parts_fit(job.out, is_in_parts(job), job.finishes, job.fresh);
  const auto output = job.latents ? store_output(setup) : image_output(setup);
  Drawing drawing(setup, *output, draw);
  Json result;
  if (is_in_parts(job)) {
    result = work_in_parts(
        job.part, job.finishes,
        {.folder = job.out,
         .call = {{"command", "generate"}, {"settings", output->settings()}},
         .makes = "draws",
         .count = job.count,
         // On the CPU a picture has the same bits in any batch.
         .per_unit = job.device.is_cpu() ? 1 : job.batch_size,
         .make = [&](const Slice& images) { return drawing.make(images); },
         .has = [&](int64_t image) { return drawing.has(image); },
         .finish = [&] { output->finish(); }});
  } else {
    drawing.make({0, job.count});
    output->finish();
    result = {{job.latents ? "store" : "folder", job.out.string()},
              {"images", job.count}};
  }
  if (drawing.rate() > 0) result["images_per_s"] = drawing.rate();
  result["recipe"] = recipe;
  return result;
}

}  // namespace calotype
