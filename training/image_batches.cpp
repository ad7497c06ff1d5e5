#include "core/error.h"
#include "training/batch_source.h"

namespace calotype {
namespace {

class ImageBatches : public BatchSource {
 public:
  ImageBatches(std::shared_ptr<const ImageSource> source,
               const Preprocessing& preprocessing, const LoaderConfig& config,
               const SkipReport& on_skip)
      : source_(std::move(source)),
        preprocessing_(preprocessing),
        config_(config),
        on_skip_(on_skip) {}

  Batch next() override {
    if (!loader_) open();
    for (int num_epochs_begun = 0; num_epochs_begun < 2; ++num_epochs_begun) {
      auto batch = loader_->next();
      report_skipped();
      if (batch) {
        at_.position = batch->next_position;
        return {.data = batch->images,
                .labels = batch->labels,
                .samples = batch->indices};
      }
      at_ = {.epoch = at_.epoch + 1, .position = 0};
      open();
    }
    throw DataError(source_->spec() +
                    ": not one full batch of readable images");
  }

  DataPosition position() const override { return at_; }

  void seek(const DataPosition& position) override {
    at_ = position;
    loader_.reset();
  }

  int64_t size() const override { return source_->size(); }

 private:
  void open() {
    num_reported_ = 0;
    loader_.emplace(source_, preprocessing_, config_, uint32_t(at_.epoch),
                    at_.position);
  }

  void report_skipped() {
    const auto& skipped = loader_->skipped();
    for (; num_reported_ < skipped.size(); ++num_reported_)
      if (on_skip_) on_skip_(skipped[num_reported_]);
  }

  std::shared_ptr<const ImageSource> source_;
  Preprocessing preprocessing_;
  LoaderConfig config_;
  SkipReport on_skip_;
  DataPosition at_;
  std::optional<Loader> loader_;
  size_t num_reported_ = 0;
};

}  // namespace

std::unique_ptr<BatchSource> image_batches(
    std::shared_ptr<const ImageSource> source,
    const Preprocessing& preprocessing, const LoaderConfig& config,
    const SkipReport& on_skip) {
  return std::make_unique<ImageBatches>(std::move(source), preprocessing,
                                        config, on_skip);
}

}  // namespace calotype
