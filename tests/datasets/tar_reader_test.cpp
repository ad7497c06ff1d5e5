#include "datasets/tar_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "core/error.h"
#include "tests/support/archives.h"
#include "tests/support/message_of.h"

namespace calotype {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class TextStream : public ByteStream {
 public:
  explicit TextStream(std::string text) : text_(std::move(text)) {}
  size_t read(std::span<uint8_t> out) override {
    const auto count = std::min(out.size(), text_.size() - at_);
    std::copy_n(text_.begin() + std::ptrdiff_t(at_), count, out.begin());
    at_ += count;
    return count;
  }
  uint64_t skip(uint64_t count) override {
    const auto done = std::min<uint64_t>(count, text_.size() - at_);
    at_ += done;
    return done;
  }

 private:
  std::string text_;
  size_t at_ = 0;
};

/// "name=content" of each member.
std::vector<std::string> read_all(const std::string& tar) {
  TextStream stream(tar);
  TarReader reader(stream, "a.tar");
  std::vector<std::string> members;
  while (const auto member = reader.next()) {
    const auto content = reader.content();
    const std::string text(content.begin(), content.end());
    EXPECT_EQ(text, tar.substr(member->offset, member->bytes));
    members.push_back(member->name + "=" + text);
  }
  return members;
}

std::string refusal(const std::string& tar) {
  return message_of<DataError>([&] { read_all(tar); });
}
std::string not_supported(const std::string& tar) {
  return message_of<ConfigError>([&] { read_all(tar); });
}

TEST(TarReader, ReadsNamesOfAllKinds) {
  const std::string long_name(200, 'n'), pax_name(300, 'p');
  EXPECT_THAT(read_all(make_tar(
                  {{.name = "./", .content = "", .type = '5'},
                   {.name = "a/", .content = "", .type = '5'},
                   {.name = "./a/1.png", .content = "one"},
                   {.name = "2.png", .content = "two", .prefix = "deep/er"},
                   {.name = "old", .content = "v7", .type = '\0'},
                   {.name = "././@LongLink",
                    .content = long_name + std::string(1, '\0'),
                    .type = 'L'},
                   {.name = std::string(100, 'n'), .content = "long"},
                   {.name = "pax",
                    .content = pax_record("path", pax_name) +
                               pax_record("mtime", "1.5"),
                    .type = 'x'},
                   {.name = "short", .content = "pax"},
                   {.name = "g",
                    .content = pax_record("comment", "by git"),
                    .type = 'g'},
                   {.name = "empty", .content = ""}})),
              ElementsAre("a/1.png=one", "deep/er/2.png=two", "old=v7",
                          long_name + "=long", pax_name + "=pax", "empty="));
}

TEST(TarReader, SizesMayBeInBase256OrPax) {
  std::string size(12, '\0');
  size[0] = char(0x80);
  size[11] = 3;
  EXPECT_THAT(
      read_all(make_tar({{.name = "a", .content = "abc", .size_field = size}})),
      ElementsAre("a=abc"));
  EXPECT_THAT(
      read_all(make_tar(
          {{.name = "x", .content = pax_record("size", "3"), .type = 'x'},
           {.name = "a", .content = "abc", .size_field = "00000000000"}})),
      ElementsAre("a=abc"));
}

TEST(TarReader, EverythingThatIsCutOffIsRefused) {
  const auto tar =
      make_tar({{.name = "p", .content = pax_record("path", "a"), .type = 'x'},
                {.name = "a", .content = std::string(700, 'x')},
                {.name = "b", .content = "y"}});
  for (size_t size = 0; size + 1023 < tar.size(); size += 37)
    EXPECT_THAT(refusal(tar.substr(0, size)), HasSubstr("a.tar: ")) << size;
}

TEST(TarReader, NoByteOfItCanBringItDown) {
  const auto tar =
      make_tar({{.name = "p", .content = pax_record("path", "a"), .type = 'x'},
                {.name = "a", .content = std::string(700, 'x')},
                {.name = "b", .content = "y"}});
  for (size_t at = 0; at < tar.size(); ++at)
    for (const int value : {0x00, 0x2f, 0x37, 0x80, 0xff}) {
      auto changed = tar;
      changed[at] = char(value);
      try {
        TextStream stream(changed);
        TarReader reader(stream, "a.tar");
        while (reader.next()) reader.content();
      } catch (const DataError&) {
      } catch (const ConfigError&) {
      }
    }
}

TEST(TarReader, HostileOnesAreRefused) {
  EXPECT_THAT(refusal(make_tar({{.name = "../a", .content = "x"}})),
              HasSubstr("leaves the archive"));
  EXPECT_THAT(refusal(make_tar({{.name = "/a", .content = "x"}})),
              HasSubstr("has an absolute path"));
  EXPECT_THAT(refusal(make_tar({{.name = "p",
                                 .content = pax_record("path", "a/../../b"),
                                 .type = 'x'},
                                {.name = "a", .content = "x"}})),
              HasSubstr("leaves the archive"));
  EXPECT_EQ(refusal(make_tar({{.name = "a", .content = "", .type = '2'}})),
            "a.tar: member \"a\" is a symbolic link; only files and folders "
            "are read (tar -h --hard-dereference packs what links lead to)");
  for (const char type : {'1', '3', '4', '6'})
    EXPECT_THAT(refusal(make_tar({{.name = "a", .content = "", .type = type}})),
                HasSubstr("only files and folders are read"));
  EXPECT_THAT(refusal(make_tar({{.name = "a",
                                 .content = "x",
                                 .size_field = std::string(12, '\xff')}})),
              HasSubstr("a size that makes no sense"));
  EXPECT_THAT(
      refusal(make_tar(
          {{.name = "a", .content = "x", .size_field = "77777777777"}})),
      HasSubstr("truncated tar: it breaks off in member 1"));
  EXPECT_THAT(refusal(make_tar({{.name = "L",
                                 .content = "",
                                 .type = 'L',
                                 .size_field = "77777777777"}})),
              HasSubstr("which is no name"));
  EXPECT_THAT(refusal(make_tar({{.name = "a", .content = "x"}}) +
                      make_tar({{.name = "b", .content = "y"}})),
              HasSubstr("bytes follow its end after 1 members"));
}

TEST(TarReader, SparseFilesAreRefusedByName) {
  EXPECT_THAT(
      not_supported(make_tar({{.name = "a", .content = "", .type = 'S'}})),
      HasSubstr("holds a sparse file"));
  EXPECT_THAT(
      not_supported(make_tar({{.name = "p",
                               .content = pax_record("GNU.sparse.major", "1"),
                               .type = 'x'},
                              {.name = "a", .content = "x"}})),
      HasSubstr("holds a sparse file"));
  EXPECT_THAT(
      not_supported(make_tar({{.name = "a", .content = "", .type = 'M'}})),
      HasSubstr("is of type 'M', which is not supported"));
}

}  // namespace
}  // namespace calotype
