#include "core/background.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <stdexcept>
#include <vector>

namespace calotype {
namespace {

TEST(Background, DoesItsWorkInOrderOnAnotherThread) {
  std::vector<int> done;
  std::thread::id where;
  {
    Background background(1000);
    for (int i = 0; i < 50; ++i)
      background.add(1, [&, i] {
        where = std::this_thread::get_id();
        done.push_back(i);
      });
    background.wait();
    EXPECT_EQ(done.size(), 50);
    background.add(1, [&] { done.push_back(50); });
  }  // does what waits
  for (int i = 0; i <= 50; ++i) EXPECT_EQ(done.at(size_t(i)), i);
  EXPECT_NE(where, std::this_thread::get_id());
}

TEST(Background, HoldsNoMoreThanItMay) {
  std::promise<void> gate;
  const auto open = gate.get_future().share();
  Background background(10);
  background.add(100, [=] { open.wait(); });  // alone, larger as it is
  std::atomic<bool> is_in = false;
  auto second = std::async(std::launch::async, [&] {
    background.add(1, [] {});
    is_in = true;
  });
  EXPECT_EQ(second.wait_for(std::chrono::milliseconds(20)),
            std::future_status::timeout);
  EXPECT_FALSE(is_in);
  gate.set_value();
  second.get();
  background.wait();
}

TEST(Background, TellsOfAFailureOnceAndDoesNoMore) {
  Background background(10);
  bool is_done = false;
  background.add(1, [] { throw std::runtime_error("the disk is full"); });
  const auto ask = [&] {
    background.add(10, [&] { is_done = true; });
    background.wait();
  };
  EXPECT_THAT(ask,
              testing::ThrowsMessage<std::runtime_error>("the disk is full"));
  EXPECT_FALSE(is_done);
  EXPECT_NO_THROW(ask());
  EXPECT_TRUE(is_done);
}

}  // namespace
}  // namespace calotype
