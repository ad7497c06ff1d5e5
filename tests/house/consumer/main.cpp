// A program of somebody else's that uses the installed library.
#include <cstdio>

#include "core/random.h"
#include "datasets/latent_store.h"

int main() {
  const calotype::Permutation order(10, 1, 0);
  const calotype::StoreInfo info{.kind = "moments", .count = order(3)};
  std::puts(calotype::write_config(info).dump().c_str());
}
