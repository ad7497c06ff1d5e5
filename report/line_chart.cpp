#include "report/line_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/markup.h"

namespace calotype {
namespace {

constexpr double kLeft = 58, kRight = 18, kBottom = 46;  // margins
constexpr double kLetterWidth = 6.4;  // of the 12 pixel font, a little generous
constexpr double kLegendRow = 20, kLegendSwatch = 26, kLegendGap = 18;

// Hues of early processes (cyanotype, sepia, gum prints), equally dark, so that
// they read on white and on near-black.
constexpr std::array kColors = {"#3b78b4", "#bd7034", "#5b9462", "#9a62a0",
                                "#b8922e", "#2f9c95", "#c2544f", "#7d8694",
                                "#6a64c8", "#8f9436", "#cf6d9d", "#4f5d3a"};

constexpr double kPalest = 0.3;  // of the first of several stages

struct Tick {
  double value;
  std::string text;
};

// A value range on a pixel range, linear or logarithmic.
class Axis {
 public:
  Axis(double low, double high, double from_px, double to_px, bool logarithmic)
      : from_px_(from_px), to_px_(to_px), logarithmic_(logarithmic) {
    low_ = scaled(low);
    high_ = scaled(high);
  }

  double operator()(double value) const {
    return from_px_ +
           (scaled(value) - low_) / (high_ - low_) * (to_px_ - from_px_);
  }

 private:
  double scaled(double value) const {
    return logarithmic_ ? std::log10(value) : value;
  }

  double from_px_, to_px_, low_, high_;
  bool logarithmic_;
};

// `largest`: of the axis, so that all its ticks have the same unit.
std::string tick_text(double value, double largest) {
  if (value == 0) return "0";
  if (largest >= 1e9 || largest < 1e-3) {
    const auto exponent = std::floor(std::log10(largest) + 1e-9);
    return fmt::format("{:.3g}e{:.0f}", value / std::pow(10, exponent),
                       exponent);
  }
  if (largest >= 1e6) return fmt::format("{:.6g}M", value / 1e6);
  if (largest >= 1e4) return fmt::format("{:.6g}k", value / 1e3);
  return fmt::format("{:.6g}", value);
}

// Multiples of 1, 2 or 5 times a power of ten, at most about `wanted`.
std::vector<Tick> linear_ticks(double low, double high, int wanted) {
  const double raw = (high - low) / wanted;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  double step = 10 * power;
  for (const double factor : {1.0, 2.0, 5.0})
    if (factor * power >= raw * (1 - 1e-9)) {
      step = factor * power;
      break;
    }
  const double largest = std::max(std::abs(low), std::abs(high));
  std::vector<Tick> ticks;
  const double first = std::ceil(low / step - 1e-9);
  const auto count =
      static_cast<int>(std::floor(high / step + 1e-9) - first) + 1;
  for (int i = 0; i < count; ++i) {
    const double value = (first + i) * step;
    ticks.push_back({value, tick_text(value, largest)});
  }
  return ticks;
}

// Powers of ten; 2 and 5 between them, or linear steps, where those are too
// few.
std::vector<Tick> log_ticks(double low, double high) {
  const double decades = std::log10(high / low);
  if (decades < 0.7) return linear_ticks(low, high, 5);
  const int every = std::max(1, static_cast<int>(std::ceil(decades / 6)));
  std::vector<Tick> ticks;
  const int first = static_cast<int>(std::floor(std::log10(low)));
  const int last = static_cast<int>(std::ceil(std::log10(high)));
  for (int exponent = first; exponent <= last; ++exponent)
    for (const double factor : {1.0, 2.0, 5.0}) {
      const bool shown =
          factor == 1 ? (exponent - first) % every == 0 : decades < 2.5;
      const double value = factor * std::pow(10, exponent);
      if (shown && value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9))
        ticks.push_back({value, tick_text(value, value)});
    }
  return ticks;
}

bool drawable(const LineChart& chart, double x, double y) {
  return std::isfinite(x) && std::isfinite(y) && (!chart.log_x || x > 0) &&
         (!chart.log_y || y > 0);
}

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  void cover(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool empty() const { return low > high; }

  bool constant() const {  // up to what rounding leaves
    return high - low <= 1e-9 * std::max(std::abs(low), std::abs(high));
  }

  // Gives a single value some room, and lines some air.
  void widen(bool logarithmic, double share) {
    if (logarithmic) {
      const double factor = constant() ? 2 : std::pow(high / low, share);
      low /= factor;
      high *= factor;
    } else {
      const double room = !constant() ? (high - low) * share
                          : low != 0  ? std::abs(low) * 0.5
                                      : 1;
      low -= room;
      high += room;
    }
  }
};

struct Point {
  double x, y;  // pixels
};

// Points that share a pixel column are replaced by the first, the lowest, the
// highest and the last of them: the drawn line covers the same pixels.
std::vector<Point> thinned(const std::vector<Point>& points) {
  std::vector<Point> kept;
  for (size_t begin = 0, end; begin < points.size(); begin = end) {
    const double column = std::floor(points[begin].x);
    size_t lowest = begin, highest = begin;
    for (end = begin;
         end < points.size() && std::floor(points[end].x) == column; ++end) {
      if (points[end].y < points[lowest].y) lowest = end;
      if (points[end].y > points[highest].y) highest = end;
    }
    std::array picked = {begin, std::min(lowest, highest),
                         std::max(lowest, highest), end - 1};
    const auto stop = std::unique(picked.begin(), picked.end());
    for (auto index = picked.begin(); index != stop; ++index)
      kept.push_back(points[*index]);
  }
  return kept;
}

// Share of the full strength that the pen of a line has.
double strength_of(const LineChart& chart, size_t index) {
  const auto last = chart.series.size() - 1;
  if (!chart.stages || index == last) return 1;
  return kPalest + (1 - kPalest) * double(index) / double(last);
}

std::string stroke_of(const LineChart& chart, size_t index) {
  if (chart.stages)
    return fmt::format("stroke=\"{}\" stroke-opacity=\"{:.2f}\"", kColors[0],
                       strength_of(chart, index));
  const bool repeated = index >= kColors.size();
  return fmt::format("stroke=\"{}\"{}", kColors[index % kColors.size()],
                     repeated ? " stroke-dasharray=\"5 3\"" : "");
}

// One unbroken piece of a line.
std::string piece_svg(const LineChart& chart, const std::vector<Point>& points,
                      size_t index) {
  if (points.empty()) return "";
  const auto dot = [&](const Point& point, double radius) {
    return fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\" fill=\"{}\"{}/>\n",
        point.x, point.y, radius,
        kColors[chart.stages ? 0 : index % kColors.size()],
        chart.stages
            ? fmt::format(" fill-opacity=\"{:.2f}\"", strength_of(chart, index))
            : "");
  };
  if (points.size() == 1) return dot(points[0], 3);
  std::string list;
  for (const auto& point : thinned(points))
    list += fmt::format("{}{:.1f},{:.1f}", list.empty() ? "" : " ", point.x,
                        point.y);
  auto svg = fmt::format("<polyline points=\"{}\" {}/>\n", list,
                         stroke_of(chart, index));
  if (chart.stages)
    for (const auto& point : points) svg += dot(point, 2.4);
  return svg;
}

std::string series_svg(const LineChart& chart, size_t index, const Axis& across,
                       const Axis& up) {
  const auto& series = chart.series[index];
  std::string svg;
  if (series.dots) {
    svg = fmt::format("<g fill=\"{}\" fill-opacity=\"0.6\" stroke=\"none\">\n",
                      kColors[index % kColors.size()]);
    for (size_t i = 0; i < series.x.size(); ++i)
      if (drawable(chart, series.x[i], series.y[i]))
        svg += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2\"/>\n",
                           across(series.x[i]), up(series.y[i]));
    return svg + "</g>\n";
  }
  std::vector<Point> piece;
  for (size_t i = 0; i < series.x.size(); ++i) {
    if (drawable(chart, series.x[i], series.y[i])) {
      piece.push_back({across(series.x[i]), up(series.y[i])});
    } else {
      svg += piece_svg(chart, piece, index);
      piece.clear();
    }
  }
  return svg + piece_svg(chart, piece, index);
}

// The colours stand in one place, for readers who prefer light and dark.
constexpr char kChartStyle[] =
    "<style>.calotype-chart .paper{fill:#fff}.calotype-chart .ink{fill:#2b2a28}"
    ".calotype-chart .quiet{fill:#6f6b66}.calotype-chart .grid{stroke:#e8e5e0}"
    ".calotype-chart .base{stroke:#a9a49d}"
    "@media(prefers-color-scheme:dark){.calotype-chart .paper{fill:#1e1d1b}"
    ".calotype-chart .ink{fill:#e9e5df}.calotype-chart .quiet{fill:#a29c94}"
    ".calotype-chart .grid{stroke:#34322f}.calotype-chart "
    ".base{stroke:#66615a}}"
    "</style>\n";

std::string text_svg(const char* look, double x, double y, const char* anchor,
                     const std::string& text) {
  return fmt::format(
      "<text {} x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", look,
      x, y, anchor, escape_markup(text));
}

std::string line_svg(const char* look, double x1, double y1, double x2,
                     double y2) {
  return fmt::format(
      "<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" "
      "y2=\"{:.1f}\"/>\n",
      look, x1, y1, x2, y2);
}

struct Legend {
  std::string svg;
  double bottom;  // the y that is free below it
};

// Rows of names beside a piece of their line. One line alone needs none.
Legend legend_svg(const LineChart& chart, double top) {
  if (chart.series.size() < 2) return {"", top};
  std::string svg;
  double x = kLeft, y = top + kLegendRow / 2;
  for (size_t i = 0; i < chart.series.size(); ++i) {
    const auto& name = chart.series[i].name;
    const double entry = kLegendSwatch +
                         kLetterWidth * static_cast<double>(name.size()) +
                         kLegendGap;
    if (x > kLeft && x + entry > chart.width - kRight) {
      x = kLeft;
      y += kLegendRow;
    }
    svg += fmt::format(
        "<line x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\" "
        "stroke-width=\"2.5\" stroke-linecap=\"round\" {}/>\n"
        "<text class=\"ink\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n",
        x, x + 18, y, y, stroke_of(chart, i), x + kLegendSwatch, y + 4,
        escape_markup(name));
    x += entry;
  }
  return {svg, y + kLegendRow / 2};
}

constexpr char kTitle[] = "class=\"ink\" font-size=\"15\" font-weight=\"600\"";
constexpr char kLabel[] = "class=\"quiet\" font-size=\"11\"";
constexpr char kTickText[] = "class=\"quiet\"";

// Where lines are drawn, in pixels.
struct Frame {
  double left, top, right, bottom;
};

// Grid, ticks and lines. The ranges are not empty.
std::string plot_svg(const LineChart& chart, const Frame& frame, Range x_range,
                     Range y_range) {
  const bool has_air = chart.plane || chart.log_x;
  if (x_range.constant() || has_air)
    x_range.widen(chart.log_x, has_air ? 0.04 : 0);
  y_range.widen(chart.log_y, 0.04);
  const Axis across(x_range.low, x_range.high, frame.left, frame.right,
                    chart.log_x);
  const Axis up(y_range.low, y_range.high, frame.bottom, frame.top,
                chart.log_y);

  std::string svg;
  for (const auto& tick : chart.log_y
                              ? log_ticks(y_range.low, y_range.high)
                              : linear_ticks(y_range.low, y_range.high, 5)) {
    const double y = up(tick.value);
    svg += line_svg("grid", frame.left, y, frame.right, y);
    svg += text_svg(kTickText, frame.left - 9, y + 4, "end", tick.text);
  }
  svg += line_svg("base", frame.left, frame.bottom, frame.right, frame.bottom);
  for (const auto& tick : chart.log_x
                              ? log_ticks(x_range.low, x_range.high)
                              : linear_ticks(x_range.low, x_range.high, 7)) {
    const double x = across(tick.value);
    if (chart.plane) svg += line_svg("grid", x, frame.top, x, frame.bottom);
    svg += line_svg("base", x, frame.bottom, x, frame.bottom + 4);
    svg += text_svg(kTickText, x, frame.bottom + 18, "middle", tick.text);
  }
  svg +=
      "<g fill=\"none\" stroke-width=\"1.6\" stroke-linejoin=\"round\" "
      "stroke-linecap=\"round\">\n";
  for (size_t i = 0; i < chart.series.size(); ++i)
    svg += series_svg(chart, i, across, up);
  return svg + "</g>\n";
}

}  // namespace

std::string line_chart_svg(const LineChart& chart) {
  Range x_range, y_range;
  for (const auto& series : chart.series) {
    if (series.x.size() != series.y.size())
      throw ShapeError(
          fmt::format("line chart: {} must have as many x as y, got {} "
                      "and {}",
                      series.name, series.x.size(), series.y.size()));
    for (size_t i = 0; i < series.x.size(); ++i)
      if (drawable(chart, series.x[i], series.y[i])) {
        x_range.cover(series.x[i]);
        y_range.cover(series.y[i]);
      }
  }
  if (chart.unit_x)
    for (const double end : {0.0, 1.0}) x_range.cover(end);

  std::string svg = fmt::format(
      "<svg class=\"calotype-chart\" xmlns=\"http://www.w3.org/2000/svg\" "
      "viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" role=\"img\" "
      "aria-label=\"{2}\" font-family=\"system-ui, -apple-system, 'Segoe UI', "
      "Roboto, 'DejaVu Sans', sans-serif\" font-size=\"12\">\n{3}"
      "<rect class=\"paper\" width=\"{0}\" height=\"{1}\" rx=\"6\"/>\n",
      chart.width, chart.height, escape_markup(chart.title), kChartStyle);

  double top = 14;
  if (!chart.title.empty()) {
    svg += text_svg(kTitle, kLeft, top + 16, "start", chart.title);
    top += 26;
  }
  const auto legend = legend_svg(chart, top);
  svg += legend.svg;
  top = legend.bottom;
  if (!chart.y_label.empty()) {
    svg += text_svg(kLabel, kLeft, top + 18, "start", chart.y_label);
    top += 18;
  }
  const Frame frame{kLeft, top + 12, chart.width - kRight,
                    chart.height - kBottom};
  svg += text_svg(kLabel, frame.right, chart.height - 10, "end", chart.x_label);
  svg += y_range.empty()
             ? text_svg(kTickText, chart.width / 2.0,
                        (frame.top + frame.bottom) / 2, "middle", "no data")
             : plot_svg(chart, frame, x_range, y_range);
  return svg + "</svg>\n";
}

}  // namespace calotype
