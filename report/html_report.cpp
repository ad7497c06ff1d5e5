#include "report/html_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "core/base64.h"
#include "core/error.h"
#include "core/markup.h"

namespace calotype {
namespace {

// Paper and ink, and the blue of a cyanotype as the only colour.
constexpr char kPageStyle[] = R"css(
:root {
  color-scheme: light dark;
  --paper: #fbfaf7; --sheet: #ffffff; --ink: #24231f; --quiet: #6d6962;
  --rule: #e3dfd7; --accent: #1d4f7c;
  --serif: "Iowan Old Style", "Palatino Linotype", Palatino, "Book Antiqua",
    Georgia, "DejaVu Serif", serif;
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
  --mono: ui-monospace, "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #161513; --sheet: #1e1d1b; --ink: #e9e5df; --quiet: #a29c94;
    --rule: #34322f; --accent: #8ebbe4;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 1rem/1.6 var(--sans);
}
main { max-width: 65rem; margin: 0 auto; padding: clamp(2rem, 6vw, 4.5rem) 1.5rem 4rem; }
h1 {
  font: 600 clamp(2rem, 6vw, 3.1rem)/1.1 var(--serif);
  letter-spacing: -0.015em; margin: 0 0 1rem; text-wrap: balance;
}
.lede {
  font: clamp(1.1rem, 2.6vw, 1.3rem)/1.5 var(--serif); color: var(--quiet);
  max-width: 40rem; margin: 0;
}
h2 {
  font: 600 1.6rem/1.25 var(--serif); margin: 0 0 1rem; padding-top: 1.25rem;
  position: relative;
}
h2::before {
  content: ""; position: absolute; top: 0; left: 0; width: 2.5rem; height: 3px;
  background: var(--accent);
}
section { margin-top: clamp(3rem, 7vw, 5rem); }
p { max-width: 40rem; margin: 0 0 1.25rem; }
.numbers {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr));
  gap: 1.75rem 2rem; margin: clamp(2rem, 5vw, 3.25rem) 0 0; padding: 0;
}
.numbers div { border-top: 1px solid var(--rule); padding-top: 0.9rem; }
.numbers dd {
  font: 600 1.9rem/1.1 var(--serif); font-variant-numeric: lining-nums tabular-nums;
  color: var(--accent); margin: 0 0 0.35rem;
}
.numbers dd small { font: 400 0.875rem/1 var(--sans); color: var(--quiet); }
.numbers div { display: flex; flex-direction: column-reverse; justify-content: flex-end; }
.numbers dt { font-size: 0.875rem; line-height: 1.4; color: var(--quiet); }
figure { margin: 2rem 0 2.5rem; }
figcaption { font-size: 0.875rem; line-height: 1.5; color: var(--quiet);
  max-width: 40rem; margin-top: 0.85rem; }
.panels { display: grid; gap: 1.5rem 2rem;
  grid-template-columns: repeat(var(--panels), minmax(0, max-content)); }
.label { display: block; font-size: 0.875rem; color: var(--quiet); }
.panels .label { margin-bottom: 0.5rem; }
img { display: block; max-width: 100%; height: auto; border-radius: 3px; }
img.pixels { image-rendering: pixelated; }
.rows { display: grid; grid-template-columns: max-content minmax(0, 1fr);
  gap: 0.5rem 1.5rem; align-items: center; }
.rows .label { color: var(--ink); }
.scroll { overflow-x: auto; }
.scroll svg { display: block; width: 100%; min-width: 34rem; max-width: 54rem;
  height: auto; }
table { border-collapse: collapse; width: 100%; font-size: 0.9375rem; line-height: 1.45; }
th, td { text-align: left; vertical-align: baseline; padding: 0.6rem 1.5rem 0.6rem 0; }
th:last-child, td:last-child { padding-right: 0; }
th { font-weight: 500; font-size: 0.8125rem; color: var(--quiet);
  border-bottom: 1px solid var(--ink); }
td { border-bottom: 1px solid var(--rule); }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.table { margin: 1.75rem 0 2.25rem; }
details { border-top: 1px solid var(--rule); }
details:last-of-type { border-bottom: 1px solid var(--rule); }
summary { cursor: pointer; padding: 0.8rem 0; font-weight: 500; }
summary:hover, summary:focus-visible { color: var(--accent); }
pre { font: 0.8125rem/1.55 var(--mono); background: var(--sheet); overflow-x: auto;
  border: 1px solid var(--rule); border-radius: 4px; padding: 1rem 1.15rem; margin: 0 0 1.25rem; }
footer { margin-top: clamp(3rem, 7vw, 5rem); color: var(--quiet); font-size: 0.8125rem; }
@media (max-width: 36rem) {
  .panels { grid-template-columns: minmax(0, max-content); }
  .rows { grid-template-columns: minmax(0, 1fr); gap: 0.25rem; }
  .rows img { margin-bottom: 0.85rem; }
  .numbers { grid-template-columns: repeat(2, 1fr); gap: 1.25rem; }
  .numbers dd { font-size: 1.7rem; }
}
)css";

struct PixelSize {
  uint32_t width, height;
};

// From the header, which every PNG begins with (PNG specification,
// section 11.2.2).
PixelSize png_size(const std::vector<uint8_t>& png) {
  constexpr std::array<uint8_t, 8> kSignature = {0x89, 'P', 'N', 'G',
                                                 13,   10,  26,  10};
  if (png.size() < 24 ||
      !std::equal(kSignature.begin(), kSignature.end(), png.begin()))
    throw ShapeError("html report: an image must be a PNG, got other bytes");
  const auto word = [&](size_t at) {
    return uint32_t{png[at]} << 24 | uint32_t{png[at + 1]} << 16 |
           uint32_t{png[at + 2]} << 8 | png[at + 3];
  };
  return {word(16), word(20)};
}

std::string image_html(const ReportImage& image, const std::string& caption,
                       int zoom) {
  const auto size = png_size(image.png);
  return fmt::format(
      "<img{} width=\"{}\" height=\"{}\" alt=\"{}\" "
      "src=\"data:image/png;base64,{}\">",
      zoom > 1 ? " class=\"pixels\"" : "", size.width * zoom,
      size.height * zoom,
      escape_markup(image.label.empty() ? caption : image.label),
      base64(image.png));
}

std::string label_html(const std::string& label) {
  return fmt::format("<span class=\"label\">{}</span>", escape_markup(label));
}

std::string figure_html(const std::string& content,
                        const std::string& caption) {
  return fmt::format("<figure>\n{}{}</figure>\n", content,
                     caption.empty()
                         ? ""
                         : fmt::format("<figcaption>{}</figcaption>\n",
                                       escape_markup(caption)));
}

bool begins_with_number(const std::string& cell) {
  const auto digit = cell.find_first_not_of("+-");
  return digit <= 1 && cell[digit] >= '0' && cell[digit] <= '9';
}

// Whether a column has numbers and nothing else; cells may be empty.
bool is_numeric(const ReportTable& table, size_t column) {
  size_t num_numbers = 0;
  for (const auto& row : table.rows) {
    if (row[column].empty()) continue;
    if (!begins_with_number(row[column])) return false;
    ++num_numbers;
  }
  return num_numbers > 0;
}

}  // namespace

HtmlReport::HtmlReport(std::string title, const std::string& summary)
    : title_(std::move(title)) {
  body_ = fmt::format(
      "<section class=\"opening\">\n<h1>{}</h1>\n<p class=\"lede\">{}</p>\n",
      escape_markup(title_), escape_markup(summary));
}

void HtmlReport::key_numbers(const std::vector<KeyNumber>& numbers) {
  body_ += "<dl class=\"numbers\">\n";
  for (const auto& number : numbers)
    body_ += fmt::format(
        "<div><dt>{}</dt><dd>{}{}</dd></div>\n", escape_markup(number.label),
        escape_markup(number.value),
        number.unit.empty()
            ? ""
            : fmt::format(" <small>{}</small>", escape_markup(number.unit)));
  body_ += "</dl>\n";
}

void HtmlReport::section(const std::string& heading) {
  body_ += fmt::format("</section>\n<section>\n<h2>{}</h2>\n",
                       escape_markup(heading));
}

void HtmlReport::paragraph(const std::string& text) {
  body_ += fmt::format("<p>{}</p>\n", escape_markup(text));
}

void HtmlReport::table(const ReportTable& table) {
  const auto num_columns = table.headings.size();
  for (const auto& row : table.rows)
    if (row.size() != num_columns)
      throw ShapeError(
          fmt::format("html report: a table row must have {} cells, got {}",
                      num_columns, row.size()));
  std::vector<std::string> look(num_columns);
  for (size_t column = 0; column < num_columns; ++column)
    if (is_numeric(table, column)) look[column] = " class=\"number\"";
  const auto row_html = [&](const char* tag,
                            const std::vector<std::string>& cells) {
    std::string html = "<tr>";
    for (size_t column = 0; column < num_columns; ++column)
      html += fmt::format("<{}{}>{}</{}>", tag, look[column],
                          escape_markup(cells[column]), tag);
    return html + "</tr>\n";
  };
  body_ += "<div class=\"scroll table\"><table>\n<thead>" +
           row_html("th", table.headings) + "</thead>\n<tbody>\n";
  for (const auto& row : table.rows) body_ += row_html("td", row);
  body_ += "</tbody>\n</table></div>\n";
}

void HtmlReport::figure(const std::vector<ReportImage>& panels,
                        const std::string& caption, int zoom) {
  auto content = fmt::format("<div class=\"panels\" style=\"--panels:{}\">\n",
                             panels.size());
  for (const auto& panel : panels)
    content += fmt::format("<div>{}{}</div>\n",
                           panel.label.empty() ? "" : label_html(panel.label),
                           image_html(panel, caption, zoom));
  body_ += figure_html(content + "</div>\n", caption);
}

void HtmlReport::labelled_rows(const std::vector<ReportImage>& rows,
                               const std::string& caption, int zoom) {
  std::string content = "<div class=\"rows\">\n";
  for (const auto& row : rows)
    content += label_html(row.label) + image_html(row, caption, zoom) + "\n";
  body_ += figure_html(content + "</div>\n", caption);
}

void HtmlReport::figure_svg(const std::string& svg,
                            const std::string& caption) {
  body_ += figure_html("<div class=\"scroll\">\n" + svg + "</div>\n", caption);
}

void HtmlReport::details(const std::string& summary, const std::string& text) {
  body_ +=
      fmt::format("<details><summary>{}</summary>\n<pre>{}</pre></details>\n",
                  escape_markup(summary), escape_markup(text));
}

std::string HtmlReport::html() const {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, "
      "initial-scale=1\">\n"
      "<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n{}</"
      "section>\n{}"
      "</main>\n</body>\n</html>\n",
      escape_markup(title_), kPageStyle, body_,
      footer_.empty()
          ? ""
          : fmt::format("<footer>{}</footer>\n", escape_markup(footer_)));
}

}  // namespace calotype
