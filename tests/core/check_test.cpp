#include "core/check.h"

#include <ATen/Functions.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"

namespace calotype {
namespace {

using testing::ThrowsMessage;

TEST(CheckShape, AcceptsAnySizeWhereTheStarIs) {
  EXPECT_NO_THROW(check_shape("Quantizer", "latent", at::zeros({2, 64, 8, 8}),
                              {-1, 64, -1, -1}));
  EXPECT_NO_THROW(check_shape("Quantizer", "loss", at::zeros({}), {}));
}

TEST(CheckShape, SaysWhereWhatExpectedAndGot) {
  EXPECT_THAT(
      [] {
        check_shape("Quantizer", "latent", at::zeros({2, 32, 8, 8}),
                    {-1, 64, -1, -1});
      },
      ThrowsMessage<ShapeError>(
          "Quantizer: latent must be [*, 64, *, *], got [2, 32, 8, 8]"));
}

TEST(CheckShape, RefusesALargerSizeToo) {
  EXPECT_THROW(check_shape("f", "x", at::zeros({3}), {2}), ShapeError);
}

TEST(CheckShape, RefusesAnotherNumberOfDimensions) {
  EXPECT_THAT(
      [] {
        check_shape("f", "x", at::zeros({3}), {3, -1});
      },
      ThrowsMessage<ShapeError>("f: x must be [3, *], got [3]"));
}

TEST(CheckShape, RefusesAnUndefinedTensor) {
  EXPECT_THAT([] { check_shape("f", "x", at::Tensor(), {-1}); },
              ThrowsMessage<ShapeError>("f: x must be [*], got nothing"));
}

TEST(CheckRange, IncludesBothEnds) {
  EXPECT_NO_THROW(check_range("training", "batch_size", 1, 1, 65536));
  EXPECT_NO_THROW(check_range("training", "batch_size", 65536, 1, 65536));
}

TEST(CheckRange, SaysTheRange) {
  EXPECT_THAT([] { check_range("training", "batch_size", 0, 1, 65536); },
              ThrowsMessage<ConfigError>(
                  "training: batch_size must be in [1, 65536], got 0"));
}

TEST(CheckRange, RefusesWhatIsNoNumber) {
  EXPECT_THROW(check_range("training", "learning_rate", std::nan(""), 0, 1),
               ConfigError);
}

TEST(CheckOneOf, ListsWhatIsAllowed) {
  EXPECT_NO_THROW(
      check_one_of("schedule", "beta_schedule", "linear", {"linear"}));
  EXPECT_THAT(
      [] {
        check_one_of("schedule", "beta_schedule", "cosine",
                     {"linear", "scaled_linear"});
      },
      ThrowsMessage<ConfigError>("schedule: beta_schedule must be one of "
                                 "linear, scaled_linear, got cosine"));
}

}  // namespace
}  // namespace calotype
