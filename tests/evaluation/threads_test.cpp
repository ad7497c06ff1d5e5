#include "tests/support/threads.h"

#include "evaluation/reconstructor.h"
#include "tests/evaluation/pair_folders.h"

// Each loop of tools/ gives the same bits on any number of threads;
// rate_distortion_test.cpp has the other.
namespace calotype {
namespace {

TEST_F(EvaluatePairs, AreTheSameImagesOnAnyNumberOfThreads) {
  write_pairs("made", 5);
  const auto originals = open_source((folder_ / "originals").string());
  ImageBatch batch;
  batch.images = at::zeros({12, 1, 40, 40});
  batch.indices = at::arange(12, at::kLong);
  for (int64_t i = 0; i < originals->size(); ++i)
    batch.names.push_back(originals->name(i));
  const auto reconstructor = open_pairs(pairs("made"), *originals);
  expect_same_bits([&] {
    return std::vector<at::Tensor>{reconstructor->reconstruct(batch).images};
  });
}

}  // namespace
}  // namespace calotype
