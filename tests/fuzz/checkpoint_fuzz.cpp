#include <cstddef>
#include <cstdint>
#include <span>

#include "core/config.h"
#include "core/error.h"
#include "nn/checkpoint_file.h"
#include "tests/fuzz/touch.h"

// Whatever the bytes are: a checkpoint whose tensors lie inside, or a DataError.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const uint8_t> bytes(data, size);
  try {
    const auto content = calotype::read_checkpoint(bytes, "fuzz");
    for (const auto& item : content.tensors)
      calotype::touch(item.second, bytes);
    if (content.state_dicts.empty()) __builtin_trap();
    for (const auto& state_dict : content.state_dicts)
      for (const auto& item : state_dict.tensors)
        calotype::touch(item.second, bytes);
    calotype::json_text(content.beside);
  } catch (const calotype::DataError&) {
  }
  return 0;
}
