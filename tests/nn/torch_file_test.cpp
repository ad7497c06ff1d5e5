#include "nn/torch_file.h"

#include <gmock/gmock.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <map>
#include <string>

#include "tests/nn/opened_torch_file.h"
#include "tests/support/torch_files.h"

namespace calotype {
namespace {

using namespace std::string_literals;
using testing::HasSubstr;

TensorFile every_type() {
  TensorFile file;
  for (const auto type :
       {torch::kDouble, torch::kFloat, torch::kHalf, torch::kBFloat16,
        torch::kLong, torch::kInt, torch::kShort, torch::kChar, torch::kByte,
        torch::kBool})
    file.tensors["layer." + std::string(c10::toString(type))] =
        torch::tensor({{1, 0, 3}, {0, 5, 6}}).to(type);
  file.tensors["scalar"] = torch::tensor(2.5);
  file.tensors["empty"] = torch::zeros({0, 3});
  return file;
}

TEST(TorchFile, GivesEveryTypeBackInBothFormats) {
  const auto file = every_type();
  for (const auto& opened :
       {Opened(torch_zip(file)), Opened(torch_legacy(file)),
        Opened(torch_zip(file, "state_dict"))}) {
    const auto& state_dict = opened.content.state_dicts.front();
    ASSERT_EQ(state_dict.tensors.size(), file.tensors.size());
    for (const auto& [name, tensor] : file.tensors) {
      const auto read = read_tensor(state_dict.tensors.at(name));
      EXPECT_EQ(read.scalar_type(), tensor.scalar_type()) << name;
      EXPECT_TRUE(torch::equal(read, tensor)) << name;
    }
  }
  EXPECT_EQ(Opened(torch_zip(file)).content.format, "pickle in a zip");
  EXPECT_EQ(Opened(torch_legacy(file)).content.format, "legacy pickle");
}

TEST(TorchFile, ReadsViewsOfOneStorage) {
  const auto base = torch::arange(24, torch::kFloat).view({2, 3, 4});
  PickleText pickle;
  pickle.raw("}(");
  const auto add = [&](const char* name, const at::Tensor& view) {
    pickle.text(name).tensor({.num_elements = 24,
                              .offset = view.storage_offset(),
                              .shape = view.sizes().vec(),
                              .strides = view.strides().vec()});
  };
  const std::map<std::string, at::Tensor> views{
      {"base", base},
      {"row", base[1][2]},
      {"turned", base.permute({2, 0, 1})},
      {"every_second", base.slice(2, 0, 4, 2)},
      {"diagonal", base[0].diagonal()},
      {"wide", base[1][0].expand({5, 4})},
      {"number", base[1][1][1]}};
  for (const auto& [name, view] : views) add(name.c_str(), view);
  const Opened opened(torch_zip(pickle.raw("u").str(), {floats(24)}));
  for (const auto& [name, view] : views) {
    EXPECT_TRUE(torch::equal(opened.read(name), view)) << name;
    EXPECT_TRUE(opened.read(name).is_contiguous());
  }
}

TEST(TorchFile, SwapsTheBytesOfABigEndianFile) {
  const auto swapped = [](std::string bytes, size_t size) {
    for (size_t at = 0; at < bytes.size(); at += size)
      std::reverse(bytes.begin() + long(at), bytes.begin() + long(at + size));
    return bytes;
  };
  const auto text =
      torch_zip(PickleText()
                    .raw("}")
                    .text("w")
                    .tensor({.num_elements = 6, .shape = {6}, .strides = {1}})
                    .raw("s")
                    .str(),
                {swapped(floats(6), 4)}, "big");
  EXPECT_TRUE(
      torch::equal(Opened(text).read("w"), torch::arange(6, torch::kFloat)));
  EXPECT_THAT(complaint(torch_zip("\x80\x02}.", {}, "middle")),
              HasSubstr("the byte order is middle"));
}

TEST(TorchFile, ReadsViewsAsPyTorchBefore04WroteThem) {
  const auto pickle = PickleText()
                          .raw("}")
                          .text("w")
                          .global("torch._utils", "_rebuild_tensor")
                          .raw("((")
                          .text("storage")
                          .global("torch", "FloatStorage")
                          .text("0")
                          .text("cpu")
                          .integer(6)
                          .raw("(")
                          .text("view")
                          .integer(2)
                          .integer(4)
                          .raw("ttQ")  // elements 2 to 5 of six
                          .integer(1)
                          .integers({3})
                          .integers({1})
                          .raw("tRs")
                          .str();
  EXPECT_TRUE(
      torch::equal(Opened(torch_legacy(pickle, {{6, floats(6)}})).read("w"),
                   torch::tensor({3.f, 4.f, 5.f})));
}

TEST(TorchFile, ReadsParametersAndSizesAndNumbersOf8Bits) {
  PickleText pickle;
  pickle.raw("}(")
      .text("parameter")
      .global("torch._utils", "_rebuild_parameter")
      .raw("(")
      .tensor({.num_elements = 6, .shape = {6}, .strides = {1}})
      .raw("\x88")
      .ordered_dict()
      .raw("tR");
  pickle.text("size")
      .global("torch._utils", "_rebuild_tensor")
      .raw("(")
      .storage({.num_elements = 6})
      .integer(0)
      .global("torch", "Size")
      .raw("(")
      .integers({2, 3})
      .raw("tR")
      .integers({3, 1})
      .raw("tR");
  pickle.text("float8")
      .global("torch._utils", "_rebuild_tensor_v3")
      .raw("(")
      .storage({.key = "1", .storage = "UntypedStorage", .num_elements = 6})
      .integer(0)
      .integers({6})
      .integers({1})
      .raw("\x89")
      .ordered_dict()
      .global("torch", "float8_e4m3fn")
      .raw("tR");
  // 1, -2, the largest, the smallest, the smallest normal number and none.
  const Opened opened(torch_zip(pickle.raw("u").str(),
                                {floats(6), "\x38\xc0\x7e\x01\x08\x7f"}));
  EXPECT_TRUE(
      torch::equal(opened.read("parameter"), torch::arange(6, torch::kFloat)));
  EXPECT_EQ(opened.read("size").sizes(), (std::vector<int64_t>{2, 3}));
  const auto float8 = opened.read("float8");
  EXPECT_TRUE(
      torch::equal(float8.narrow(0, 0, 5),
                   torch::tensor({1.f, -2.f, 448.f, 0.001953125f, 0.015625f})));
  EXPECT_TRUE(float8[5].isnan().item<bool>());
}

TEST(TorchFile, JoinsNamesAndFindsStateDicts) {
  const PickleText::Tensor tensor{
      .num_elements = 6, .shape = {6}, .strides = {1}};
  const auto pickle = PickleText()
                          .raw("}(")
                          .text("model")
                          .raw("}(")
                          .text("a.weight")
                          .tensor(tensor)
                          .raw("K\x07")
                          .tensor(tensor)
                          .raw("u")
                          .text("ema")
                          .raw("}")
                          .text("a.weight")
                          .tensor(tensor)
                          .raw("s")
                          .text("opt")
                          .raw("](")
                          .tensor(tensor)
                          .raw("}")
                          .text("step")
                          .tensor(tensor)
                          .raw("se")
                          .text("steps")
                          .raw("K\x05u")
                          .str();
  const Opened opened(torch_zip(pickle, {floats(6)}));
  EXPECT_THAT(opened.names(),
              testing::ElementsAre("ema.a.weight", "model.7", "model.a.weight",
                                   "opt.0", "opt.1.step"));
  const auto& state_dicts = opened.content.state_dicts;
  ASSERT_EQ(state_dicts.size(), 2u);
  EXPECT_EQ(state_dicts[0].wrapper, "ema");
  EXPECT_EQ(state_dicts[1].wrapper, "model");
  EXPECT_TRUE(state_dicts[1].tensors.contains("7"));
  EXPECT_EQ(opened.content.beside["steps"], 5);
  EXPECT_EQ(opened.content.beside["opt"][0], "<tensor>");
}

TEST(TorchFile, CarriesObjectsOfOthersAsTheirNames) {
  const auto pickle =
      PickleText()
          .raw("}(")
          .text("w")
          .tensor({.num_elements = 6, .shape = {6}, .strides = {1}})
          .text("args")
          .global("argparse", "Namespace")
          .raw(")\x81}")
          .text("model")
          .text("DiT-S/2")
          .raw("sb")
          .text("callbacks")
          .raw("}")
          .global("lightning", "ModelCheckpoint")
          .raw("K\x01su")
          .str();
  const Opened opened(torch_zip(pickle, {floats(6)}));
  EXPECT_EQ(opened.content.beside["args"],
            (Json{{"_class", "argparse.Namespace"}, {"model", "DiT-S/2"}}));
  EXPECT_EQ(opened.content.beside["callbacks"]["ModelCheckpoint"], 1);
}

TEST(TorchFile, LeavesOutWhatItCannotHoldAndSaysSo) {
  const auto pickle =
      PickleText()
          .raw("}(")
          .text("w")
          .tensor({.num_elements = 6, .shape = {6}, .strides = {1}})
          .text("c")
          .tensor({.key = "1",
                   .storage = "ComplexFloatStorage",
                   .num_elements = 3,
                   .shape = {3},
                   .strides = {1}})
          .text("s")
          .global("torch._utils", "_rebuild_sparse_tensor")
          .raw(")Ru")
          .str();
  const Opened opened(torch_zip(pickle, {floats(6), floats(6)}));
  EXPECT_THAT(opened.names(), testing::ElementsAre("w"));
  ASSERT_EQ(opened.content.left_out.size(), 2u);
  EXPECT_EQ(opened.content.left_out[0].name, "c");
  EXPECT_EQ(opened.content.left_out[0].why, "complex numbers");
  EXPECT_EQ(opened.content.left_out[1].why, "a sparse tensor");
}

}  // namespace
}  // namespace calotype
