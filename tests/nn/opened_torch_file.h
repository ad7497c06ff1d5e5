#pragma once

#include <torch/types.h>
#include <torch/utils.h>

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "nn/tensor_reader.h"
#include "nn/torch_file.h"
#include "tests/support/message_of.h"

namespace calotype {

inline std::span<const uint8_t> span_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

/// A storage of 0, 1, ... as floats.
inline std::string floats(int count) {
  const auto values = torch::arange(count, torch::kFloat);
  return {static_cast<const char*>(values.data_ptr()), values.nbytes()};
}

/// A file and what it holds.
struct Opened {
  explicit Opened(std::string text)
      : bytes(std::move(text)),
        content(is_torch_zip(span_of(bytes))
                    ? read_torch_zip(span_of(bytes), "test")
                    : read_torch_legacy(span_of(bytes), "test")) {}

  at::Tensor read(const std::string& name) const {
    return read_tensor(content.tensors.at(name));
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& item : content.tensors) all.push_back(item.first);
    return all;
  }

  std::string bytes;
  CheckpointContent content;
};

/// What reading it says.
inline std::string complaint(const std::string& text) {
  return message_of<DataError>([&] { Opened opened(text); });
}

}  // namespace calotype
