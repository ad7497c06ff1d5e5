#include "report/html_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace calotype {
namespace {

using testing::HasSubstr;
using testing::Not;

// The first 24 bytes of a PNG: signature, length and name of IHDR, width,
// height.
std::vector<uint8_t> png_header(uint8_t width, uint8_t height) {
  return {0x89, 'P', 'N', 'G', 13, 10, 26, 10,    0, 0, 0, 13,
          'I',  'H', 'D', 'R', 0,  0,  0,  width, 0, 0, 0, height};
}

TEST(HtmlReport, PutsBlocksInTheOrderOfTheCalls) {
  HtmlReport report("Clothes", "Drawn from latents.");
  report.section("First");
  report.paragraph("alpha");
  report.section("Second");
  report.details("Commands", "calotype demo");
  const auto html = report.html();
  const std::vector<const char*> order = {
      "<h1>Clothes</h1>",        "Drawn from latents.",
      "<h2>First</h2>",          "<p>alpha</p>",
      "<h2>Second</h2>",         "Commands",
      "<pre>calotype demo</pre>"};
  size_t last = 0;
  for (const char* text : order) {
    const auto at = html.find(text);
    ASSERT_NE(at, std::string::npos) << text;
    EXPECT_GT(at, last) << text;
    last = at;
  }
}

TEST(HtmlReport, EscapesEveryText) {
  const std::string hostile = "<img src=x onerror=\"a('b')\">&";
  HtmlReport report(hostile, hostile);
  report.key_numbers({{hostile, hostile, hostile}});
  report.section(hostile);
  report.paragraph(hostile);
  report.table({{hostile}, {{hostile}}});
  report.figure({{png_header(1, 1), hostile}}, hostile);
  report.labelled_rows({{png_header(1, 1), hostile}}, hostile);
  report.figure_svg("<svg></svg>", hostile);
  report.details(hostile, hostile);
  report.footer(hostile);
  const auto html = report.html();
  EXPECT_THAT(html, Not(HasSubstr("onerror=\"")));
  EXPECT_THAT(html, Not(HasSubstr("<img src=x")));
  EXPECT_THAT(
      html,
      HasSubstr("&lt;img src=x onerror=&quot;a(&#39;b&#39;)&quot;&gt;&amp;"));
}

// "Man" and its beginnings are the examples of RFC 4648's base 64.
TEST(HtmlReport, CarriesImagesInBase64) {
  auto png = png_header(28, 14);
  const auto page = [&] {
    HtmlReport report("t", "s");
    report.figure({{png, ""}}, "Caption", 3);
    return report.html();
  };
  EXPECT_THAT(
      page(),
      HasSubstr(
          "width=\"84\" height=\"42\" alt=\"Caption\" "
          "src=\"data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAABwAAAAO\""));
  png.insert(png.end(), {'M'});
  EXPECT_THAT(page(), HasSubstr("AAAOTQ==\""));
  png.insert(png.end(), {'a'});
  EXPECT_THAT(page(), HasSubstr("AAAOTWE=\""));
  png.insert(png.end(), {'n'});
  EXPECT_THAT(page(), HasSubstr("AAAOTWFu\""));
}

TEST(HtmlReport, ShowsPixelsOnlyWhereTheyAreEnlarged) {
  HtmlReport one("t", "s"), four("t", "s");
  one.figure({{png_header(8, 8), ""}}, "c");
  four.labelled_rows({{png_header(8, 8), "Bag"}}, "c", 4);
  EXPECT_THAT(one.html(), Not(HasSubstr("class=\"pixels\"")));
  EXPECT_THAT(four.html(), HasSubstr("<span class=\"label\">Bag</span>"
                                     "<img class=\"pixels\" width=\"32\""));
}

TEST(HtmlReport, SetsColumnsOfNumbersFlushRight) {
  HtmlReport report("t", "s");
  report.table(
      {{"Measure", "Value", "Mixed"},
       {{"PSNR", "24.1", "2"}, {"SSIM", "-0.8", "-"}, {"none", "", "x"}}});
  const auto html = report.html();
  EXPECT_THAT(
      html,
      HasSubstr(
          "<th>Measure</th><th class=\"number\">Value</th><th>Mixed</th>"));
  EXPECT_THAT(
      html, HasSubstr("<td>SSIM</td><td class=\"number\">-0.8</td><td>-</td>"));
}

TEST(HtmlReport, NeedsNothingFromElsewhere) {
  HtmlReport report("t", "s");
  report.figure({{png_header(8, 8), ""}}, "c");
  const auto html = report.html();
  for (const char* outside :
       {"http:", "https:", "<script", "<link", "@import", "url("})
    EXPECT_THAT(html, Not(HasSubstr(outside)));
}

TEST(HtmlReport, RefusesAnImageThatIsNoPng) {
  HtmlReport report("t", "s");
  EXPECT_THAT(
      [&] {
        report.figure({{{1, 2, 3}, ""}}, "c");
      },
      testing::ThrowsMessage<ShapeError>(
          "html report: an image must be a PNG, got other bytes"));
}

TEST(HtmlReport, RefusesATableWithARaggedRow) {
  HtmlReport report("t", "s");
  EXPECT_THAT(
      [&] {
        report.table({{"a", "b"}, {{"1"}}});
      },
      testing::ThrowsMessage<ShapeError>(
          "html report: a table row must have 2 cells, got 1"));
}

}  // namespace
}  // namespace calotype
