#include "core/pickle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "core/error.h"
#include "tests/support/message_of.h"

namespace calotype {
namespace {

using namespace std::string_literals;
using testing::HasSubstr;
using Kind = PickleKind;

/// A pickle and the bytes that it lies in.
struct Read {
  explicit Read(std::string text)
      : bytes(std::move(text)), pickle(read_pickle(span(), "test")) {}
  std::span<const uint8_t> span() const {
    return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
  }
  const PickleGraph& graph() const { return pickle.values; }
  PickleId root() const { return graph().root(); }
  PickleId item(PickleId of, size_t index) const {
    return graph().items(of)[index];
  }

  std::string bytes;
  Pickle pickle;
};

// What Python 3.11 writes of {"a": [1, 2.5, None, True, -3, 70000, 2**40,
// 2**80], "b": (b"xy", "\u00e9"), "c": {}, "d": {7}}.
const std::string kNumbers =
    "K\x01G@\x04\x00\x00\x00\x00\x00\x00N\x88J\xfd\xff\xff\xffJp\x11\x01\x00"
    "\x8a\x06\x00\x00\x00\x00\x00\x01\x8a\x0b\x00\x00\x00\x00\x00\x00\x00\x00"
    "\x00\x00\x01"
    "e"s;
const std::string kProtocol3 =
    "\x80\x03}q\x00(X\x01\x00\x00\x00"
    "aq\x01]q\x02("s +
    kNumbers +
    "X\x01\x00\x00\x00"
    "bq\x03"
    "C\x02xyq\x04X\x02\x00\x00\x00\xc3\xa9q\x05\x86q\x06X\x01\x00\x00\x00"
    "cq\x07}q\x08X\x01\x00\x00\x00"
    "dq\x09"
    "cbuiltins\nset\nq\x0a]q\x0bK\x07"
    "a\x85q\x0cRq\x0du."s;
const std::string kProtocol5 =
    "\x80\x05\x95Y\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x01"
    "a\x94]\x94("s +
    kNumbers +
    "\x8c\x01"
    "b\x94"
    "C\x02xy\x94\x8c\x02\xc3\xa9\x94\x86\x94\x8c\x01"
    "c\x94}\x94\x8c\x01"
    "d\x94\x8f\x94(K\x07\x90u."s;

TEST(Pickle, ReadsWhatPythonWrites) {
  for (const auto& text : {kProtocol3, kProtocol5}) {
    const Read read(text + "after");
    EXPECT_EQ(read.pickle.size_bytes, text.size());
    const auto& graph = read.graph();
    ASSERT_EQ(graph.kind(read.root()), Kind::kDict);
    ASSERT_EQ(graph.items(read.root()).size(), 8u);
    EXPECT_EQ(graph.text(read.item(read.root(), 0)), "a");
    const auto list = read.item(read.root(), 1);
    ASSERT_EQ(graph.kind(list), Kind::kList);
    ASSERT_EQ(graph.items(list).size(), 8u);
    EXPECT_EQ(graph.integer(read.item(list, 0)), 1);
    EXPECT_EQ(graph.real(read.item(list, 1)), 2.5);
    EXPECT_EQ(graph.kind(read.item(list, 2)), Kind::kNone);
    EXPECT_EQ(graph.kind(read.item(list, 3)), Kind::kBool);
    EXPECT_EQ(graph.integer(read.item(list, 3)), 1);
    EXPECT_EQ(graph.integer(read.item(list, 4)), -3);
    EXPECT_EQ(graph.integer(read.item(list, 5)), 70000);
    EXPECT_EQ(graph.integer(read.item(list, 6)), int64_t{1} << 40);
    EXPECT_EQ(graph.kind(read.item(list, 7)), Kind::kLong);
    EXPECT_EQ(graph.text(read.item(list, 7)).size(), 11u);
    const auto pair = read.item(read.root(), 3);
    EXPECT_EQ(graph.kind(pair), Kind::kTuple);
    EXPECT_EQ(graph.kind(read.item(pair, 0)), Kind::kBytes);
    EXPECT_EQ(graph.text(read.item(pair, 1)), "\u00e9");
    EXPECT_EQ(graph.kind(read.item(read.root(), 5)), Kind::kDict);
  }
}

TEST(Pickle, CallsNothing) {
  const Read read(
      "\x80\x02"
      "cposix\nsystem\nX\x05\x00\x00\x00touch\x85R}X\x01"
      "\x00\x00\x00kK\x01sb."s);
  const auto& graph = read.graph();
  ASSERT_EQ(graph.kind(read.root()), Kind::kObject);
  const auto parts = graph.items(read.root());
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_TRUE(graph.is_global(parts[0], "posix", "system"));
  EXPECT_FALSE(graph.is_global(parts[0], "posix", "syste"));
  EXPECT_EQ(graph.text(read.item(parts[1], 0)), "touch");
  EXPECT_EQ(graph.kind(parts[2]), Kind::kDict);
}

TEST(Pickle, KnowsAnOrderedDictOfPython2And3) {
  const auto expect_one_item = [](const std::string& text) {
    const Read read(text);
    ASSERT_EQ(read.graph().kind(read.root()), Kind::kDict) << text;
    ASSERT_EQ(read.graph().items(read.root()).size(), 2u);
    EXPECT_EQ(read.graph().text(read.item(read.root(), 0)), "k");
    EXPECT_EQ(read.graph().integer(read.item(read.root(), 1)), 5);
  };
  expect_one_item(
      "\x80\x02"
      "ccollections\nOrderedDict\n)RU\x01kK\x05s."s);
  expect_one_item(
      "\x80\x02"
      "ccollections\nOrderedDict\n]](U\x01kK\x05"
      "ea\x85R."s);
}

TEST(Pickle, ReadsIntegersOfAnyForm) {
  const auto integer = [](const std::string& opcode) {
    const Read read("\x80\x02" + opcode + ".");
    EXPECT_EQ(read.graph().kind(read.root()), Kind::kInt);
    return read.graph().integer(read.root());
  };
  EXPECT_EQ(integer("\x8a\x00"s), 0);
  EXPECT_EQ(integer("\x8a\x01\xff"s), -1);
  EXPECT_EQ(integer("\x8a\x09\x02\x00\x00\x00\x00\x00\x00\x00\x00"s), 2);
  EXPECT_EQ(integer("\x8a\x09\xfe\xff\xff\xff\xff\xff\xff\xff\xff"s), -2);
  EXPECT_EQ(integer("\x8b\x02\x00\x00\x00\x00\x80"s), -32768);
  EXPECT_EQ(integer("I-12\n"), -12);
  EXPECT_EQ(integer("L12L\n"), 12);
  // 2^63 has a byte of sign before it.
  const Read large("\x80\x02\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x80\x00."s);
  EXPECT_EQ(large.graph().kind(large.root()), Kind::kLong);
  const Read digits("\x80\x02L" + std::string(30000, '9') + "L\n.");
  EXPECT_EQ(digits.graph().kind(digits.root()), Kind::kLong);
}

TEST(Pickle, TakesPython2TextForBytesWhereItIsNoText) {
  EXPECT_EQ(Read("\x80\x02U\x02\xc3\xa9."s).graph().kind(3), Kind::kText);
  EXPECT_EQ(Read("\x80\x02U\x02\xc3\x29."s).graph().kind(3), Kind::kBytes);
}

TEST(Pickle, HoldsWhatHoldsItself) {
  const Read read(
      "\x80\x02]q\x00h\x00"
      "a."s);
  EXPECT_EQ(read.item(read.root(), 0), read.root());
}

TEST(Pickle, CostsNoRecursionHoweverDeepItIs) {
  std::string text = "\x80\x02";
  for (int i = 0; i < 500'000; ++i) text += ']';
  for (int i = 1; i < 500'000; ++i) text += 'a';
  const Read read(text + ".");
  EXPECT_EQ(read.graph().items(read.root()).size(), 1u);
}

struct Refused {
  std::string text;
  const char* message;
};

class RefusedPickles : public testing::TestWithParam<Refused> {};

TEST_P(RefusedPickles, SayWhy) {
  const auto message =
      message_of<DataError>([&] { Read(GetParam().text + ""); });
  EXPECT_THAT(message, testing::StartsWith("test: no whole pickle: "));
  EXPECT_THAT(message, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Opcodes, RefusedPickles,
    testing::Values(
        Refused{"", "it breaks off (before byte 0)"},
        Refused{"\x80\x02}", "it breaks off (before byte 3)"},
        Refused{"\x80\x01}.", "protocol 1, known are 2 to 5"},
        Refused{"\x80\x06}.", "protocol 6"},
        Refused{"\x80\x02.", "the stack is empty"},
        Refused{"\x80\x02(s.", "the stack is empty"},
        Refused{"\x80\x02NNNs.", "keys for what is no dictionary"},
        Refused{"\x80\x02}u.", "there is no mark"},
        Refused{"\x80\x02}(Nu.", "a key without a value"},
        Refused{"\x80\x02}]Ns.", "a list or dictionary as a key"},
        Refused{"\x80\x02Na.", "the stack is empty"},
        Refused{"\x80\x02NNa.", "items for what is no list"},
        Refused{"\x80\x02h\x07.", "value 7 was never put by"},
        Refused{"\x80\x02\xfe", "opcode 0xfe is none that a checkpoint needs"},
        Refused{"\x80\x02(iposix\nsystem\n.", "opcode 0x69"},
        Refused{"\x80\x02Pstorage\n.", "opcode 0x50"},
        Refused{"\x80\x02\x82\x01.", "opcode 0x82"},
        Refused{"\x80\x05\x97.", "opcode 0x97"},
        Refused{"\x80\x02\x8d\x00\x00\x00\x00\x00\x00\x00\x10xyz."s,
                "a value of 1152921504606846976 bytes where 4 are left"},
        Refused{"\x80\x02\x8b\xff\xff\xff\xff.", "an integer of negative size"},
        Refused{"\x80\x02I1x\n.", "an integer that is none"},
        Refused{"\x80\x02X\x01\x00\x00\x00\xff."s, "text that is not UTF-8"},
        Refused{"\x80\x04\x95\x09\x00\x00\x00\x00\x00\x00\x00N."s,
                "a frame that breaks off"},
        Refused{"\x80\x02NNR.", "a call whose arguments are no tuple"},
        Refused{"\x80\x04NN\x93.", "a class whose name is no text"},
        Refused{"\x80\x02(o.", "an object of no class"},
        Refused{"\x80\x02"
                "ccollections\nOrderedDict\nK\x01\x85R."s,
                "an OrderedDict of something else than pairs"}));

TEST(Pickle, HasABoundWhateverItsSize) {
  const auto message = [](const std::string& opcodes, size_t times) {
    std::string text = "\x80\x02";
    for (size_t i = 0; i < times; ++i) text += opcodes;
    return message_of<DataError>([&] { Read(text + "."); });
  };
  EXPECT_THAT(message("]0", 1'600'000),
              HasSubstr("more than 1,500,000 values"));
  EXPECT_THAT(message("N", 1'600'000), HasSubstr("a stack of more than"));
  EXPECT_THAT(message("(", 1'600'000), HasSubstr("more than 1,500,000 marks"));
  EXPECT_THAT(message("N\x94", 1'600'000), HasSubstr("more than 1,500,000"));
}

}  // namespace
}  // namespace calotype
