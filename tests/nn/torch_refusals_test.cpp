#include <gmock/gmock.h>

#include <cstdint>
#include <string>

#include "tests/nn/opened_torch_file.h"
#include "tests/support/archives.h"
#include "tests/support/torch_files.h"

// What nn/torch_file.h refuses, and how little that costs.
namespace calotype {
namespace {

using testing::HasSubstr;

/// A zip whose data.pkl is {"w": a tensor of six floats}.
std::string one_tensor(const PickleText::Tensor& tensor,
                       const std::string& storage = floats(6)) {
  return torch_zip(
      PickleText().raw("}").text("w").tensor(tensor).raw("s").str(), {storage});
}

TEST(TorchFile, RefusesTensorsThatLeadOutOfTheirStorage) {
  const auto message = [](const PickleText::Tensor& tensor) {
    return complaint(one_tensor(tensor));
  };
  constexpr int64_t kHuge = int64_t{1} << 40;
  EXPECT_EQ(message({.num_elements = 6, .shape = {2, 3}, .strides = {3, 1}}),
            "nothing thrown");
  EXPECT_EQ(
      message(
          {.num_elements = 6, .offset = 1, .shape = {2, 3}, .strides = {3, 1}}),
      "test: w: a tensor that leads out of its storage of 6 elements");
  EXPECT_THAT(message({.num_elements = 6, .shape = {2, 3}, .strides = {4, 1}}),
              HasSubstr("leads out"));
  EXPECT_THAT(
      message({.num_elements = 6, .offset = -1, .shape = {1}, .strides = {1}}),
      HasSubstr("leads out"));
  EXPECT_THAT(message({.num_elements = 6, .shape = {-1}, .strides = {1}}),
              HasSubstr("a negative size or stride"));
  EXPECT_THAT(message({.num_elements = 6, .shape = {2}, .strides = {-1}}),
              HasSubstr("a negative size or stride"));
  EXPECT_THAT(message({.num_elements = 6, .shape = {2, 3}, .strides = {1}}),
              HasSubstr("a tensor of 2 sizes and 1 strides"));
  EXPECT_THAT(message({.num_elements = 6, .shape = {kHuge}, .strides = {0}}),
              HasSubstr("many times larger than the file"));
  EXPECT_THAT(
      message({.num_elements = 6, .shape = {kHuge, kHuge}, .strides = {0, 0}}),
      HasSubstr("larger than any memory"));
  EXPECT_THAT(message({.num_elements = 6,
                       .shape = {3, 3},
                       .strides = {INT64_MAX, INT64_MAX}}),
              HasSubstr("larger than any memory"));
  EXPECT_THAT(message({.num_elements = 7, .shape = {1}, .strides = {1}}),
              HasSubstr("has 24 bytes, and 7 elements of 4 should be there"));
  EXPECT_THAT(message({.num_elements = kHuge, .shape = {1}, .strides = {1}}),
              HasSubstr("has 24 bytes"));
  EXPECT_THAT(message({.num_elements = -1, .shape = {1}, .strides = {1}}),
              HasSubstr("a storage whose size cannot be"));
  EXPECT_THAT(message({.key = "../data/0",
                       .num_elements = 6,
                       .shape = {1},
                       .strides = {1}}),
              HasSubstr("there is no record archive/data/../data/0"));
  EXPECT_THAT(
      message({.storage = "FileStorage",
               .num_elements = 6,
               .shape = {1},
               .strides = {1}}),
      HasSubstr("a type that PyTorch does not have: torch.FileStorage"));
}

TEST(TorchFile, SaysWhatAFileIsThatIsNone) {
  const auto zip_of = [](const PickleText& pickle) {
    return torch_zip(pickle.str(), {floats(6)});
  };
  EXPECT_EQ(complaint(zip_of(PickleText()
                                 .global("posix", "system")
                                 .raw("(")
                                 .text("touch it")
                                 .raw("tR"))),
            "test: no checkpoint: it is whatever posix.system makes, which is "
            "not run, and no dictionary of tensors");
  EXPECT_THAT(complaint(zip_of(PickleText()
                                   .global("torch.nn", "Linear")
                                   .raw(")\x81}")
                                   .text("_parameters")
                                   .raw("}sb"))),
              HasSubstr("it is a whole module (torch.nn.Linear), not its state "
                        "dict"));
  EXPECT_THAT(complaint(zip_of(PickleText().tensor(
                  {.num_elements = 6, .shape = {6}, .strides = {1}}))),
              HasSubstr("it is a tensor alone"));
  EXPECT_THAT(complaint(zip_of(PickleText().raw("}").text("lr").raw("K\x01s"))),
              HasSubstr("it holds no tensors, only lr"));
  EXPECT_THAT(complaint(make_zip({{"a/data.pkl", "\x80\x02}."},
                                  {"a/constants.pkl", "\x80\x02)."}})),
              HasSubstr("is TorchScript, a program"));
  EXPECT_THAT(complaint(make_zip({{"word/document.xml", "<w/>"}})),
              HasSubstr("a zip archive without data.pkl"));
  EXPECT_THAT(complaint(make_zip({{"a/data.pkl", ""}, {"b/data.pkl", ""}})),
              HasSubstr("data.pkl in a/data.pkl and in b/data.pkl"));
  EXPECT_THAT(complaint("\x80\x02}."),
              HasSubstr("a pickle that torch.save did not write"));
}

TEST(TorchFile, RefusesALegacyFileThatBreaksOff) {
  const auto pickle =
      PickleText()
          .raw("}")
          .text("w")
          .tensor({.num_elements = 6, .shape = {6}, .strides = {1}})
          .raw("s")
          .str();
  EXPECT_EQ(complaint(torch_legacy(pickle, {{6, floats(6)}})),
            "nothing thrown");
  EXPECT_THAT(complaint(torch_legacy(pickle, {{6, floats(5)}})),
              HasSubstr("storage 0 of 6 elements is not whole"));
  EXPECT_THAT(complaint(torch_legacy(pickle, {{int64_t{1} << 40, floats(6)}})),
              HasSubstr("is not whole"));
  EXPECT_THAT(complaint(torch_legacy(pickle, {})),
              HasSubstr("storage 0 is not there"));
  EXPECT_THAT(complaint(torch_legacy(pickle, {{6, floats(6)}, {6, floats(6)}})),
              HasSubstr("storage 1 is listed, and nothing uses it"));
}

/// {"w": `depth` lists in lists, each ten times the one before, of `leaf`}.
std::string laughs(char depth, const std::string& leaf) {
  PickleText pickle;
  pickle.raw("](").raw(leaf).raw(std::string{'e', 'q', 0, '0'});
  for (char i = 1; i < depth; ++i) {
    pickle.raw("](");
    for (int n = 0; n < 10; ++n) pickle.raw(std::string{'h', char(i - 1)});
    pickle.raw(std::string{'e', 'q', i, '0'});
  }
  return pickle.raw("}")
      .text("w")
      .raw(std::string{'h', char(depth - 1), 's'})
      .str();
}

TEST(TorchFile, IsNotLaughedIntoTakingAllMemory) {
  const auto tensor =
      PickleText()
          .tensor({.num_elements = 6, .shape = {6}, .strides = {1}})
          .str();
  const auto leaf = tensor.substr(2, tensor.size() - 3);
  EXPECT_THAT(complaint(torch_zip(laughs(3, leaf), {floats(6)})),
              "nothing thrown");
  EXPECT_THAT(complaint(torch_zip(laughs(40, leaf), {floats(6)})),
              testing::AnyOf(HasSubstr("than any checkpoint has"),
                             HasSubstr("many times larger than the file")));
  EXPECT_THAT(complaint(torch_zip(laughs(40, "K\x01"), {})),
              HasSubstr("it holds no tensors"));
}

}  // namespace
}  // namespace calotype
