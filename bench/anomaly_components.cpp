#include <fmt/format.h>
#include <torch/types.h>

#include "core/runtime.h"
#include "datasets/loader.h"
#include "metrics/moments.h"
#include "metrics/roc.h"

// What `calotype anomaly` has to beat on Fashion-MNIST: each class left out of
// the training set in turn, the test set scored by the error of its projection
// on k principal components, and the ROC-AUC of that class. Prints a row per
// class, at the k of the best mean and at the class's own best.
namespace calotype {
namespace {

constexpr int64_t kNumValues = 784;

struct Rows {
  at::Tensor values, labels;  // [N,784] double in [0,1], [N]
};

Rows read(const std::string& data) {
  Loader loader(open_source(data), {.channels = 1},
                {.batch_size = 1000, .shuffle = false});
  std::vector<at::Tensor> values, labels;
  while (const auto batch = loader.next()) {
    values.push_back((batch->images.flatten(1) / 2 + 0.5).to(torch::kDouble));
    labels.push_back(batch->labels);
  }
  return {torch::cat(values), torch::cat(labels)};
}

/// AUC of class `label` for each k in [0,784].
std::vector<double> aucs_without(int64_t label, const Rows& train,
                                 const Rows& test) {
  Moments moments;
  moments.add(
      train.values.index_select(0, train.labels.ne(label).nonzero().flatten()));
  const auto components = principal_components(moments, kNumValues);
  const auto centred = test.values - components.mean;
  const auto explained = components.project(test.values).square().cumsum(1);
  const auto total = centred.square().sum(1);
  std::vector<bool> positive;
  for (int64_t i = 0; i < test.labels.size(0); ++i)
    positive.push_back(test.labels[i].item<int64_t>() == label);
  std::vector<double> aucs;
  for (int64_t k = 0; k < kNumValues; ++k) {
    const auto error =
        (k == 0 ? total : total - explained.select(1, k - 1)).contiguous();
    const auto* first = error.data_ptr<double>();
    aucs.push_back(roc_auc({first, first + error.numel()}, positive));
  }
  return aucs;
}

void run() {
  const auto train = read("fashion-mnist:train");
  const auto test = read("fashion-mnist:test");
  const auto names = open_source("fashion-mnist:test")->class_names();
  std::vector<std::vector<double>> by_class;
  std::vector<double> means(kNumValues);
  for (size_t label = 0; label < names.size(); ++label) {
    by_class.push_back(aucs_without(int64_t(label), train, test));
    for (size_t k = 0; k < means.size(); ++k)
      means[k] += by_class.back()[k] / double(names.size());
  }
  const auto best = std::max_element(means.begin(), means.end());
  const auto k = size_t(best - means.begin());
  double mean_of_own = 0;
  fmt::print("{:12} {:>8} {:>16}\n", "left out", fmt::format("k={}", k),
             "own best k");
  for (size_t label = 0; label < names.size(); ++label) {
    const auto& aucs = by_class[label];
    const auto own = std::max_element(aucs.begin(), aucs.end());
    mean_of_own += *own / double(names.size());
    fmt::print("{:12} {:8.3f} {:8.3f} (k={})\n", names[label], aucs[k], *own,
               own - aucs.begin());
  }
  fmt::print("{:12} {:8.3f} {:8.3f}\n", "mean", *best, mean_of_own);
}

}  // namespace
}  // namespace calotype

int main() {
  calotype::set_up_runtime({.device = "cpu"});
  calotype::run();
}
