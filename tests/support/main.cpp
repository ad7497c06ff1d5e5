#include <gtest/gtest.h>

#include "core/runtime.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  calotype::set_up_runtime({.device = "cpu"});
  return RUN_ALL_TESTS();
}
