#include "metrics/classifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/optim/adam.h>

#include <cmath>

#include "core/error.h"
#include "nn/model_folder.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

CalotypeClassifierConfig small_config() {
  return {.in_channels = 1,
          .sample_size = 12,
          .num_classes = 2,
          .channels = {8, 16}};
}

// Class 0 is bright on the left, class 1 on the right.
Batch two_classes() {
  auto images = at::full({8, 1, 12, 12}, -1.f);
  images.slice(0, 0, 4).slice(3, 0, 6).fill_(1);
  images.slice(0, 4, 8).slice(3, 6, 12).fill_(1);
  Batch batch;
  batch.data = images + 0.1 * at::arange(8).view({8, 1, 1, 1}).cos();
  batch.labels = at::arange(8).div(4, "floor").to(at::kLong);
  return batch;
}

TEST(Classifier, LearnsTwoClasses) {
  torch::manual_seed(1);
  CalotypeClassifier classifier(small_config());
  ClassifierTraining training(classifier);
  torch::optim::Adam optimizer(classifier->parameters(), 0.01);
  const auto batch = two_classes();
  for (int step = 0; step < 20; ++step) {
    optimizer.zero_grad();
    training.losses(batch).total.backward();
    optimizer.step();
  }
  EXPECT_TRUE(at::equal(classifier->classify(batch.data), batch.labels));
  const auto losses = training.losses(batch);
  EXPECT_EQ(losses.parts[1].first, "accuracy");
  EXPECT_EQ(losses.parts[1].second.item<float>(), 1);
}

TEST(Classifier, LossOfEvenLogitsIsTheLogarithmOfTheNumberOfClasses) {
  CalotypeClassifier classifier(small_config());
  {
    const at::NoGradGuard no_grad;
    for (auto& parameter : classifier->parameters()) parameter.zero_();
  }
  const auto losses = ClassifierTraining(classifier).losses(two_classes());
  EXPECT_NEAR(losses.total.item<double>(), std::log(2.0), 1e-6);
  EXPECT_EQ(losses.parts[1].second.item<float>(), 0.5);
}

TEST(Classifier, JudgesAnImageAloneAsInABatch) {
  CalotypeClassifier classifier(CalotypeClassifierConfig{});
  const at::NoGradGuard no_grad;
  const auto images = at::arange(3 * 784).sin().view({3, 1, 28, 28});
  const auto together = classifier->forward(images).logits;
  ASSERT_EQ(together.sizes(), at::IntArrayRef({3, 10}));
  EXPECT_TRUE(at::allclose(classifier->forward(images.slice(0, 1, 2)).logits,
                           together.slice(0, 1, 2), 1e-4, 1e-5));
}

TEST(Classifier, SavedAndLoadedGivesTheSameLogits) {
  TempFolder folder;
  CalotypeClassifier saved(small_config()), loaded(small_config());
  const auto images = two_classes().data;
  save_model_folder(folder / "model", "CalotypeClassifier",
                    write_config(saved->config()), weights_of(*saved));
  const auto model = open_model_folder(folder / "model");
  CalotypeClassifierConfig config;
  read_config(model.config, config, "config.json");
  EXPECT_EQ(config.channels, saved->config().channels);
  ASSERT_FALSE(
      at::equal(loaded->forward(images).logits, saved->forward(images).logits));
  load_weights(*loaded, model);
  EXPECT_TRUE(
      at::equal(loaded->forward(images).logits, saved->forward(images).logits));
}

TEST(Classifier, RefusesAnImageWithoutAClass) {
  ClassifierTraining training{CalotypeClassifier(small_config())};
  auto batch = two_classes();
  batch.labels[3] = -1;
  EXPECT_THAT([&] { training.losses(batch); },
              testing::ThrowsMessage<ConfigError>(
                  "classifier: every training image needs "
                  "a class in [0, 1], got -1"));
}

TEST(Classifier, RefusesMoreHalvingsThanTheImageHas) {
  auto config = small_config();
  config.channels = {8, 8, 8, 8};
  EXPECT_THAT([&] { config.validate(); },
              testing::ThrowsMessage<ConfigError>(
                  "classifier: sample_size must be in [16, 4096], got 12"));
  config.channels = {12};
  EXPECT_THAT([&] { config.validate(); },
              testing::ThrowsMessage<ConfigError>(
                  "classifier: channels must be multiples of 8, got 12"));
}

TEST(Classifier, RefusesImagesOfAnotherSize) {
  CalotypeClassifier classifier(small_config());
  EXPECT_THAT(
      [&] {
        classifier->classify(at::zeros({1, 1, 28, 28}));
      },
      testing::ThrowsMessage<ShapeError>(
          "classifier: images must be [*, 1, 12, 12], got [1, 1, 28, 28]"));
}

}  // namespace
}  // namespace calotype
