#include "metrics/inception_score.h"

#include <ATen/Functions.h>
#include <gmock/gmock.h>

#include <cmath>

#include "core/error.h"
#include "tests/support/message_of.h"

namespace calotype {
namespace {

/// Images that a network is certain of, image i of class i modulo K.
at::Tensor certain(int64_t count, int64_t num_classes) {
  return at::one_hot(at::arange(count, at::kLong).fmod(num_classes),
                     num_classes)
      .to(at::kDouble)
      .mul(1e4);
}

TEST(InceptionScore, IsTheNumberOfClassesWhereAllAreCertainAndEqual) {
  InceptionScore score(2);
  score.add(certain(20, 5), at::arange(20, at::kLong).div(10, "floor"));
  EXPECT_NEAR(score.score().mean, 5, 1e-9);
  EXPECT_NEAR(score.score().std, 0, 1e-9);
}

TEST(InceptionScore, IsOneWhereNothingIsKnown) {
  InceptionScore score(1);
  score.add(at::zeros({4, 7}), at::zeros({4}, at::kLong));
  EXPECT_NEAR(score.score().mean, 1, 1e-12);
}

// By hand: p = (0.9, 0.1) and (0.5, 0.5); their mean is (0.7, 0.3).
TEST(InceptionScore, IsTheMeanDivergenceOfEachImage) {
  const auto logits =
      at::tensor({0.9, 0.1, 0.5, 0.5}, at::kDouble).view({2, 2}).log();
  InceptionScore score(1);
  score.add(logits, at::zeros({2}, at::kLong));
  const double first = 0.9 * std::log(0.9 / 0.7) + 0.1 * std::log(0.1 / 0.3);
  const double second = 0.5 * std::log(0.5 / 0.7) + 0.5 * std::log(0.5 / 0.3);
  EXPECT_NEAR(score.score().mean, std::exp((first + second) / 2), 1e-12);
}

// Two splits of one class each know nothing of the other's class, in whatever
// batches they come.
TEST(InceptionScore, SplitsAsItIsTold) {
  const auto logits = certain(4, 2);  // classes 0, 1, 0, 1
  const auto split_of = at::tensor({0, 1, 0, 1}, at::kLong);
  InceptionScore score(2);
  score.add(logits.narrow(0, 0, 3), split_of.narrow(0, 0, 3));
  score.add(logits.narrow(0, 3, 1), split_of.narrow(0, 3, 1));
  EXPECT_NEAR(score.score().mean, 1, 1e-9);

  // The first split of one class, the second of both: 1 and 2.
  InceptionScore uneven(2);
  uneven.add(certain(4, 2).index_select(0, at::tensor({0, 2, 0, 1}, at::kLong)),
             at::tensor({0, 0, 1, 1}, at::kLong));
  EXPECT_NEAR(uneven.score().mean, 1.5, 1e-9);
  EXPECT_NEAR(uneven.score().std, 0.5, 1e-9);
}

TEST(InceptionScore, RefusesAnEmptySplit) {
  InceptionScore score(2);
  score.add(certain(2, 2), at::zeros({2}, at::kLong));
  EXPECT_FALSE(score.has_score());
  EXPECT_EQ(message_of<ConfigError>([&] { score.score(); }),
            "inception score: each of 2 splits needs an image");
}

}  // namespace
}  // namespace calotype
