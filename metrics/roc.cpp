#include "metrics/roc.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"

namespace calotype {

double roc_auc(const std::vector<double>& scores,
               const std::vector<bool>& positive) {
  if (scores.size() != positive.size())
    throw ShapeError("roc_auc: as many scores as labels are needed");
  for (const auto score : scores)
    if (std::isnan(score)) throw DataError("roc_auc: a score is not a number");
  const auto num_positive =
      double(std::count(positive.begin(), positive.end(), true));
  const auto num_negative = double(scores.size()) - num_positive;
  if (num_positive == 0 || num_negative == 0)
    throw ConfigError(
        "roc_auc: needs images of both kinds, normal and anomalous");
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return scores[a] < scores[b]; });
  double rank_sum = 0;  // of the positives, from 1; ties share their mean rank
  for (size_t begin = 0; begin < order.size();) {
    auto end = begin + 1;
    while (end < order.size() && scores[order[end]] == scores[order[begin]])
      ++end;
    const double rank = double(begin + end + 1) / 2;
    for (auto i = begin; i < end; ++i)
      if (positive[order[i]]) rank_sum += rank;
    begin = end;
  }
  return (rank_sum - num_positive * (num_positive + 1) / 2) /
         (num_positive * num_negative);
}

}  // namespace calotype
