#include <ATen/ATen.h>
#include <fmt/format.h>

#include "store/latent_store.h"

// write_store_for_h5py FOLDER: a store FOLDER/DTYPE of each number type, whose
// content h5py_reads_store.py computes for itself.
namespace calotype {
namespace {

constexpr int64_t kCount = 7;

void write_store(const std::filesystem::path& folder, const std::string& dtype,
                 bool flips = false) {
  StoreInfo info;
  info.dtype = dtype;
  info.flips = flips;
  info.codec = CodecRecord(Json{{"class", "AutoencoderKL"}});
  StoreWriter writer(folder / (dtype + (flips ? "-flips" : "")), info, 4);
  StoreRows rows;
  // x/3 for x = -84 ... 83 is exact in none of the types.
  const auto numbers = at::arange(-84, 84, at::kFloat).view({kCount, 4, 2, 3});
  rows.grid.mean = numbers / 3;
  rows.grid.logvar = numbers / 100 - 1;
  if (flips) rows.flipped = {numbers / 7, numbers / 50};
  rows.indices = at::arange(kCount);
  rows.labels = rows.indices - 1;
  for (int64_t k = 0; k < kCount; ++k) {
    rows.names.push_back(fmt::format("hémd/{}.png", k));
    rows.sizes.push_back({int32_t(10 + k), int32_t(20 + k)});
    rows.hashes.push_back(0xfedc'ba98'7654'3210u + uint64_t(k));
  }
  writer.append(rows);
  writer.finish();
}

void write_tokens(const std::filesystem::path& folder, int64_t num_codes,
                  const std::string& packing) {
  StoreInfo info{
      .kind = "tokens", .dtype = token_dtype(num_codes), .packing = packing};
  info.codec =
      CodecRecord(Json{{"class", "VQModel"}, {"num_codes", num_codes}});
  StoreWriter writer(folder / fmt::format("tokens-{}-{}", num_codes, packing),
                     info, 4);
  StoreRows rows{.tokens = num_codes - 1 - at::arange(kCount * 6, at::kLong)};
  rows.tokens = rows.tokens.view({kCount, 1, 2, 3});
  rows.indices = at::arange(kCount);
  rows.labels = rows.indices;
  for (int64_t k = 0; k < kCount; ++k) {
    rows.names.push_back(std::to_string(k));
    rows.sizes.push_back({8, 12});
    rows.hashes.push_back(uint64_t(k));
  }
  writer.append(rows);
  writer.finish();
}

/// Tokens of which one is by far the likeliest, in enough rows and at enough
/// positions for every bound of the coder's estimates to matter.
void write_likely_tokens(const std::filesystem::path& folder) {
  constexpr int64_t kMany = 20'000;
  StoreInfo info{.kind = "tokens", .dtype = "uint8", .packing = "entropy"};
  info.codec = CodecRecord(Json{{"class", "VQModel"}, {"num_codes", 8}});
  StoreWriter writer(folder / "likely", info, kMany);
  StoreRows rows;
  rows.indices = at::arange(kMany);
  rows.labels = rows.indices;
  rows.tokens = (rows.indices % 700)
                    .eq(699)
                    .mul(5)
                    .add(1)
                    .view({kMany, 1, 1, 1})
                    .repeat({1, 1, 1, 6});
  rows.names.assign(size_t(kMany), "x");
  rows.sizes.assign(size_t(kMany), {8, 8});
  rows.hashes.assign(size_t(kMany), 1);
  writer.append(rows);
  writer.finish();
}

}  // namespace
}  // namespace calotype

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  for (const auto* dtype : {"fp32", "fp16", "bf16"})
    for (const bool flips : {false, true})
      calotype::write_store(argv[1], dtype, flips);
  for (const int64_t num_codes : {256, 65536, 1 << 24})
    calotype::write_tokens(argv[1], num_codes, "none");
  for (const int64_t num_codes : {700, 65536})
    for (const auto* packing : {"bits", "entropy"})
      calotype::write_tokens(argv[1], num_codes, packing);
  calotype::write_tokens(argv[1], 1 << 20, "bits");
  calotype::write_likely_tokens(argv[1]);
}
