#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "nn/onednn_check.h"

namespace calotype {

/// Expects that the answer to rows [first, first + count) of x [48,...] is that
/// to all of x, bit by bit; the counts are those where LibTorch changes its
/// implementation. Without oneDNN, whose work it is, the test is skipped.
template <class Map>
void expect_rows_alone(const at::Tensor& x, Map&& map) {
  const at::Tensor all = map(x);
  if (!use_onednn()) GTEST_SKIP() << "oneDNN is left out on this machine";
  for (const int64_t count : {1, 2, 5, 15, 16, 17, 33})
    for (const int64_t first : {0, 3, 7})
      EXPECT_TRUE(at::equal(map(x.narrow(0, first, count)),
                            all.narrow(0, first, count)))
          << count << " from " << first << " of " << x.sizes();
}

}  // namespace calotype
