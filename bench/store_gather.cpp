#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/random.h"
#include "core/runtime.h"
#include "store/latent_store.h"

// store_gather: samples a second of random batches out of a latent store, by
// StoreReader::gather and by h5py on the same shard, in turns.
namespace calotype {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kCount = 70'000;  // as Fashion-MNIST has
constexpr int64_t kBatch = 128;
constexpr int kRounds = 7;
constexpr double kRoundSeconds = 0.5;
constexpr char kPython[] = "/usr/bin/python3";  // Debian's, which has h5py

/// One shard of kCount x 4x7x7 in fp16, without log-variances.
void write_store(const fs::path& folder) {
  StoreInfo info;
  info.dtype = "fp16";
  info.kind = "latents";
  StoreWriter writer(folder, info, kCount);
  constexpr int64_t kRows = 10'000;
  for (int64_t first = 0; first < kCount; first += kRows) {
    StoreRows rows;
    rows.indices = at::arange(first, first + kRows);
    rows.labels = rows.indices.remainder(10);
    rows.grid.mean =
        normal_rows({4, 7, 7}, rows.indices, 0, Stream::kSynthetic);
    rows.names.assign(size_t(kRows), "x");
    rows.sizes.assign(size_t(kRows), {28, 28});
    rows.hashes.assign(size_t(kRows), 0);
    writer.append(rows);
  }
  writer.finish();
}

/// Samples a second of one round over `reader`, whose rows come in `order`.
double gather_rate(const StoreReader& reader, const at::Tensor& order) {
  int64_t samples = 0;
  const double start = monotonic_s();
  while (monotonic_s() - start < kRoundSeconds) {
    reader.gather(order.narrow(0, samples % (kCount - kBatch), kBatch));
    samples += kBatch;
  }
  return double(samples) / (monotonic_s() - start);
}

/// The same by store_gather_h5py.py, or nothing without h5py.
std::optional<double> h5py_rate(const fs::path& shard) {
  const auto script = fs::path(__FILE__).parent_path() / "store_gather_h5py.py";
  const auto command =
      fmt::format("{} '{}' '{}' {} {}", kPython, script.string(),
                  shard.string(), kBatch, kRoundSeconds);
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"),
                                                   &pclose);
  double rate = 0;
  if (!pipe || std::fscanf(pipe.get(), "%lf", &rate) != 1) return std::nullopt;
  return rate;
}

/// Prints them and returns the median.
double summarise(const char* what, std::vector<double> rates) {
  std::sort(rates.begin(), rates.end());
  const double median = rates[rates.size() / 2];
  fmt::print("{:<22} {:>12.0f} samples/s (median of {}, {:.0f} to {:.0f})\n",
             what, median, rates.size(), rates.front(), rates.back());
  return median;
}

void compare() {
  auto pattern = (fs::temp_directory_path() / "store_gather_XXXXXX").string();
  if (!mkdtemp(pattern.data()))
    throw std::runtime_error("cannot make " + pattern);
  const fs::path folder = pattern;
  write_store(folder);
  fmt::print("{}, {} threads: batches of {} from {} x 4x7x7 fp16\n",
             version_text(), at::get_num_threads(), kBatch, kCount);
  std::vector<double> ours, theirs;
  {
    const StoreReader reader(folder);
    const auto order = at::randperm(kCount);
    gather_rate(reader, order);  // touches every page
    for (int round = 0; round < kRounds; ++round) {
      ours.push_back(gather_rate(reader, order));
      if (const auto rate = h5py_rate(folder / "shard-00000.h5"))
        theirs.push_back(*rate);
    }
  }
  fs::remove_all(folder);
  const double our_median = summarise("StoreReader::gather", ours);
  if (theirs.empty())
    return void(fmt::print("h5py: SKIPPED, {} has none\n", kPython));
  const double their_median = summarise("h5py, sorted indices", theirs);
  fmt::print("ratio of the medians   {:>12.1f}\n", our_median / their_median);
}

}  // namespace
}  // namespace calotype

int main() {
  calotype::set_up_runtime({.device = "cpu"});
  calotype::compare();
}
