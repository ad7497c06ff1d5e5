#include "metrics/grouped_moments.h"

#include <ATen/Functions.h>

#include <algorithm>

#include "core/check.h"
#include "core/random.h"

namespace calotype {
namespace {

constexpr uint64_t kGroupSeed = 0;  // groups are no draw: always the same
constexpr int64_t kMostWaiting = 64;

/// The upper triangle of a symmetric [F,F], row by row.
std::vector<double> packed(const at::Tensor& matrix) {
  const auto whole = matrix.contiguous();
  const auto* row = whole.data_ptr<double>();
  const auto F = whole.size(0);
  std::vector<double> triangle;
  triangle.reserve(size_t(F * (F + 1) / 2));
  for (int64_t i = 0; i < F; ++i, row += F)
    triangle.insert(triangle.end(), row + i, row + F);
  return triangle;
}

at::Tensor unpacked(const std::vector<double>& triangle, int64_t F) {
  auto matrix = at::zeros({F, F}, at::kDouble);
  auto* row = matrix.data_ptr<double>();
  const auto* from = triangle.data();
  for (int64_t i = 0; i < F; ++i, row += F) {
    std::copy(from, from + F - i, row + i);
    from += F - i;
  }
  return matrix + matrix.triu(1).t();
}

}  // namespace

at::Tensor image_groups(const at::Tensor& indices) {
  check_shape("image groups", "indices", indices, {-1});
  const auto places = indices.to(at::kCPU, at::kLong).contiguous();
  auto groups = at::empty_like(places);
  const auto* place = places.data_ptr<int64_t>();
  auto* group = groups.data_ptr<int64_t>();
  for (int64_t i = 0; i < places.size(0); ++i)
    group[i] = uniform_index({.seed = kGroupSeed,
                              .stream = Stream::kGroup,
                              .sample = uint64_t(place[i])},
                             GroupedMoments::kGroups);
  return groups;
}

void GroupedMoments::Group::add(const at::Tensor& rows) {
  const auto width = mean_.defined()    ? mean_.size(0)
                     : waiting_.empty() ? -1
                                        : waiting_.front().size(1);
  check_shape("GroupedMoments", "rows", rows, {-1, width});
  waiting_.push_back(rows.detach().to(at::kCPU, at::kDouble));
  num_waiting_ += rows.size(0);
  if (num_waiting_ < kMostWaiting) return;
  const auto together = moments();
  count_ = together.count();
  mean_ = together.mean();
  triangle_ = packed(together.scatter());
  waiting_.clear();
  num_waiting_ = 0;
}

Moments GroupedMoments::Group::moments() const {
  Moments sum;
  if (count_ > 0)
    sum = Moments(count_, mean_.clone(), unpacked(triangle_, mean_.size(0)));
  if (num_waiting_ > 0) sum.add(at::cat(waiting_));
  return sum;
}

void GroupedMoments::add(const at::Tensor& rows, const at::Tensor& indices) {
  check_shape("GroupedMoments", "indices", indices, {rows.size(0)});
  const auto groups = image_groups(indices);
  for (int64_t g = 0; g < kGroups; ++g) {
    const auto members = groups.eq(g).nonzero().view(-1);
    if (members.size(0) > 0)
      groups_[size_t(g)].add(rows.index_select(0, members.to(rows.device())));
  }
}

Moments GroupedMoments::of_groups(int64_t begin, int64_t end) const {
  Moments sum;
  for (int64_t g = begin; g < end; ++g) sum.merge(groups_[size_t(g)].moments());
  return sum;
}

Moments GroupedMoments::all() const {
  return of_groups(0, kGroups);
}

Moments GroupedMoments::without(int64_t group) const {
  auto sum = of_groups(0, group);
  sum.merge(of_groups(group + 1, kGroups));
  return sum;
}

bool GroupedMoments::has_course() const {
  return std::ranges::all_of(
      groups_, [](const Group& group) { return group.count() >= 2; });
}

bool GroupedMoments::has_interval() const {
  int64_t count = 0;
  for (const auto& group : groups_) {
    if (group.count() == 0) return false;
    count += group.count();
  }
  return count >= kGroups + 2;
}

}  // namespace calotype
