#include <gtest/gtest.h>

#include <cstdlib>

#include "core/runtime.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  calotype::set_up_runtime({.device = "cpu"});
  const int result = RUN_ALL_TESTS();
#ifdef __SANITIZE_THREAD__
  // What LibTorch's libraries do at the end of a process is taken for ours.
  std::_Exit(result);
#endif
  return result;
}
