#include "metrics/class_agreement.h"

#include <ATen/Functions.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace calotype {
namespace {

at::Tensor labels(std::vector<int64_t> values) {
  return at::tensor(values, at::kLong);
}

TEST(ClassAgreement, CountsPerClassAndOverall) {
  ClassAgreement agreement(3);
  agreement.add(labels({0, 0, 1, 1}), labels({0, 1, 1, 1}));
  EXPECT_DOUBLE_EQ(agreement.overall(), 0.75);
  const auto shares = agreement.per_class();
  ASSERT_EQ(shares.size(), 3u);
  EXPECT_DOUBLE_EQ(shares[0].share, 0.5);
  EXPECT_DOUBLE_EQ(shares[1].share, 1);
  EXPECT_EQ(shares[1].num_asked, 2);
  EXPECT_EQ(shares[2].num_asked, 0);
  EXPECT_DOUBLE_EQ(shares[2].share, 0);
}

TEST(ClassAgreement, PutsWhatWasAskedInRows) {
  ClassAgreement agreement(2);
  agreement.add(labels({0, 0}), labels({1, 1}));
  EXPECT_TRUE(at::equal(agreement.counts(), labels({0, 2, 0, 0}).view({2, 2})));
}

TEST(ClassAgreement, AddsUpBatches) {
  ClassAgreement whole(2), pieces(2);
  whole.add(labels({0, 1, 1}), labels({0, 0, 1}));
  pieces.add(labels({0}), labels({0}));
  pieces.add(labels({1, 1}), labels({0, 1}));
  EXPECT_TRUE(at::equal(whole.counts(), pieces.counts()));
}

TEST(ClassAgreement, RefusesALabelOutsideOfTheClasses) {
  ClassAgreement agreement(3);
  EXPECT_THAT([&] { agreement.add(labels({0}), labels({3})); },
              testing::ThrowsMessage<ShapeError>(
                  "class agreement: labels must be in [0, 2], got 3"));
  EXPECT_THROW(agreement.add(labels({-1}), labels({0})), ShapeError);
  EXPECT_THROW(agreement.add(labels({0, 1}), labels({0})), ShapeError);
}

TEST(ClassAgreement, OfNothingIsRefused) {
  EXPECT_THAT(
      [] { ClassAgreement(2).overall(); },
      testing::ThrowsMessage<ConfigError>(
          "class agreement: there must be an image to judge, got none"));
}

}  // namespace
}  // namespace calotype
