#include "tools/encode_rows.h"

#include <fmt/format.h>
#include <torch/types.h>

#include "core/error.h"
#include "core/note.h"
#include "models/round_trip.h"
#include "nn/precision.h"

namespace calotype {
namespace {

LatentGrid latents_of(const LoadedCodec& codec, const at::Tensor& images,
                      c10::Device device) {
  auto grid = encode_images(*codec.codec, images, device);
  grid.mean = grid.mean.to(torch::kCPU).contiguous();
  if (grid.logvar.defined())
    grid.logvar = grid.logvar.to(torch::kCPU).contiguous();
  return grid;
}

void tell_computed_again(const ImageBatch& batch) {
  for (const auto row : take_rows_computed_again())
    note(fmt::format("{}: is not finite in bf16 and was encoded in fp32",
                     batch.names[size_t(row)]));
}

}  // namespace

StoreRows encode_rows(const LoadedCodec& codec, const ImageBatch& batch,
                      const StoreInfo& info, c10::Device device) {
  expect_fits(codec, batch.images, CodecPass::kEncode);
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
    tell_computed_again(batch);
    return rows;
  }
  rows.grid = latents_of(codec, batch.images, device);
  if (info.flips)  // before anything is padded
    rows.flipped = latents_of(codec, batch.images.flip({3}), device);
  tell_computed_again(batch);
  return rows;
}

}  // namespace calotype
