#pragma once

#include <fmt/format.h>

#include <string>

#include "core/config.h"
#include "core/progress.h"
#include "core/runtime.h"

namespace calotype {

/// Runs one stage after the other, tells how long each took and keeps it.
class Stages {
 public:
  template <class Stage>
  void run(const std::string& name, Stage&& stage) {
    const double begin = monotonic_s();
    stage();
    const double took = monotonic_s() - begin;
    seconds_[name] = took;
    total_ += took;
    fmt::print(stderr, "{}: {}\n", name, duration_text(took));
  }

  const Json& seconds() const { return seconds_; }  // by name, in their order
  double total() const { return total_; }

 private:
  Json seconds_ = Json::object();
  double total_ = 0;
};

}  // namespace calotype
