#include "datasets/path_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/datasets/small_images.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// Images a.png, "b c.png" and d/e.png, and a list.
class PathList : public testing::Test {
 protected:
  PathList() {
    put(root / "a.png", small_png(1));
    put(root / "b c.png", small_png(2));
    put(root / "d/e.png", small_png(3));
  }

  std::unique_ptr<ImageSource> open(const std::string& name,
                                    const std::string& text) {
    put(root / name, bytes_of(text));
    return open_source(root / name);
  }

  std::string refusal(const std::string& name, const std::string& text) {
    return message_of<DataError>([&] { open(name, text); });
  }

  TempFolder root;
};

void expect_three(const ImageSource& source) {
  EXPECT_THAT(names_of(source), ElementsAre("d/e.png", "a.png", "b c.png"));
  EXPECT_THAT(source.class_names(), ElementsAre("2", "10"));
  EXPECT_EQ(source.label(0), 1);
  EXPECT_EQ(source.label(1), 0);
  EXPECT_EQ(source.label(2), 1);
  EXPECT_EQ(source.load(0).image.pixels[0], 3);
  EXPECT_EQ(source.load(2).image.pixels[0], 2);
}

TEST_F(PathList, OfTextHasPathsAndLabels) {
  expect_three(
      *open("list.txt", "# comment\n\nd/e.png 10\r\na.png\t2\nb c.png 10"));
}

TEST_F(PathList, OfTextMayHaveNoLabels) {
  const auto source = open("list.txt", "b c.png\na.png\n");
  EXPECT_THAT(names_of(*source), ElementsAre("b c.png", "a.png"));
  EXPECT_THAT(source->class_names(), ElementsAre());
}

TEST_F(PathList, OfCsvHasAHeaderOrNone) {
  expect_three(*open("list.csv", "d/e.png,10\na.png,2\n\"b c.png\",10\n"));
  expect_three(*open("more.csv",
                     "id,label,file_name\n1,10,d/e.png\n2,2,a.png\n"
                     "3,10,b c.png\n"));
}

TEST_F(PathList, OfJsonLinesHasItsKeys) {
  expect_three(*open("list.jsonl",
                     "{\"file_name\": \"d/e.png\", \"label\": 10}\n"
                     "{\"path\": \"a.png\", \"class\": \"2\"}\n"
                     "{\"image\": \"b c.png\", \"cls\": 10, \"text\": \"x\"}"));
}

TEST_F(PathList, SaysWhatIsWrongAndWhere) {
  EXPECT_THAT(refusal("x.jsonl", "{\"path\": \"a.png\"}\n[1]\n"),
              HasSubstr("x.jsonl: line 2: expected a JSON object"));
  EXPECT_THAT(refusal("x.jsonl", "{\"path\": \"a.png\", \"label\": 1.5}"),
              HasSubstr("expected a whole number or a name, got 1.5"));
  EXPECT_THAT(refusal("x.csv", "a.png,\"1\n"),
              HasSubstr("a quotation has no end"));
  EXPECT_THAT(refusal("x.csv", "name,label\na.png,1\n"),
              HasSubstr("has a column label, and none called path"));
  EXPECT_THAT(refusal("x.txt", "a.png\nb c.png\na.png 3\n"),
              HasSubstr("image 3 of the list, a.png, is called like image 1"));
  EXPECT_THAT(refusal("x.txt", std::string("a\0b", 3)),
              HasSubstr("no list of paths"));
  EXPECT_THAT(config_error_of([&] { open("x.txt", "# none\n"); }),
              HasSubstr("no images found in the list"));
}

TEST_F(PathList, NamesOfWhatLiesElsewhereStayInside) {
  const auto source =
      open("lists/x.txt", "../a.png\n" + (root / "d/e.png").string());
  EXPECT_EQ(source->name(0), "a.png");
  EXPECT_EQ(source->name(1), (root / "d/e.png").string().substr(1));
  EXPECT_EQ(source->load(0).image.pixels[0], 1);
  EXPECT_EQ(source->load(1).image.pixels[0], 3);
}

TEST_F(PathList, AMissingFileIsABadImage) {
  const auto source = open("x.txt", "none.png\n");
  EXPECT_THAT(message_of<DataError>([&] { source->load(0); }),
              HasSubstr("none.png"));
}

}  // namespace
}  // namespace calotype
