#include "tests/support/torch_files.h"

#include <c10/core/ScalarType.h>
#include <fmt/format.h>

#include "tests/support/archives.h"
#include "tests/support/little_endian.h"

namespace calotype {
namespace {

std::string storage_class(at::ScalarType type) {
  return std::string(c10::toString(type)) + "Storage";
}

std::string bytes_of(const at::Tensor& tensor) {
  const auto values = tensor.contiguous();
  return {static_cast<const char*>(values.data_ptr()), values.nbytes()};
}

/// The pickle of a state dict whose tensors have a storage each.
std::string pickle_of(const TensorFile& file, const std::string& wrapper,
                      const TorchBeside& beside = {}) {
  PickleText pickle;
  if (!wrapper.empty()) {
    pickle.raw("}");
    for (const auto& key : beside) pickle.text(key).raw("}s");
    pickle.text(wrapper);
  }
  pickle.ordered_dict().raw("(");
  int key = 0;
  for (const auto& [name, tensor] : file.tensors)
    pickle.text(name).tensor({.key = std::to_string(key++),
                              .storage = storage_class(tensor.scalar_type()),
                              .num_elements = tensor.numel(),
                              .shape = tensor.sizes().vec(),
                              .strides = tensor.contiguous().strides().vec()});
  pickle.raw("u");
  if (!wrapper.empty()) pickle.raw("s");
  return pickle.str();
}

}  // namespace

PickleText& PickleText::raw(std::string_view bytes) {
  bytes_ += bytes;
  return *this;
}

PickleText& PickleText::text(std::string_view text) {
  return raw("X").raw(little_endian(text.size(), 4)).raw(text);
}

PickleText& PickleText::integer(int64_t value) {
  return raw("\x8a\x08").raw(little_endian(uint64_t(value), 8));
}

PickleText& PickleText::integers(const std::vector<int64_t>& values) {
  raw("(");
  for (const auto value : values) integer(value);
  return raw("t");
}

PickleText& PickleText::global(std::string_view module, std::string_view name) {
  return raw("c").raw(module).raw("\n").raw(name).raw("\n");
}

PickleText& PickleText::ordered_dict() {
  return global("collections", "OrderedDict").raw(")R");
}

PickleText& PickleText::storage(const Tensor& tensor) {
  return raw("(")
      .text("storage")
      .global("torch", tensor.storage)
      .text(tensor.key)
      .text("cpu")
      .integer(tensor.num_elements)
      .raw("tQ");
}

PickleText& PickleText::tensor(const Tensor& tensor) {
  return global("torch._utils", "_rebuild_tensor_v2")
      .raw("(")
      .storage(tensor)
      .integer(tensor.offset)
      .integers(tensor.shape)
      .integers(tensor.strides)
      .raw("\x89")  // asks for no gradient
      .ordered_dict()
      .raw("tR");
}

std::string torch_zip(const std::string& pickle,
                      const std::vector<std::string>& storages,
                      const std::string& byte_order) {
  std::vector<ZipPart> records{{"archive/data.pkl", pickle}};
  if (!byte_order.empty()) records.push_back({"archive/byteorder", byte_order});
  for (size_t i = 0; i < storages.size(); ++i)
    records.push_back({fmt::format("archive/data/{}", i), storages[i]});
  records.push_back({"archive/version", "3\n"});
  return make_zip(records);
}

std::string torch_legacy(
    const std::string& pickle,
    const std::vector<std::pair<int64_t, std::string>>& storages) {
  const std::string_view magic(
      "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 12);
  PickleText keys;
  keys.raw("](");
  for (size_t i = 0; i < storages.size(); ++i) keys.text(std::to_string(i));
  keys.raw("e");
  auto file = PickleText().raw(magic).str() +
              PickleText().raw("M\xe9\x03").str() +
              PickleText().raw("}").text("little_endian").raw("\x88s").str() +
              pickle + keys.str();
  for (const auto& [num_elements, bytes] : storages)
    file += little_endian(uint64_t(num_elements), 8) + bytes;
  return file;
}

std::string torch_zip(const TensorFile& file, const std::string& wrapper,
                      const TorchBeside& beside) {
  std::vector<std::string> storages;
  for (const auto& item : file.tensors)
    storages.push_back(bytes_of(item.second));
  return torch_zip(pickle_of(file, wrapper, beside), storages);
}

std::string torch_legacy(const TensorFile& file) {
  std::vector<std::pair<int64_t, std::string>> storages;
  for (const auto& item : file.tensors)
    storages.emplace_back(item.second.numel(), bytes_of(item.second));
  return torch_legacy(pickle_of(file, ""), storages);
}

}  // namespace calotype
