#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "nn/safetensors.h"

// Files as torch.save writes them, byte by byte, and such as it never would.
namespace calotype {

/// A pickle of protocol 2, written opcode by opcode.
class PickleText {
 public:
  PickleText() : bytes_("\x80\x02") {}

  PickleText& raw(std::string_view bytes);
  PickleText& text(std::string_view text);  // BINUNICODE
  PickleText& integer(int64_t value);       // LONG1 of eight bytes
  PickleText& integers(const std::vector<int64_t>& values);  // a tuple
  PickleText& global(std::string_view module, std::string_view name);
  /// collections.OrderedDict().
  PickleText& ordered_dict();

  struct Tensor {
    std::string key = "0";  // of the storage
    std::string storage = "FloatStorage";
    int64_t num_elements = 0;  // of the storage
    int64_t offset = 0;
    std::vector<int64_t> shape, strides;
  };
  /// What torch._utils._rebuild_tensor_v2 makes a tensor of.
  PickleText& tensor(const Tensor& tensor);
  PickleText& storage(const Tensor& tensor);  // the persistent id alone

  /// With the end.
  std::string str() const { return bytes_ + "."; }

 private:
  std::string bytes_;
};

/// A checkpoint in a zip: data.pkl, and a storage for each of `storages`, by
/// their keys 0, 1, ...
std::string torch_zip(const std::string& pickle,
                      const std::vector<std::string>& storages,
                      const std::string& byte_order = "little");

/// The format before PyTorch 1.6: storages by the keys 0, 1, ... with their
/// numbers of elements.
std::string torch_legacy(
    const std::string& pickle,
    const std::vector<std::pair<int64_t, std::string>>& storages);

/// Keys of a checkpoint's dictionary whose values are empty dictionaries.
using TorchBeside = std::vector<std::string>;

/// A state dict, plain or under the key `wrapper` beside others, in either
/// format.
std::string torch_zip(const TensorFile& file, const std::string& wrapper = "",
                      const TorchBeside& beside = {});
std::string torch_legacy(const TensorFile& file);

}  // namespace calotype
