#include "core/base64.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/error.h"

namespace calotype {
namespace {

std::vector<uint8_t> bytes_in(const std::string& text) {
  return {text.begin(), text.end()};
}

// RFC 4648, section 10.
TEST(Base64, GivesTheTestVectorsOfItsStandard) {
  const std::vector<std::pair<std::string, std::string>> vectors = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, text] : vectors) {
    EXPECT_EQ(base64(bytes_in(plain)), text);
    EXPECT_EQ(from_base64(text), bytes_in(plain));
  }
}

TEST(Base64, KeepsEveryByte) {
  std::vector<uint8_t> all;
  for (int i = 0; i < 256; ++i) all.push_back(uint8_t(i));
  EXPECT_EQ(from_base64(base64(all)), all);
}

TEST(Base64, RefusesWhatItIsNot) {
  for (const char* text :
       {"Zg=", "Zg", "Z===", "Zm 9", "Zm9v\n", "====", "Zg==Zg=="})
    EXPECT_THROW(from_base64(text), DataError) << text;
}

}  // namespace
}  // namespace calotype
