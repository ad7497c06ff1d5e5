#include "explorer/token_view.h"

#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <torch/types.h>

#include <utility>

#include "core/error.h"
#include "explorer/answers.h"
#include "images/image_io.h"
#include "models/image_size.h"
#include "models/round_trip.h"

namespace calotype {
namespace {

// As generate has them.
constexpr int64_t kTokenSteps = 12;
constexpr double kTokenGuidance = 2;

}  // namespace

TokenView::TokenView(std::shared_ptr<MaskedGeneratorImpl> model,
                     std::vector<std::string> class_names,
                     std::vector<int64_t> image_size, LoadedCodec tokenizer,
                     c10::Device device)
    : model_(std::move(model)),
      class_names_(std::move(class_names)),
      image_size_(std::move(image_size)),
      codec_(std::move(tokenizer)),
      device_(device) {
  const auto& c = model_->config();
  if (!codec_.tokenizer)
    throw ConfigError(
        fmt::format("explore: a generator draws tokens, and a {} has none",
                    codec_.class_name));
  if (codec_.tokenizer->num_codes() != c.num_codes ||
      codec_.tokenizer->num_levels() != c.num_levels)
    throw ConfigError(fmt::format(
        "explore: the generator draws {} levels of {} codes, the tokenizer has "
        "{} of {}",
        c.num_levels, c.num_codes, codec_.tokenizer->num_levels(),
        codec_.tokenizer->num_codes()));
}

Json TokenView::facts() const {
  return {{"classes", model_->config().num_classes > 0
                          ? class_names_
                          : std::vector<std::string>()},
          {"samplers", Json::array()},
          {"steps", kTokenSteps}};
}

at::Tensor TokenView::decoded(const at::Tensor& tokens) const {
  const auto& c = model_->config();
  return cut_to(codec_.tokenizer
                    ->detokenize(tokens.to(device_).view(
                        {-1, c.num_levels, c.grid_height, c.grid_width}))
                    .to(at::kCPU),
                image_size_);
}

Json TokenView::draw(const Json& request,
                     const std::function<void()>& on_step) const {
  const c10::InferenceMode inference;
  const auto label = class_of(request, class_names_);
  std::vector<at::Tensor> way;
  Json steps = Json::array();
  const auto tokens = draw_tokens(
      *model_,
      {.samples = at::zeros({1}, at::kLong),
       .labels = at::full({1}, label, at::kLong),
       .seed = uint64_t(whole_number(request, "seed", 0, kMaxSeed, 0)),
       .num_steps = whole_number(request, "steps", 1, kMaxSteps, kTokenSteps),
       .guidance = label < 0 ? 1
                             : real_number(request, "guidance", 0, kMaxGuidance,
                                           kTokenGuidance),
       .on_step = [&](int64_t steps_done, const at::Tensor& guess) {
         way.push_back(guess.to(at::kCPU));
         steps.push_back(steps_done);
         on_step();
       }});
  const auto picture = decoded(tokens);
  const auto code = encode_images(*codec_.codec, picture, device_).mean;
  Json json{{"code", packed(code[0].flatten())},
            {"decoded", data_url(to_image(picture[0]))},
            {"token_shape", tokens.sizes().slice(1).vec()},
            {"tokens", whole_numbers_of(tokens.flatten())},
            {"way", sheet_of(decoded(at::cat(way)))}};
  json["way"]["steps"] = steps;
  return json;
}

}  // namespace calotype
