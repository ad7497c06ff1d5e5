#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace calotype {

/// The tensors of a checkpoint, and what has become of each: used in a model,
/// set aside by a rule, or left over.
class SourceTensors {
 public:
  struct Stored {
    std::vector<int64_t> shape;
    std::function<at::Tensor()> read;
  };

  /// `where`: the file, which leads messages.
  SourceTensors(std::string where, std::map<std::string, Stored> tensors);

  const std::string& where() const { return where_; }
  bool has(const std::string& name) const { return tensors_.count(name) > 0; }
  bool has_under(const std::string& prefix) const;

  /// Throws DataError where there is no such tensor.
  const std::vector<int64_t>& shape(const std::string& name) const;

  /// Its numbers, of which it counts as used. Throws DataError likewise.
  at::Tensor take(const std::string& name);

  /// What is not used of `name` is no part of a model, for the reason `why`:
  /// one tensor, or all that begin with it where it ends with a dot. Returns
  /// how many these are.
  int64_t set_aside(const std::string& name, const std::string& why);

  /// The same of all that begin with `prefix`, though it was used: of a part
  /// that turned out to have no class here. Returns how many.
  int64_t drop(const std::string& prefix, const std::string& why);

  int64_t num_tensors() const { return int64_t(tensors_.size()); }
  int64_t num_used() const;

  /// Of what was set aside, how many for each reason.
  std::map<std::string, int64_t> aside() const;

  /// Names that are neither, sorted, of those that begin with `prefix`.
  std::vector<std::string> left_over(const std::string& prefix = "") const;

 private:
  struct Entry {
    Stored stored;
    bool is_used = false;
    std::string aside;  // the reason, or empty
  };
  const Entry& at(const std::string& name) const;

  std::string where_;
  std::map<std::string, Entry> tensors_;
};

/// Those whose names begin with a prefix, by the rest of their names; read from
/// their moving averages where these are asked for.
class SourcePart {
 public:
  SourcePart(SourceTensors& all, std::string prefix)
      : all_(&all), prefix_(std::move(prefix)) {}

  /// Takes averages as LDM's LitEma keeps them: below `averages`, a name
  /// without `owner` in front and without its dots. They are not to be taken
  /// apart, for "a1.0" and "a.10" give one name. Returns whether there are any.
  bool use_averages(const std::string& owner, const std::string& averages);

  const std::string& where() const { return all_->where(); }
  bool has(const std::string& name) const { return all_->has(prefix_ + name); }
  bool has_under(const std::string& prefix) const {
    return all_->has_under(prefix_ + prefix);
  }
  const std::vector<int64_t>& shape(const std::string& name) const {
    return all_->shape(prefix_ + name);
  }

  /// Entry `dim` of the shape. Throws DataError if there are fewer.
  int64_t size(const std::string& name, size_t dim) const;

  /// Throws DataError for another shape. What a model's size follows from is
  /// held to it before the model is made: a small file must not ask for a large
  /// one.
  void expect_shape(const std::string& name,
                    const std::vector<int64_t>& expected) const;

  at::Tensor take(const std::string& name);
  int64_t set_aside(const std::string& name, const std::string& why) {
    return all_->set_aside(prefix_ + name, why);
  }

  /// Throws NoClassHere if anything that begins with `prefix` is left over:
  /// without it the model would be another one.
  void expect_all_used(const std::string& prefix, const std::string& what);

 private:
  SourceTensors* all_;
  std::string prefix_;
  std::string owner_, averages_;
};

}  // namespace calotype
