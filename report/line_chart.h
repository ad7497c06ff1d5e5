#pragma once

#include <string>
#include <vector>

namespace calotype {

/// A named line through (x[i], y[i]) in order, or a dot at each.
struct LineSeries {
  std::string name;
  std::vector<double> x;  // e.g. optimizer steps
  std::vector<double> y;  // as many as x
  bool dots = false;      // points that have no order
};

struct LineChart {
  std::string title = "";
  std::string x_label = "";
  std::string y_label = "";
  std::vector<LineSeries> series = {};
  bool log_x = false;  // logarithmic axes; values of 0 and below leave gaps
  bool log_y = false;
  bool plane = false;   // both axes are alike: grid and air in both directions
  bool unit_x = false;  // x is a share: all of [0,1] is shown
  bool stages = false;  // the lines are one thing over time: one colour, from
                        // pale to strong
  int width = 720;      // of the viewBox, in CSS pixels
  int height = 340;
};

/// A self-contained SVG element: no script, no font or picture from elsewhere,
/// light or dark as the reader prefers. Values that are not finite leave gaps,
/// a point without neighbours becomes a dot, and thousands of points are
/// thinned to what the pixels can show (the extremes stay). Throws ShapeError
/// if x and y of a series differ in length.
std::string line_chart_svg(const LineChart& chart);

}  // namespace calotype
