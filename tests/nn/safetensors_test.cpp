#include "nn/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <cstring>

#include "core/error.h"
#include "core/files.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

using testing::HasSubstr;

class Safetensors : public testing::Test {
 protected:
  /// Writes a file with this header and `num_bytes` of tensors, reads it, and
  /// returns the message of the refusal, or "read".
  std::string read(const std::string& header, size_t num_bytes,
                   uint64_t claimed = 0) {
    const uint64_t size = claimed ? claimed : header.size();
    std::string file(reinterpret_cast<const char*>(&size), sizeof size);
    file += header + std::string(num_bytes, '\0');
    write_file_atomic(path_, file);
    try {
      read_safetensors(path_);
      return "read";
    } catch (const DataError& error) {
      return error.what();
    }
  }

  TempFolder folder_;
  std::filesystem::path path_ = folder_ / "x.safetensors";
};

TEST_F(Safetensors, EveryTypeComesBackAsItWas) {
  TensorFile file{.metadata = {{"format", "pt"}, {"note", "ä \"quoted\""}}};
  for (const auto type :
       {at::kDouble, at::kFloat, at::kHalf, at::kBFloat16, at::kLong, at::kInt,
        at::kShort, at::kChar, at::kByte, at::kBool})
    file.tensors[c10::toString(type)] =
        torch::tensor({0, 1, 1, 0, 1, 1}).view({2, 3}).to(type);
  file.tensors["empty"] = torch::zeros({0, 4});
  file.tensors["scalar"] = torch::tensor(2.5);
  file.tensors["strided"] = torch::arange(6.).view({2, 3}).t();
  write_safetensors(path_, file);
  const auto read = read_safetensors(path_);
  EXPECT_EQ(read.metadata, file.metadata);
  ASSERT_EQ(read.tensors.size(), file.tensors.size());
  for (const auto& [name, tensor] : file.tensors) {
    EXPECT_EQ(read.tensors.at(name).scalar_type(), tensor.scalar_type());
    EXPECT_TRUE(torch::equal(read.tensors.at(name), tensor)) << name;
  }
}

TEST_F(Safetensors, RefusesWhatTheFormatForbids) {
  const std::string a =
      R"("a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]})";
  EXPECT_EQ(read("{" + a + "}", 2), "read");
  EXPECT_THAT(read("{" + a + "}", 3),
              HasSubstr("describes 2 bytes of tensors, the file has 3"));
  EXPECT_THAT(read("{" + a + "}", 1), HasSubstr("the file has 1"));
  EXPECT_THAT(read("{" + a + "," + a + "}", 2), HasSubstr("stands twice"));
  EXPECT_THAT(
      read(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})", 3),
      HasSubstr("starts at byte 1, expected 0"));
  EXPECT_THAT(
      read("{" + a + R"(,"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
           3),
      HasSubstr("starts at byte 1, expected 2"));
  EXPECT_THAT(
      read(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,2]}})", 2),
      HasSubstr("do not match the shape [2]"));
  EXPECT_THAT(
      read(R"({"a":{"dtype":"U8","shape":[-2],"data_offsets":[0,2]}})", 2),
      HasSubstr("whole numbers"));
  EXPECT_THAT(
      read(
          R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})",
          0),
      HasSubstr("do not match"));
  EXPECT_THAT(
      read(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[2,0]}})", 2),
      HasSubstr("do not match"));
  EXPECT_THAT(
      read(R"({"a":{"dtype":"F8","shape":[2],"data_offsets":[0,2]}})", 2),
      HasSubstr("unknown dtype F8"));
  EXPECT_THAT(read("[]", 0), HasSubstr("not a JSON object"));
  EXPECT_THAT(read(R"({"__metadata__":[1]})", 0),
              HasSubstr("__metadata__ is not an object"));
  EXPECT_THAT(read("{", 0), HasSubstr("not JSON"));
  EXPECT_THAT(read("{}", 0, 1'000'000'000'000),
              HasSubstr("claims 1000000000000 bytes"));
  EXPECT_THAT(read("", 0, 200'000'000),
              HasSubstr("not a safetensors file, or truncated"));
}

TEST_F(Safetensors, MetadataMayBeOfAnyForm) {
  for (const char* header :
       {"{}", R"({"__metadata__":null})", R"({"__metadata__":{}})"}) {
    EXPECT_EQ(read(header, 0), "read") << header;
    EXPECT_TRUE(read_safetensors(path_).metadata.empty()) << header;
  }
  EXPECT_EQ(read(R"({"__metadata__":{"a":1,"b":{"c":null},"d":"text"}})", 0),
            "read");
  const std::map<std::string, std::string> want{
      {"a", "1"}, {"b", R"({"c":null})"}, {"d", "text"}};
  EXPECT_EQ(read_safetensors(path_).metadata, want);
}

TEST_F(Safetensors, EveryTruncationIsRefused) {
  write_safetensors(
      path_, {.tensors = {{"a", torch::arange(5)}, {"b", torch::ones({3})}}});
  const auto bytes = read_file(path_);
  for (size_t size = 0; size < bytes.size(); ++size) {
    write_file_atomic(path_, std::span(bytes.data(), size));
    EXPECT_THROW(read_safetensors(path_), DataError) << size;
  }
}

}  // namespace
}  // namespace calotype
