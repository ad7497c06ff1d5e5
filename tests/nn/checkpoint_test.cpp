#include "nn/checkpoint.h"

#include <gmock/gmock.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "core/error.h"
#include "core/files.h"
#include "core/note.h"
#include "nn/weight_files.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"
#include "tests/support/torch_files.h"

namespace calotype {
namespace {

using testing::HasSubstr;

TensorFile two_tensors() {
  TensorFile file;
  file.tensors["a"] = torch::arange(6, torch::kFloat).view({2, 3});
  file.tensors["b"] = torch::tensor({1, 2}, torch::kLong);
  return file;
}

class Checkpoints : public testing::Test {
 protected:
  std::filesystem::path put(const std::string& name, const std::string& text) {
    write_file_atomic(folder_ / name, text);
    return folder_ / name;
  }
  std::filesystem::path put(const std::string& name, const TensorFile& file) {
    write_safetensors(folder_ / name, file);
    return folder_ / name;
  }
  std::string complaint(const std::filesystem::path& path) {
    return message_of<DataError>([&] { Checkpoint::open(path); });
  }

  TempFolder folder_;
};

void expect_equal(const TensorFile& read, const TensorFile& expected) {
  ASSERT_EQ(read.tensors.size(), expected.tensors.size());
  for (const auto& [name, tensor] : expected.tensors) {
    EXPECT_EQ(read.tensors.at(name).scalar_type(), tensor.scalar_type());
    EXPECT_TRUE(torch::equal(read.tensors.at(name), tensor)) << name;
  }
}

TEST_F(Checkpoints, AreToldByTheirBytesNotTheirNames) {
  const auto file = two_tensors();
  const struct {
    std::filesystem::path path;
    const char* format;
  } files[] = {
      {put("a.ckpt", file), "safetensors"},
      {put("b.safetensors", torch_zip(file)), "pickle in a zip"},
      {put("c.bin", torch_legacy(file)), "legacy pickle"},
  };
  for (const auto& [path, format] : files) {
    const auto checkpoint = Checkpoint::open(path);
    EXPECT_EQ(checkpoint.format(), format);
    EXPECT_EQ(checkpoint.state_dict().wrapper, "");
    expect_equal(Checkpoint::read(checkpoint.state_dict()), file);
    expect_equal(read_state_dict(path), file);
  }
}

TEST_F(Checkpoints, KeepTheirBytesWhileACopyLives) {
  std::vector<Checkpoint> kept;
  kept.push_back(Checkpoint::open(put("a.pt", torch_zip(two_tensors()))));
  std::filesystem::remove(folder_ / "a.pt");
  const auto copy = kept.front();
  kept.clear();
  expect_equal(Checkpoint::read(copy.state_dict()), two_tensors());
}

TEST_F(Checkpoints, GiveAStateDictByItsWrapper) {
  const auto checkpoint =
      Checkpoint::open(put("a.ckpt", torch_zip(two_tensors(), "state_dict")));
  EXPECT_EQ(checkpoint.state_dict().wrapper, "state_dict");
  EXPECT_TRUE(checkpoint.tensors().contains("state_dict.a"));
  EXPECT_EQ(&checkpoint.state_dict("state_dict"), &checkpoint.state_dict());
  EXPECT_THAT(message_of<ConfigError>([&] { checkpoint.state_dict("ema"); }),
              HasSubstr("a.ckpt: holds no ema, but state_dict"));
}

TEST_F(Checkpoints, ComeInShardsThatAnIndexNames) {
  TensorFile a, b;
  a.tensors["a"] = two_tensors().tensors["a"];
  b.tensors["b"] = two_tensors().tensors["b"];
  put("s-1.safetensors", a);
  put("s-2.bin", torch_zip(b));
  const auto index =
      put("model.index.json",
          R"({"weight_map": {"a": "s-1.safetensors", "b": "s-2.bin"}})");
  const auto checkpoint = Checkpoint::open(index);
  EXPECT_THAT(checkpoint.format(), HasSubstr(", 2 shards"));
  expect_equal(Checkpoint::read(checkpoint.state_dict()), two_tensors());

  take_notes();
  const auto fewer = Checkpoint::open(
      put("fewer.json", R"({"weight_map": {"a": "s-1.safetensors"}})"));
  EXPECT_EQ(fewer.tensors().size(), 1u);
  TensorFile more = a;
  more.tensors["extra"] = torch::zeros({1});
  put("s-3.safetensors", more);
  EXPECT_EQ(Checkpoint::open(put("more.json", R"({"weight_map": {"a":
            "s-3.safetensors"}})"))
                .tensors()
                .size(),
            1u);
  EXPECT_THAT(take_notes(),
              testing::ElementsAre(HasSubstr(
                  "1 tensors that it does not name are left out, extra of "
                  "s-3.safetensors among them")));

  const auto broken = [&](const std::string& map) {
    return complaint(put("broken.json", R"({"weight_map": )" + map + "}"));
  };
  EXPECT_THAT(broken(R"({"a": "s-4.safetensors"})"),
              HasSubstr("names s-4.safetensors, which is not there"));
  EXPECT_THAT(broken(R"({"a": "s-1.safetensors", "c": "s-1.safetensors"})"),
              HasSubstr("names c in s-1.safetensors, which lacks it"));
  EXPECT_THAT(
      broken(R"({"a": "../s-1.safetensors"})"),
      HasSubstr("must be in a safetensors or .bin file of this folder"));
  EXPECT_THAT(
      broken(R"({"a": "/etc/passwd"})"),
      HasSubstr("must be in a safetensors or .bin file of this folder"));
}

TEST_F(Checkpoints, SayWhatAFileIsThatIsNone) {
  EXPECT_THAT(complaint(put("a.pt", "")),
              HasSubstr("a.pt: no checkpoint: it is empty"));
  EXPECT_THAT(complaint(put("a.pt", "\n <!DOCTYPE html><html>")),
              HasSubstr("a page of a web site"));
  EXPECT_THAT(complaint(put("a.safetensors",
                            "version https://git-lfs.github.com/spec/v1\n")),
              HasSubstr("a Git LFS pointer"));
  EXPECT_THAT(complaint(put("a.pt", std::string(257, 'x') + "ustar")),
              HasSubstr("a tar archive"));
  EXPECT_THAT(complaint(put("a.pt", "GGUF")), HasSubstr("a GGUF file"));
  EXPECT_THAT(complaint(put("a.pt", "something")),
              HasSubstr("neither safetensors nor a file of torch.save's"));
  EXPECT_THAT(complaint(put("a.pt", torch_zip(two_tensors()).substr(0, 200))),
              HasSubstr("truncated"));
  EXPECT_THAT(message_of<ConfigError>(
                  [&] { Checkpoint::open(folder_ / "nowhere.pt"); }),
              HasSubstr("nowhere.pt: no such file"));
}

TEST_F(Checkpoints, AreDamagedWhereAChecksumIsWrong) {
  auto text = torch_zip(two_tensors());
  const float one = 1;  // of tensor a
  text[text.find(std::string(reinterpret_cast<const char*>(&one), 4))] = 1;
  EXPECT_THAT(complaint(put("a.pt", text)),
              HasSubstr("a.pt: damaged: the CRC of archive/data/0 is wrong"));
  text = torch_zip(two_tensors());
  text[text.find("collections")] = 'k';
  EXPECT_THAT(complaint(put("a.pt", text)),
              HasSubstr("a.pt: damaged: the CRC of archive/data.pkl is wrong"));
}

// As torch.serialization.set_crc32_options(False) has them written: 0 in each.
TEST_F(Checkpoints, NoteThatThereAreNoChecksums) {
  auto text = torch_zip(two_tensors());
  for (size_t at = 0; (at = text.find("PK\x01\x02", at)) != text.npos; ++at)
    text.replace(at + 16, 4, 4, '\0');
  take_notes();
  const auto checkpoint = Checkpoint::open(put("a.pt", text));
  EXPECT_THAT(
      take_notes(),
      testing::ElementsAre(HasSubstr("a.pt: was written without checksums")));
  expect_equal(Checkpoint::read(checkpoint.state_dict()), two_tensors());
}

// As diffusers wrote it until 2023, whole and in shards.
TEST_F(Checkpoints, AreTheWeightsOfAFolderToo) {
  put("config.json", "{}");
  put("diffusion_pytorch_model.bin", torch_zip(two_tensors()));
  auto files = find_weights(folder_.path());
  EXPECT_EQ(files.path.filename(), "diffusion_pytorch_model.bin");
  expect_equal(read_weights(files), two_tensors());
  expect_equal(Checkpoint::read(Checkpoint::open(folder_.path()).state_dict()),
               two_tensors());

  std::filesystem::remove(folder_ / "diffusion_pytorch_model.bin");
  put("diffusion_pytorch_model-00001-of-00001.bin", torch_zip(two_tensors()));
  put("diffusion_pytorch_model.bin.index.json",
      R"({"weight_map": {"a": "diffusion_pytorch_model-00001-of-00001.bin",
                         "b": "diffusion_pytorch_model-00001-of-00001.bin"}})");
  files = find_weights(folder_.path());
  ASSERT_EQ(files.shards.size(), 1u);
  expect_equal(read_weights(files), two_tensors());

  put("diffusion_pytorch_model.fp16.safetensors", two_tensors());
  take_notes();
  files = find_weights(folder_.path());
  EXPECT_EQ(files.path.filename(), "diffusion_pytorch_model.fp16.safetensors");
  EXPECT_THAT(take_notes(), testing::ElementsAre(HasSubstr(
                                "not of diffusion_pytorch_model.bin.index")));
}

}  // namespace
}  // namespace calotype
