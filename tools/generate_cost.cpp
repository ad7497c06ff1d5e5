#include "tools/generate_cost.h"

#include <torch/utils.h>

#include <algorithm>

#include "core/runtime.h"
#include "nn/row_memory.h"

namespace calotype {

RowCost drawing_cost(int64_t num_steps, int64_t of,
                     const std::function<void()>& draw_one) {
  const torch::InferenceMode inference;
  const TensorMemory memory;
  const double begin = monotonic_s();
  draw_one();
  return {.bytes = with_scratch(memory.peak_bytes()),
          .seconds = (monotonic_s() - begin) * double(of) / double(num_steps)};
}

Json expected_drawing(const OutputSetup& setup, RowCost row) {
  const auto& job = setup.job;
  if (setup.codec) {
    const auto [height, width] = decoded_size(setup);
    const auto decoding =
        setup.codec->cost->of(CodecPass::kDecode, height, width);
    row.bytes = std::max(row.bytes, decoding.bytes);
    row.seconds += decoding.seconds;
  }
  return {{"would_generate", job.count},
          {job.latents ? "store" : "folder", job.out.string()},
          {"expected", expected_cost(row, job.count, job.batch_size)},
          {"recipe", setup.recipe}};
}

void expect_pictures_fit(const OutputSetup& setup) {
  if (!setup.codec) return;
  const auto [height, width] = decoded_size(setup);
  setup.codec->cost->expect_fits(CodecPass::kDecode, height, width,
                                 setup.job.model.string());
}

}  // namespace calotype
