// A program of somebody else's that writes and reads a store, and nothing more.
#include <ATen/Functions.h>

#include <cstdio>

#include "store/latent_store.h"

// store_consumer FOLDER: a new store there, and its number of rows on stdout.
int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const calotype::StoreInfo info{.kind = "latents"};
  calotype::StoreWriter writer(argv[1], info);
  calotype::StoreRows rows;
  rows.grid.mean = at::zeros({3, 4, 2, 2});
  rows.indices = at::arange(3);
  rows.labels = at::zeros({3}, at::kLong);
  rows.names = {"a", "b", "c"};
  rows.sizes = {{8, 8}, {8, 8}, {8, 8}};
  rows.hashes = {1, 2, 3};
  writer.append(rows);
  writer.finish();
  const calotype::StoreReader reader(argv[1]);
  std::printf("%lld rows\n", static_cast<long long>(reader.size()));
}
