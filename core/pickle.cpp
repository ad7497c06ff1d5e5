#include "core/pickle.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "core/byte_reader.h"
#include "core/error.h"
#include "core/pickle_builder.h"
#include "core/pickle_fault.h"
#include "core/pickle_memo.h"
#include "core/pickle_opcodes.h"
#include "core/pickle_stack.h"

namespace calotype {
namespace {

/// The stack machine that a pickle is a program of.
class PickleMachine {
 public:
  explicit PickleMachine(std::span<const uint8_t> bytes)
      : bytes_(bytes), reader_(bytes), make_(bytes) {}

  /// Runs to the end and returns what is on top.
  PickleGraph run() {
    for (;;) {
      const auto opcode = number(1);
      if (opcode == op::kStop) return make_.finish(stack_.pop());
      if (!read_number(opcode) && !read_text(opcode) && !collect(opcode) &&
          !arrange(opcode) && !name_code(opcode))
        throw PickleFault(fmt::format(
            "opcode 0x{:02x} is none that a checkpoint needs", opcode));
    }
  }

  size_t position() const { return reader_.position(); }

 private:
  void push(PickleId id) { stack_.push(id); }

  uint64_t number(size_t size) {
    uint64_t value = 0;
    if (!reader_.take_number(size, value)) throw PickleFault("it breaks off");
    return value;
  }

  std::string_view line() {
    std::string_view text;
    if (!reader_.take_line(text)) throw PickleFault("it breaks off");
    return text;
  }

  /// Takes `size` bytes; returns where they begin.
  uint64_t take(uint64_t size) {
    const auto begin = reader_.position();
    const auto left = reader_.left();
    std::span<const uint8_t> taken;
    if (size > UINT32_MAX || !reader_.take(size, taken))
      throw PickleFault(
          fmt::format("a value of {} bytes where {} are left", size, left));
    return begin;
  }

  bool read_number(uint64_t opcode) {
    switch (opcode) {
      case op::kNone:
        push(make_.none());
        break;
      case op::kNewTrue:
        push(make_.boolean(true));
        break;
      case op::kNewFalse:
        push(make_.boolean(false));
        break;
      case op::kInt:
        push(text_integer(line()));
        break;
      case op::kLong:
        push(text_integer(line()));
        break;
      case op::kBinInt:
        push(make_.integer(int32_t(number(4))));
        break;
      case op::kBinInt1:
        push(make_.integer(int64_t(number(1))));
        break;
      case op::kBinInt2:
        push(make_.integer(int64_t(number(2))));
        break;
      case op::kLong1:
        push(long_integer(number(1)));
        break;
      case op::kLong4:
        push(long_integer(number(4)));
        break;
      case op::kBinFloat:
        push(make_.real(std::bit_cast<double>(__builtin_bswap64(number(8)))));
        break;
      default:
        return false;
    }
    return true;
  }

  /// "12", "-3", Python 2's "12L", and its "01" and "00", which are true and
  /// false.
  PickleId text_integer(std::string_view digits) {
    if (digits == "01" || digits == "00") return make_.boolean(digits == "01");
    if (digits.ends_with('L')) digits.remove_suffix(1);
    int64_t value = 0;
    const auto* end = digits.data() + digits.size();
    const auto [read, error] = std::from_chars(digits.data(), end, value);
    if (read != end || error == std::errc::invalid_argument)
      throw PickleFault("an integer that is none");
    if (error == std::errc()) return make_.integer(value);
    const auto* begin = reinterpret_cast<const uint8_t*>(digits.data());
    return make_.bytes(PickleKind::kLong, uint64_t(begin - bytes_.data()),
                       digits.size());
  }

  /// In two's complement of so many bytes, of which some may be idle.
  PickleId long_integer(uint64_t size) {
    if (size > INT32_MAX) throw PickleFault("an integer of negative size");
    const auto begin = take(size);
    const auto bytes = bytes_.subspan(size_t(begin), size_t(size));
    const uint8_t sign = !bytes.empty() && bytes.back() & 0x80 ? 0xff : 0;
    uint64_t value = sign ? ~uint64_t{0} : 0;
    for (size_t i = std::min(bytes.size(), sizeof value); i-- > 0;)
      value = value << 8 | bytes[i];
    const auto rest = bytes.subspan(std::min(bytes.size(), sizeof value));
    const bool fits = std::all_of(rest.begin(), rest.end(),
                                  [&](uint8_t byte) { return byte == sign; }) &&
                      (rest.empty() || (value >> 63 != 0) == (sign != 0));
    return fits ? make_.integer(int64_t(value))
                : make_.bytes(PickleKind::kLong, begin, size);
  }

  bool read_text(uint64_t opcode) {
    switch (opcode) {
      case op::kShortBinString:
        push(old_string(number(1)));
        break;
      case op::kBinString:
        push(old_string(number(4)));
        break;
      case op::kShortBinUnicode:
        push(text(number(1)));
        break;
      case op::kBinUnicode:
        push(text(number(4)));
        break;
      case op::kBinUnicode8:
        push(text(number(8)));
        break;
      case op::kShortBinBytes:
        push(blob(number(1)));
        break;
      case op::kBinBytes:
        push(blob(number(4)));
        break;
      case op::kBinBytes8:
        push(blob(number(8)));
        break;
      case op::kByteArray8:
        push(blob(number(8)));
        break;
      default:
        return false;
    }
    return true;
  }

  PickleId text(uint64_t size) { return make_.text(take(size), size); }
  PickleId blob(uint64_t size) {
    return make_.bytes(PickleKind::kBytes, take(size), size);
  }
  /// Python 2's, which may be either.
  PickleId old_string(uint64_t size) {
    return make_.text_or(PickleKind::kBytes, take(size), size);
  }

  bool collect(uint64_t opcode) {
    switch (opcode) {
      case op::kEmptyTuple:
        push(make_.tuple({}));
        break;
      case op::kTuple:
        push(make_.tuple(stack_.pop_to_mark()));
        break;
      case op::kTuple1:
        push(make_.tuple(stack_.pop_last(1)));
        break;
      case op::kTuple2:
        push(make_.tuple(stack_.pop_last(2)));
        break;
      case op::kTuple3:
        push(make_.tuple(stack_.pop_last(3)));
        break;
      case op::kEmptyList:
        push(make_.list(PickleKind::kList, {}));
        break;
      case op::kEmptySet:
        push(make_.list(PickleKind::kSet, {}));
        break;
      case op::kEmptyDict:
        push(make_.dict({}));
        break;
      case op::kList:
        push(make_.list(PickleKind::kList, stack_.pop_to_mark()));
        break;
      case op::kFrozenSet:
        push(make_.list(PickleKind::kSet, stack_.pop_to_mark()));
        break;
      case op::kDict:
        push(make_.dict(stack_.pop_to_mark()));
        break;
      case op::kAppend:
        append(stack_.pop_last(1));
        break;
      case op::kAppends:
      case op::kAddItems:
        append(stack_.pop_to_mark());
        break;
      case op::kSetItem:
        set_items(stack_.pop_last(2));
        break;
      case op::kSetItems:
        set_items(stack_.pop_to_mark());
        break;
      default:
        return false;
    }
    return true;
  }

  void append(const std::vector<PickleId>& items) {
    make_.append(stack_.top(), items);
  }
  void set_items(const std::vector<PickleId>& items) {
    make_.set_items(stack_.top(), items);
  }

  bool arrange(uint64_t opcode) {
    switch (opcode) {
      case op::kProto:
        if (const auto version = number(1); version < 2 || version > 5)
          throw PickleFault(
              fmt::format("protocol {}, known are 2 to 5", version));
        break;
      case op::kFrame:
        if (number(8) > reader_.left())
          throw PickleFault("a frame that breaks off");
        break;
      case op::kMark:
        stack_.mark();
        break;
      case op::kPop:
        stack_.drop();
        break;
      case op::kPopMark:
        stack_.pop_to_mark();
        break;
      case op::kDup:
        push(stack_.top());
        break;
      case op::kBinGet:
        push(remembered(number(1)));
        break;
      case op::kLongBinGet:
        push(remembered(number(4)));
        break;
      case op::kBinPut:
        remember(number(1));
        break;
      case op::kLongBinPut:
        remember(number(4));
        break;
      case op::kMemoize:
        remember(memo_.size());
        break;
      default:
        return false;
    }
    return true;
  }

  PickleId remembered(uint64_t index) const {
    const auto found = memo_.get(index);
    if (!found)
      throw PickleFault(fmt::format("value {} was never put by", index));
    return *found;
  }

  void remember(uint64_t index) {
    if (memo_.size() >= kMaxPickleValues)
      throw PickleFault("a memo of more than 1,500,000 values");
    memo_.put(index, stack_.top());
  }

  bool name_code(uint64_t opcode) {
    switch (opcode) {
      case op::kGlobal: {
        const auto module = line_text(), name = line_text();
        push(make_.global(module, name));
        break;
      }
      case op::kStackGlobal: {
        const auto names = stack_.pop_last(2);
        push(make_.global(names[0], names[1]));
        break;
      }
      case op::kReduce:
      case op::kNewObj: {
        const auto parts = stack_.pop_last(2);
        push(make_.made(parts[0], parts[1]));
        break;
      }
      case op::kNewObjEx: {  // the third are arguments by name
        const auto parts = stack_.pop_last(3);
        push(make_.made(parts[0], parts[1]));
        break;
      }
      case op::kObj: {
        const auto parts = stack_.pop_to_mark();
        if (parts.empty()) throw PickleFault("an object of no class");
        push(make_.made(parts[0], make_.tuple(std::span(parts).subspan(1))));
        break;
      }
      case op::kBuild: {
        const auto state = stack_.pop();
        make_.set_state(stack_.top(), state);
        break;
      }
      case op::kBinPersId:
        push(make_.persistent(stack_.pop()));
        break;
      default:
        return false;
    }
    return true;
  }

  PickleId line_text() {
    const auto begin = reader_.position();
    const auto size = line().size();
    return make_.text(begin, size);
  }

  std::span<const uint8_t> bytes_;
  ByteReader reader_;
  PickleBuilder make_;
  PickleStack stack_;
  PickleMemo memo_;
};

}  // namespace

Pickle read_pickle(std::span<const uint8_t> bytes, const std::string& where) {
  PickleMachine machine(bytes);
  try {
    auto graph = machine.run();
    return {std::move(graph), machine.position()};
  } catch (const PickleFault& fault) {
    throw DataError(fmt::format("{}: no whole pickle: {} (before byte {})",
                                where, fault.what(), machine.position()));
  }
}

}  // namespace calotype
