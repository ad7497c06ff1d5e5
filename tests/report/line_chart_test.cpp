#include "report/line_chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <sstream>

#include "core/error.h"

namespace calotype {
namespace {

using testing::HasSubstr;
using testing::Not;

// How often `pattern` occurs in `text`.
int64_t count(const std::string& text, const std::string& pattern) {
  int64_t found = 0;
  for (auto at = text.find(pattern); at != std::string::npos;
       at = text.find(pattern, at + 1))
    ++found;
  return found;
}

// The points of the first line of the chart.
std::vector<std::pair<double, double>> drawn_points(const std::string& svg) {
  const std::string opening = "points=\"";
  const auto begin = svg.find(opening);
  if (begin == std::string::npos) return {};
  std::istringstream stream(svg.substr(begin + opening.size()));
  std::vector<std::pair<double, double>> points;
  double x, y;
  char comma;
  while (stream >> x >> comma >> y) points.emplace_back(x, y);
  return points;
}

LineChart chart_of(std::vector<double> x, std::vector<double> y) {
  return {.title = "Loss", .series = {{"train", std::move(x), std::move(y)}}};
}

TEST(LineChart, DrawsALineFromLeftToRightAndLargerValuesHigher) {
  const auto points =
      drawn_points(line_chart_svg(chart_of({0, 1, 2}, {1, 3, 2})));
  ASSERT_EQ(points.size(), 3u);
  EXPECT_NEAR(points[1].first * 2, points[0].first + points[2].first, 0.2);
  EXPECT_LT(points[1].second, points[2].second);  // y grows downwards in SVG
  EXPECT_NEAR(points[2].second * 2, points[0].second + points[1].second, 0.2);
}

TEST(LineChart, HasRoundTicks) {
  const auto svg = line_chart_svg(chart_of({0, 1400}, {0.13, 0.97}));
  for (const char* tick : {">0<", ">200<", ">1400<", ">0.2<", ">0.8<"})
    EXPECT_THAT(svg, HasSubstr(tick));
}

TEST(LineChart, SpacesDecadesEvenlyOnALogarithmicAxis) {
  auto chart = chart_of({0, 1, 2}, {1, 10, 100});
  chart.log_y = true;
  const auto svg = line_chart_svg(chart);
  const auto points = drawn_points(svg);
  ASSERT_EQ(points.size(), 3u);
  EXPECT_NEAR(points[1].second * 2, points[0].second + points[2].second, 0.2);
  EXPECT_THAT(svg, HasSubstr(">100<"));

  auto across = chart_of({1, 10, 100}, {0, 1, 2});
  across.log_x = true;
  const auto bent = drawn_points(line_chart_svg(across));
  ASSERT_EQ(bent.size(), 3u);
  EXPECT_NEAR(bent[1].first * 2, bent[0].first + bent[2].first, 0.2);
  across.series[0].x[0] = 0;  // has no logarithm
  EXPECT_EQ(drawn_points(line_chart_svg(across)).size(), 2u);
}

TEST(LineChart, LeavesGapsForValuesThatCannotBeDrawn) {
  const double nan = std::nan("");
  const auto svg = line_chart_svg(
      chart_of({0, 1, 2, 3, 4, 5, 6}, {1, 2, nan, 3, 4, nan, 5}));
  EXPECT_EQ(count(svg, "<polyline"), 2);
  EXPECT_EQ(count(svg, "<circle"), 1);
  EXPECT_THAT(svg, Not(HasSubstr("nan")));

  auto chart = chart_of({0, 1, 2, 3, 4}, {1, 2, 0, 3, 4});
  EXPECT_EQ(count(line_chart_svg(chart), "<polyline"), 1);
  chart.log_y = true;
  EXPECT_EQ(count(line_chart_svg(chart), "<polyline"), 2);
}

TEST(LineChart, ThinsManyPointsAndKeepsTheExtremes) {
  std::vector<double> x, y;
  for (int i = 0; i < 100000; ++i) {
    x.push_back(i);
    y.push_back(std::sin(i * 0.7));
  }
  y[54321] = 9;
  y[54322] = -9;
  const auto points = drawn_points(line_chart_svg(chart_of(x, y)));
  EXPECT_LT(points.size(), 4u * 720);
  double low = 0, high = 1e9;  // in pixels, from the top
  for (const auto& point : points) {
    low = std::max(low, point.second);
    high = std::min(high, point.second);
  }
  const auto two = drawn_points(line_chart_svg(chart_of({0, 1}, {-9, 9})));
  EXPECT_DOUBLE_EQ(low, two[0].second);
  EXPECT_DOUBLE_EQ(high, two[1].second);
}

TEST(LineChart, DrawsWhatHasNoExtent) {
  for (const bool log_y : {false, true})
    for (const double value : {5.0, 1e-12, 1e300}) {
      auto chart = chart_of({3}, {value});
      chart.log_y = log_y;
      EXPECT_EQ(count(line_chart_svg(chart), "<circle"), 1);
      chart =
          chart_of({0, 1e17, 1e17 + 16}, {value, value, value * (1 + 1e-15)});
      chart.log_y = log_y;
      const auto svg = line_chart_svg(chart);
      EXPECT_EQ(count(svg, "<polyline"), 1);
      EXPECT_THAT(svg, Not(HasSubstr("nan")));
      EXPECT_THAT(svg, Not(HasSubstr("inf")));
    }
  EXPECT_EQ(count(line_chart_svg(chart_of({0, 1}, {0, 0})), "<polyline"), 1);
}

TEST(LineChart, SaysWhenThereIsNothingToDraw) {
  EXPECT_THAT(line_chart_svg(LineChart{}), HasSubstr("no data"));
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_THAT(line_chart_svg(chart_of({0}, {infinity})), HasSubstr("no data"));
}

TEST(LineChart, NamesItsLinesIfThereAreSeveral) {
  auto chart = chart_of({0, 1}, {0, 1});
  EXPECT_THAT(line_chart_svg(chart), Not(HasSubstr(">train<")));
  chart.series.push_back({"held out", {0, 1}, {1, 2}});
  EXPECT_THAT(line_chart_svg(chart), HasSubstr(">train<"));
  EXPECT_THAT(line_chart_svg(chart), HasSubstr(">held out<"));
}

TEST(LineChart, EscapesText) {
  auto chart = chart_of({0, 1}, {0, 1});
  chart.title = "<script>\"a\" & b";
  const auto svg = line_chart_svg(chart);
  EXPECT_THAT(svg, HasSubstr("&lt;script&gt;&quot;a&quot; &amp; b"));
  EXPECT_THAT(svg, Not(HasSubstr("<script")));
}

TEST(LineChart, RefusesAnXWithoutItsY) {
  EXPECT_THAT(
      [] {
        line_chart_svg(chart_of({0, 1}, {0}));
      },
      testing::ThrowsMessage<ShapeError>(
          "line chart: train must have as many x as y, got 2 and 1"));
}

TEST(LineChart, StagesAreOneColourThatGrowsStronger) {
  LineChart chart{.title = "Loss", .stages = true};
  for (const char* name : {"first", "middle", "last"})
    chart.series.push_back({name, {0, 1}, {1, 2}});
  const auto svg = line_chart_svg(chart);
  EXPECT_EQ(count(svg, "<circle"), 6);  // where the values are
  std::vector<std::string> strengths;
  const std::string key = "stroke-opacity=\"";
  for (auto at = svg.find("<polyline"); at != std::string::npos;
       at = svg.find("<polyline", at + 1)) {
    const auto begin = svg.find(key, at) + key.size();
    strengths.push_back(svg.substr(begin, svg.find('"', begin) - begin));
  }
  EXPECT_THAT(strengths, testing::ElementsAre("0.30", "0.65", "1.00"));
}

}  // namespace
}  // namespace calotype
