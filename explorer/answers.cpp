#include "explorer/answers.h"

#include <ATen/Functions.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <numeric>
#include <span>

#include "core/base64.h"
#include "core/error.h"
#include "images/image_io.h"

namespace calotype {

std::string data_url(const Image& image) {
  return "data:image/png;base64," + base64(encode_png(image));
}

std::string packed(const at::Tensor& numbers) {
  const auto floats = numbers.to(at::kCPU, at::kFloat).contiguous();
  return base64({static_cast<const uint8_t*>(floats.data_ptr()),
                 size_t(floats.nbytes())});
}

std::string packed_short(const at::Tensor& numbers, int num_bytes) {
  const auto floats = numbers.to(at::kCPU, at::kFloat).contiguous();
  const auto cut = 32 - 8 * num_bytes;  // bits that go
  std::vector<uint8_t> bytes;
  bytes.reserve(size_t(floats.numel() * num_bytes));
  for (const auto value :
       std::span(floats.data_ptr<float>(), size_t(floats.numel()))) {
    const auto bits =
        std::bit_cast<uint32_t>(value) + (uint32_t{1} << (cut - 1));
    for (int at = cut; at < 32; at += 8) bytes.push_back(uint8_t(bits >> at));
  }
  return base64(bytes);
}

Json sheet_of(const at::Tensor& images) {
  const auto count = images.size(0);
  const auto columns = int64_t(std::ceil(std::sqrt(double(count))));
  return {{"picture", data_url(image_grid(images, columns, 1, 0))},
          {"columns", columns},
          {"count", count},
          {"height", images.size(2)},
          {"width", images.size(3)}};
}

std::vector<double> numbers_of(const at::Tensor& numbers) {
  const auto row = numbers.to(at::kDouble).contiguous();
  const auto* first = row.data_ptr<double>();
  return {first, first + row.numel()};
}

std::vector<int64_t> whole_numbers_of(const at::Tensor& numbers) {
  const auto row = numbers.to(at::kLong).contiguous();
  const auto* first = row.data_ptr<int64_t>();
  return {first, first + row.numel()};
}

int64_t whole_number(const Json& request, const char* key, int64_t low,
                     int64_t high, std::optional<int64_t> otherwise) {
  if (!request.contains(key) && otherwise) return *otherwise;
  if (!request.contains(key) || !request[key].is_number_integer())
    throw ConfigError(fmt::format("\"{}\" must be a whole number", key));
  const auto value = request[key].get<int64_t>();
  if (value < low || value > high)
    throw ConfigError(fmt::format("\"{}\" must be in [{}, {}], got {}", key,
                                  low, high, value));
  return value;
}

const Json& list_of(const Json& request, const char* key) {
  if (!request.contains(key) || !request[key].is_array())
    throw ConfigError(fmt::format("\"{}\" must be a list", key));
  return request[key];
}

int64_t class_of(const Json& request, const std::vector<std::string>& names) {
  if (!request.contains("class") || !request["class"].is_string()) return -1;
  const auto name = request["class"].get<std::string>();
  const auto at = std::ranges::find(names, name);
  if (at == names.end())
    throw ConfigError(fmt::format("there is no class \"{}\"", name));
  return at - names.begin();
}

double real_number(const Json& request, const char* key, double low,
                   double high, double otherwise) {
  if (!request.contains(key)) return otherwise;
  if (!request[key].is_number())
    throw ConfigError(fmt::format("\"{}\" must be a number", key));
  const auto value = request[key].get<double>();
  if (!(value >= low && value <= high))
    throw ConfigError(fmt::format("\"{}\" must be in [{}, {}], got {}", key,
                                  low, high, value));
  return value;
}

at::Tensor code_from(const Json& numbers, const std::vector<int64_t>& shape) {
  const auto count = std::accumulate(shape.begin(), shape.end(), int64_t{1},
                                     std::multiplies<>());
  if (!numbers.is_array() || int64_t(numbers.size()) != count)
    throw ConfigError(fmt::format("a code has {} numbers, got {}", count,
                                  numbers.is_array() ? numbers.size() : 0));
  std::vector<float> values;
  values.reserve(numbers.size());
  for (const auto& number : numbers) {
    if (!number.is_number()) throw ConfigError("a code is made of numbers");
    values.push_back(number.get<float>());
    if (!std::isfinite(values.back()))
      throw ConfigError("a code is made of numbers that a float holds");
  }
  return at::tensor(values).view(shape).unsqueeze(0);
}

}  // namespace calotype
