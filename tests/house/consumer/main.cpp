// A program of somebody else's that uses the installed library.
#include <ATen/Functions.h>

#include <cstdio>
#include <filesystem>
#include <iterator>

#include "core/random.h"
#include "core/runtime.h"
#include "store/latent_store.h"

namespace {

long num_threads() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"),
                       std::filesystem::directory_iterator());
}

}  // namespace

int main() {
  const calotype::Permutation order(10, 1, 0);
  const calotype::StoreInfo info{.kind = "moments", .count = order(3)};
  std::puts(calotype::write_config(info).dump().c_str());

  // The library's own loops run on several threads.
  calotype::set_up_runtime({.num_threads = 2, .device = "cpu"});
  const auto before = num_threads();
  calotype::normal_rows({1000}, at::arange(100, at::kLong), 1,
                        calotype::Stream::kSynthetic);
  if (num_threads() == before + 1) return 0;
  std::fprintf(stderr, "consumer: the library's loops are serial\n");
  return 1;
}
