#include <torch/types.h>

#include <array>

#include "core/check.h"
#include "core/disk_space.h"
#include "core/error.h"
#include "core/files.h"
#include "core/printable.h"
#include "nn/precision.h"
#include "outputs/apart.h"
#include "outputs/folder_files.h"
#include "store/latent_store.h"
#include "store/store_info.h"
#include "store/store_rows.h"
#include "store/store_size.h"
#include "tools/drawn_files.h"
#include "tools/generate_output.h"

// Drawn latents that are stored.
namespace calotype {
namespace {

/// Behind the index of the last image.
int64_t end_of(const GenerateJob& job) {
  return (job.to_seed ? 0 : job.first) + job.count;
}

StoreInfo drawn_store_info(const OutputSetup& setup) {
  StoreInfo info{.kind = "latents", .dtype = "fp32"};
  info.precision = precision_name(current_precision());
  if (setup.tokens) {
    info.kind = "tokens";
    const auto num_codes = setup.space.codec.num_codes();
    info.dtype = token_dtype(num_codes > 0 ? num_codes : int64_t{1} << 24);
  }
  info.codec = setup.space.codec;
  info.recipe = setup.recipe;
  info.source = {{"spec", "generated"},
                 {"fingerprint", json_text(DrawnFiles(setup).settings())},
                 {"count", end_of(setup.job)}};
  info.class_names = setup.space.class_names;
  return info;
}

void expect_place_for_store(const OutputSetup& setup) {
  const auto& job = setup.job;
  check_range("generate", "--first and --count of a store, together",
              double(end_of(job)), 1, double(int64_t{1} << 33));
  expect_apart(job.out, {job.init_image, job.mask}, {job.model, job.guide});
  expect_empty(job.out, "store.json");
}

class StoreOutput : public GenerateOutput {
 public:
  explicit StoreOutput(OutputSetup setup)
      : setup_(std::move(setup)),
        files_(setup_),
        writer_(setup_.job.out, drawn_store_info(setup_)),
        is_stored_(writer_.stored(end_of(setup_.job))) {}

  bool has(const DrawnRows& rows) override {
    for (int64_t i = 0; i < rows.samples.size(0); ++i)
      if (!is_stored_[size_t(files_.number(rows.begin + i))]) return false;
    return true;
  }

  void add(const at::Tensor& latents, const DrawnRows& drawn) override {
    const auto count = latents.size(0);
    StoreRows rows{.labels = drawn.labels,
                   .indices = torch::arange(count, torch::kLong) +
                              files_.number(drawn.begin)};
    (setup_.tokens ? rows.tokens : rows.grid.mean) = latents;
    for (int64_t i = 0; i < count; ++i) {
      rows.names.push_back(printable(files_.name(drawn.begin + i)));
      rows.sizes.push_back(image_size());
      rows.hashes.push_back(0);
    }
    append_missing(rows);
  }

  void preview(const at::Tensor&) override {}
  void flush() override {}
  void finish() override { writer_.finish(); }
  Json settings() const override { return files_.settings(); }

 private:
  /// What decode() cuts each image to; 0 for as it is.
  std::array<int32_t, 2> image_size() const {
    const auto& size = setup_.space.image_size;
    if (size.empty()) return {0, 0};
    return {int32_t(size[0]), int32_t(size[1])};
  }

  /// A batch that the end of a shard cut in two was drawn again as a whole.
  void append_missing(const StoreRows& rows) {
    const auto n = rows.indices.size(0);
    const auto is_stored = [&](int64_t i) {
      return bool(is_stored_[size_t(rows.indices[i].item<int64_t>())]);
    };
    for (int64_t begin = 0, end = 0; begin < n; begin = end) {
      while (end < n && is_stored(end) == is_stored(begin)) ++end;
      if (!is_stored(begin))
        writer_.append(slice_rows(rows, begin, end - begin));
    }
  }

  OutputSetup setup_;
  DrawnFiles files_;
  StoreWriter writer_;
  std::vector<bool> is_stored_;
};

}  // namespace

bool is_drawn_already(const OutputSetup& setup) {
  const auto file = setup.job.out / "store.json";
  if (!std::filesystem::exists(file)) return false;
  const auto found = parse_store_info(read_text_file(file), file.string());
  if (!found.complete ||
      !first_difference(found, drawn_store_info(setup)).empty())
    return false;
  try {
    return StoreReader(setup.job.out).size() == setup.job.count;
  } catch (const DataError&) {  // damaged: what is missing is drawn
    return false;
  }
}

std::unique_ptr<GenerateOutput> store_output(OutputSetup setup) {
  expect_place_for_store(setup);
  const auto& shape = setup.space.grid_shape;  // of tokens it is not told
  const auto cells = shape.empty() ? 0 : shape[1] * shape[2];
  const auto depth = shape.empty() ? 0 : shape[0];
  expect_space(setup.job.out, least_store_bytes(drawn_store_info(setup),
                                                setup.job.count, cells, depth));
  return std::make_unique<StoreOutput>(std::move(setup));
}

}  // namespace calotype
