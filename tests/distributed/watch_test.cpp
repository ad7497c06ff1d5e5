#include "distributed/watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <thread>
#include <torch/csrc/distributed/c10d/HashStore.hpp>
#include <vector>

namespace calotype {
namespace {

using testing::HasSubstr;

/// Three processes, of which the last dies, as `a` and `b` see it.
TEST(Watch, WhoLooksLaterDoesNotBlameWhoLookedFirst) {
  const auto store = c10::make_intrusive<c10d::HashStore>();
  const auto connect = [store] {
    return c10::intrusive_ptr<c10d::Store>(store);
  };
  std::vector<std::optional<Watch>> watches(3);
  std::vector<std::thread> threads;
  for (int64_t rank = 0; rank < 3; ++rank)
    threads.emplace_back(
        [&, rank] { watches[size_t(rank)].emplace(connect, rank, 3, 30.0); });
  for (auto& thread : threads) thread.join();
  watches[2].reset();  // beats no more
  EXPECT_THAT(watches[1]->who_failed(), HasSubstr("process 2 of 3 ("));
  watches[1].reset();  // it ends, since it knows enough
  EXPECT_THAT(watches[0]->who_failed(), HasSubstr("process 2 of 3 ("));
}

}  // namespace
}  // namespace calotype
