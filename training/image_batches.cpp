#include <set>

#include "training/batch_source.h"

namespace calotype {
namespace {

class ImageBatches : public BatchSource {
 public:
  ImageBatches(std::shared_ptr<const ImageSource> source,
               const Preprocessing& preprocessing, const LoaderConfig& config,
               const SkipReport& on_skip, const std::vector<int64_t>& labels)
      : source_(std::move(source)),
        preprocessing_(preprocessing),
        config_(config),
        on_skip_(on_skip),
        labels_(labels) {}

  std::optional<Batch> next_of_epoch() override {
    if (!loader_)
      loader_.emplace(source_, preprocessing_, config_, uint32_t(at_.epoch),
                      at_.in_epoch);
    auto batch = loader_->next();
    report_skipped();
    if (!batch) {
      seek({.epoch = at_.epoch + 1});
      return {};
    }
    at_.in_epoch = std::move(batch->next_position);
    rename_labels(batch->labels, labels_);
    return Batch{.data = batch->images,
                 .labels = batch->labels,
                 .samples = batch->indices};
  }

  DataPosition position() const override { return at_; }

  void seek(const DataPosition& position) override {
    at_ = position;
    loader_.reset();
    num_seen_ = 0;
  }

  int64_t size() const override { return source_->size(); }
  std::string name() const override { return source_->spec(); }

 private:
  void report_skipped() {
    const auto& skipped = loader_->skipped();
    for (; num_seen_ < skipped.size(); ++num_seen_)
      if (on_skip_ && reported_.insert(skipped[num_seen_].index).second)
        on_skip_(skipped[num_seen_]);
  }

  std::shared_ptr<const ImageSource> source_;
  Preprocessing preprocessing_;
  LoaderConfig config_;
  SkipReport on_skip_;
  std::vector<int64_t> labels_;
  DataPosition at_;
  std::optional<Loader> loader_;
  size_t num_seen_ = 0;         // of what this loader skipped
  std::set<int64_t> reported_;  // in any epoch
};

}  // namespace

std::unique_ptr<BatchSource> image_batches(
    std::shared_ptr<const ImageSource> source,
    const Preprocessing& preprocessing, const LoaderConfig& config,
    const SkipReport& on_skip, const std::vector<int64_t>& labels) {
  return std::make_unique<ImageBatches>(std::move(source), preprocessing,
                                        config, on_skip, labels);
}

}  // namespace calotype
