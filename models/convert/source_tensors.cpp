#include "models/convert/source_tensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/error.h"
#include "models/convert/converted.h"

namespace calotype {
namespace {

constexpr const char* kReplaced = "replaced by moving averages";

std::string without_dots(std::string name) {
  std::erase(name, '.');
  return name;
}

}  // namespace

SourceTensors::SourceTensors(std::string where,
                             std::map<std::string, Stored> tensors)
    : where_(std::move(where)) {
  for (auto& [name, stored] : tensors)
    tensors_[name].stored = std::move(stored);
}

bool SourceTensors::has_under(const std::string& prefix) const {
  const auto at = tensors_.lower_bound(prefix);
  return at != tensors_.end() && at->first.starts_with(prefix);
}

const SourceTensors::Entry& SourceTensors::at(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end())
    throw DataError(fmt::format("{}: {} is missing", where_, name));
  return found->second;
}

const std::vector<int64_t>& SourceTensors::shape(
    const std::string& name) const {
  return at(name).stored.shape;
}

at::Tensor SourceTensors::take(const std::string& name) {
  at(name);
  auto& entry = tensors_[name];
  entry.is_used = true;
  return entry.stored.read();
}

int64_t SourceTensors::set_aside(const std::string& name,
                                 const std::string& why) {
  int64_t count = 0;
  for (auto at = tensors_.lower_bound(name);
       at != tensors_.end() && at->first.starts_with(name); ++at) {
    if (!name.ends_with('.') && at->first != name) break;
    if (at->second.is_used || !at->second.aside.empty()) continue;
    at->second.aside = why;
    ++count;
  }
  return count;
}

int64_t SourceTensors::drop(const std::string& prefix, const std::string& why) {
  int64_t count = 0;
  for (auto at = tensors_.lower_bound(prefix);
       at != tensors_.end() && at->first.starts_with(prefix); ++at, ++count) {
    at->second.is_used = false;
    at->second.aside = why;
  }
  return count;
}

int64_t SourceTensors::num_used() const {
  return std::ranges::count_if(
      tensors_, [](const auto& item) { return item.second.is_used; });
}

std::map<std::string, int64_t> SourceTensors::aside() const {
  std::map<std::string, int64_t> counts;
  for (const auto& [name, entry] : tensors_)
    if (!entry.is_used && !entry.aside.empty()) ++counts[entry.aside];
  return counts;
}

std::vector<std::string> SourceTensors::left_over(
    const std::string& prefix) const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : tensors_)
    if (name.starts_with(prefix) && !entry.is_used && entry.aside.empty())
      names.push_back(name);
  return names;
}

bool SourcePart::use_averages(const std::string& owner,
                              const std::string& averages) {
  if (!all_->has_under(averages)) return false;
  owner_ = owner;
  averages_ = averages;
  return true;
}

int64_t SourcePart::size(const std::string& name, size_t dim) const {
  const auto& sizes = shape(name);
  if (sizes.size() <= dim)
    throw DataError(
        fmt::format("{}: {}{} has the shape {}, expected at least "
                    "{} dimensions",
                    where(), prefix_, name, shape_text(sizes), dim + 1));
  return sizes[dim];
}

void SourcePart::expect_shape(const std::string& name,
                              const std::vector<int64_t>& expected) const {
  if (shape(name) == expected) return;
  throw DataError(fmt::format("{}: {}{} must be {}, got {}", where(), prefix_,
                              name, shape_text(expected),
                              shape_text(shape(name))));
}

at::Tensor SourcePart::take(const std::string& name) {
  const auto full = prefix_ + name;
  if (averages_.empty()) return all_->take(full);
  const auto average = averages_ + without_dots(full.substr(owner_.size()));
  if (!all_->has(average)) return all_->take(full);  // it was not trained
  if (all_->has(full) && all_->shape(full) != all_->shape(average))
    throw DataError(fmt::format(
        "{}: {} must have the shape of {}, {}, got {}", where(), average, full,
        shape_text(all_->shape(full)), shape_text(all_->shape(average))));
  auto numbers = all_->take(average);
  all_->set_aside(full, kReplaced);
  return numbers;
}

void SourcePart::expect_all_used(const std::string& prefix,
                                 const std::string& what) {
  const auto names = all_->left_over(prefix_ + prefix);
  if (names.empty()) return;
  throw NoClassHere(fmt::format(
      "{}: {} has no place for {}{}; it is a variant that has no class here",
      where(), what, names.front(),
      names.size() > 1 ? fmt::format(" and {} more", names.size() - 1) : ""));
}

}  // namespace calotype
