#include "datasets/sliced_source.h"

#include <fmt/format.h>

#include "core/error.h"
#include "core/hash.h"

namespace calotype {
namespace {

class SlicedSource : public ImageSource {
 public:
  SlicedSource(std::shared_ptr<const ImageSource> whole, int64_t begin,
               int64_t end, std::string spec)
      : whole_(std::move(whole)),
        begin_(begin),
        end_(end),
        spec_(std::move(spec)) {}

  int64_t size() const override { return end_ - begin_; }
  SourceImage load(int64_t index) const override {
    return whole_->load(begin_ + index);
  }
  std::string name(int64_t index) const override {
    return whole_->name(begin_ + index);
  }
  int64_t label(int64_t index) const override {
    return whole_->label(begin_ + index);
  }
  std::vector<std::string> class_names() const override {
    return whole_->class_names();
  }
  std::string spec() const override { return spec_; }
  std::string fingerprint() const override {
    return hex64(
        xxh64(fmt::format("{}[{}:{}]", whole_->fingerprint(), begin_, end_)));
  }
  std::vector<std::string> ignored_files() const override {
    return whole_->ignored_files();
  }

 private:
  std::shared_ptr<const ImageSource> whole_;
  int64_t begin_, end_;
  std::string spec_;
};

}  // namespace

std::unique_ptr<ImageSource> make_slice(
    std::shared_ptr<const ImageSource> whole, int64_t begin, int64_t end,
    const std::string& spec) {
  if (begin < 0 || begin >= end || end > whole->size())
    throw ConfigError(
        fmt::format("{}: expected 0 <= A < B <= {} in [A:B], got [{}:{}]", spec,
                    whole->size(), begin, end));
  return std::make_unique<SlicedSource>(std::move(whole), begin, end, spec);
}

}  // namespace calotype
