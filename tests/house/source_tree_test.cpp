#include "tests/house/source_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

fs::path root() {
  return std::getenv("CALOTYPE_SOURCE_DIR");
}

/// A tree of one's own, to see each rule broken.
class SmallTree : public testing::Test {
 protected:
  void add(const std::string& path, const std::string& text) {
    fs::create_directories((folder_ / path).parent_path());
    std::ofstream(folder_ / path) << text;
  }
  const fs::path& tree() const { return folder_.path(); }

 private:
  TempFolder folder_;
};

TEST(SourceTree, IncludesFollowTheArrows) {
  ASSERT_GT(read_sources(root()).size(), 30u);
  EXPECT_THAT(wrong_folders(root()), IsEmpty());
}

TEST(SourceTree, LinksFollowTheArrows) {
  EXPECT_THAT(wrong_links(root()), IsEmpty());
}

TEST(SourceTree, ThirdPartiesStayInTheirPlace) {
  EXPECT_THAT(wrong_third_parties(root()), IsEmpty());
}

TEST(SourceTree, WhatAFileNamesItIncludes) {
  EXPECT_THAT(missing_includes(root()), IsEmpty());
}

TEST(SourceTree, EverySourceIsBuilt) {
  EXPECT_THAT(forgotten_sources(root()), IsEmpty());
}

TEST(SourceTree, HeadersAreIncludedOnce) {
  for (const auto& file : read_sources(root())) {
    const bool once = file.text.find("#pragma once\n") != std::string::npos;
    EXPECT_EQ(once, file.path.ends_with(".h")) << file.path;
  }
}

TEST(SourceTree, NoFileIsLong) {
  for (const auto& file : read_sources(root()))
    EXPECT_LE(std::count(file.text.begin(), file.text.end(), '\n'), 400)
        << file.path;
}

TEST_F(SmallTree, AnIncludeUpwardOrBesideIsFound) {
  add("core/a.h", "#include \"nn/b.h\"\n#include \"core/c.h\"\n");
  add("vae/a.cpp", "#include \"core/a.h\"\n  #  include \"diffusion/d.h\"\n");
  add("nn/a.cpp",
      "#include <torch/nn/module.h>\n#include \"tests/support/a.h\"\n");
  add("tests/a.cpp", "#include \"tools/a.h\"\n#include \"vae/a.h\"\n");
  add("build/a.cpp", "#include \"tools/a.h\"\n");
  EXPECT_THAT(wrong_folders(tree()),
              ElementsAre("core/a.h: must not include nn/b.h",
                          "nn/a.cpp: must not include tests/support/a.h",
                          "vae/a.cpp: must not include diffusion/d.h"));
}

TEST_F(SmallTree, AFolderWithoutArrowsIsFound) {
  add("utils/a.h", "");
  EXPECT_THAT(wrong_folders(tree()),
              ElementsAre("utils/a.h: no arrows are drawn for this folder"));
}

TEST_F(SmallTree, ALinkAgainstTheArrowsIsFound) {
  add("core/CMakeLists.txt", "calotype_module(core SOURCES a.cpp USES torch)");
  add("nn/CMakeLists.txt",
      "calotype_module(nn\n  SOURCES a.cpp\n  USES calotype::core)");
  add("vae/CMakeLists.txt",
      "calotype_module(vae SOURCES a.cpp USES calotype::nn calotype::datasets "
      "LINKS x)");
  add("metrics/CMakeLists.txt", "add_library(metrics a.cpp)");
  EXPECT_THAT(wrong_links(tree()),
              ElementsAre("metrics: CMakeLists.txt has no module",
                          "vae: must not use calotype::datasets"));
}

TEST_F(SmallTree, AnIncludeThatIsNotLinkedIsFound) {
  add("core/CMakeLists.txt", "calotype_module(core SOURCES a.cpp)");
  add("nn/CMakeLists.txt",
      "calotype_module(nn SOURCES a.cpp USES calotype::core)");
  add("vae/CMakeLists.txt",
      "calotype_module(vae SOURCES a.cpp USES calotype::nn)");
  add("metrics/CMakeLists.txt",
      "calotype_module(metrics SOURCES a.cpp USES calotype::core)");
  add("vae/a.cpp", "#include \"core/a.h\"\n");  // through nn
  add("metrics/a.cpp", "#include \"nn/a.h\"\n");
  EXPECT_THAT(wrong_links(tree()),
              ElementsAre("metrics/a.cpp: nn is not in USES of metrics"));
}

TEST_F(SmallTree, AThirdPartyOutOfPlaceIsFound) {
  add("images/transforms.cpp", "#include <opencv2/imgproc.hpp>\n");
  add("datasets/loader.cpp", "#include <opencv2/core.hpp>\n");
  add("tools/a.cpp", "#include <CLI/CLI.hpp>\nauto x = torch::load(path);\n");
  add("vae/loop.cpp", "#include <ATen/Parallel.h>\n");
  add("tests/a.cpp", "#include <hdf5.h>\n");
  EXPECT_THAT(wrong_third_parties(tree()),
              ElementsAre("datasets/loader.cpp: only images/transforms.cpp "
                          "may include opencv2/core.hpp",
                          "tools/a.cpp: must not call torch::load(",
                          "vae/loop.cpp: only core/ may include "
                          "ATen/Parallel.h"));
}

TEST_F(SmallTree, AMissingIncludeIsFound) {
  add("core/a.h", "#include <vector>\nstd::vector<int> x;  // std::map\n");
  add("core/a.cpp",
      "#include \"core/a.h\"\n"
      "std::vector<int> y;\nauto z = \"\\\"std::set\";\n"
      "auto raw = R\"(fmt::print(\")\"; int64_t n;\n");
  add("nn/b.h", "#include <ATen/core/Tensor.h>\nat::Tensor t;\n");
  add("nn/c.h", "#include <string_view>\nstd::string s; torch::Tensor t;\n");
  add("tests/a.cpp", "std::vector<int> x;\n");
  EXPECT_THAT(missing_includes(tree()),
              ElementsAre("core/a.cpp: says int64_t and does not include "
                          "cstdint",
                          "nn/c.h: says std::string and does not include "
                          "string",
                          "nn/c.h: says torch:: and does not include ATen/"));
}

TEST_F(SmallTree, AForgottenSourceIsFound) {
  add("core/CMakeLists.txt", "calotype_module(core SOURCES a.cpp other_b.cpp)");
  add("core/a.cpp", "");
  add("core/b.cpp", "");
  add("core/other_b.cpp", "");
  EXPECT_THAT(forgotten_sources(tree()),
              ElementsAre("core/b.cpp: no CMakeLists.txt names it"));
}

}  // namespace
}  // namespace calotype
