#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/files.h"
#include "core/random.h"
#include "store/latent_store.h"

// write_stores FOLDER: a store FOLDER/DTYPE of each number type and more, whose
// content h5py_reads_store.py and tests/python compute for themselves, and
// random numbers, which the latter does too.
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

/// Rows [first, first + count) of kind latents, whose grids are [2,height,3].
StoreRows plain_rows(int64_t first, int64_t count, int64_t height) {
  StoreRows rows;
  rows.indices = at::arange(first, first + count);
  rows.labels = rows.indices % 3 - 1;
  rows.grid.mean = (rows.indices.to(at::kFloat) / 8)
                       .view({count, 1, 1, 1})
                       .expand({count, 2, height, 3})
                       .contiguous();
  for (int64_t k = first; k < first + count; ++k) {
    rows.names.push_back(std::to_string(k));
    rows.sizes.push_back({int32_t(height), 3});
    rows.hashes.push_back(uint64_t(k));
  }
  return rows;
}

/// Two grid shapes in several shards each, which end at different places.
/// `complete`: else it stops as a writer does that is killed.
void write_mixed(const std::filesystem::path& folder, bool complete) {
  StoreInfo info{.kind = "latents", .dtype = "fp16"};
  info.class_names = {"a", "b"};
  StoreWriter writer(folder, info, 4);
  for (int64_t first = 0; first < 30; first += 3)
    writer.append(plain_rows(first, 3, first % 5 < 2 ? 4 : 2));
  if (complete) writer.finish();
}

void write_numbers(const std::filesystem::path& folder) {
  // Samples of which the last needs more than 32 bits.
  const auto samples = at::tensor({0L, 3L, 123'456L, (5L << 33) + 1});
  const auto noise = normal_rows({3, 7, 5}, samples, 0x1234'5678'9abc'def0u,
                                 Stream::kPosterior, 4'000'000'000u);
  const auto* bytes = reinterpret_cast<const char*>(noise.data_ptr<float>());
  write_file_atomic(folder / "normal.f32",
                    std::string(bytes, size_t(noise.nbytes())));
  auto numbers = Json::object();
  for (const int64_t size : {1, 2, 5, 16, 17, 1000}) {
    const Permutation order(size, ~uint64_t{0} - uint64_t(size), 9);
    for (int64_t i = 0; i < size; ++i)
      numbers["order"][std::to_string(size)].push_back(order(i));
  }
  for (uint64_t sample = 0; sample < 20; ++sample)
    numbers["flips"].push_back(uniform({7, Stream::kStoredFlip, sample, 3}) <
                               0.5);
  write_file_atomic(folder / "numbers.json", numbers.dump());
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
  const std::filesystem::path folder = argv[1];
  calotype::write_mixed(folder / "mixed", true);
  calotype::write_mixed(folder / "growing", false);
  calotype::write_numbers(folder);
}
