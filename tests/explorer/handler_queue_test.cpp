#include "explorer/handler_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <mutex>
#include <string>
#include <vector>

namespace calotype {
namespace {

using testing::ElementsAre;

/// What was run and dropped, in order.
class Log {
 public:
  HandlerQueue::Work work(const std::string& name,
                          const std::string& key = "") {
    return {.key = key,
            .run = [this, name] { add("run " + name); },
            .drop = [this, name] { add("drop " + name); }};
  }
  void add(const std::string& line) {
    const std::lock_guard lock(mutex_);
    lines_.push_back(line);
  }
  std::vector<std::string> lines() {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

/// Work that holds the queue's thread until it is let go.
class Gate {
 public:
  HandlerQueue::Work work() {
    return {.run =
                [this] {
                  entered_.set_value();
                  open_.get_future().wait();
                },
            .drop = [] {}};
  }
  void wait_until_entered() { entered_.get_future().wait(); }
  void open() { open_.set_value(); }

 private:
  std::promise<void> entered_, open_;
};

TEST(HandlerQueue, RunsInOrderAndGivesTheNewestOfAKeyThePlace) {
  Log log;
  Gate gate;
  {
    HandlerQueue queue(8);
    queue.push(gate.work());
    gate.wait_until_entered();
    for (const char* name : {"1", "2", "3"})
      EXPECT_TRUE(queue.push(log.work(name, "decode")));
    EXPECT_TRUE(queue.push(log.work("other")));
    std::promise<void> done;
    queue.push({.run = [&] { done.set_value(); }, .drop = [] {}});
    gate.open();
    done.get_future().wait();
  }
  EXPECT_THAT(log.lines(),
              ElementsAre("drop 1", "drop 2", "run 3", "run other"));
}

TEST(HandlerQueue, TakesNoMoreThanMayWaitAndDropsWhatIsLeft) {
  Log log;
  Gate gate;
  {
    HandlerQueue queue(2);
    queue.push(gate.work());
    gate.wait_until_entered();
    EXPECT_TRUE(queue.push(log.work("1")));
    EXPECT_TRUE(queue.push(log.work("2", "key")));
    EXPECT_FALSE(queue.push(log.work("3")));
    EXPECT_TRUE(queue.push(log.work("4", "key")))
        << "takes a place, needs none";
    std::thread later([&] { gate.open(); });
    later.join();
  }
  // Between the gate and the end a work may have been run.
  EXPECT_EQ(log.lines().size(), 3U);
  EXPECT_EQ(log.lines()[0], "drop 2");
}

TEST(HandlerQueue, TakesNothingAfterItsEnd) {
  Log log;
  HandlerQueue queue(8);
  queue.end();
  EXPECT_FALSE(queue.push(log.work("1")));
  EXPECT_FALSE(queue.push(log.work("2", "key")));
  queue.end();
  EXPECT_TRUE(log.lines().empty());
}

}  // namespace
}  // namespace calotype
