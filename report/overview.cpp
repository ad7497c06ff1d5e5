#include "report/overview.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base64.h"
#include "core/markup.h"
#include "images/image_io.h"

namespace calotype {
namespace {

constexpr int64_t kZoom = 2;
constexpr int64_t kGap = 24;      // pixels between panels
constexpr int64_t kCaption = 28;  // height of a label

}  // namespace

std::string overview_svg(const std::vector<ReportImage>& panels) {
  std::string body;
  int64_t x = 0, height = 0;
  for (const auto& panel : panels) {
    const auto image = decode_image(panel.png, panel.label);
    const auto w = image.width * kZoom, h = image.height * kZoom;
    body += fmt::format(
        "<image x=\"{}\" width=\"{}\" height=\"{}\" "
        "style=\"image-rendering:pixelated\" "
        "href=\"data:image/png;base64,{}\"/>\n"
        "<text x=\"{}\" y=\"{}\" font-family=\"sans-serif\" font-size=\"14\" "
        "fill=\"#777\">{}</text>\n",
        x, w, h, base64(panel.png), x, h + 20, escape_markup(panel.label));
    x += w + kGap;
    height = std::max(height, h + kCaption);
  }
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" "
      "width=\"{}\" height=\"{}\">\n{}</svg>\n",
      x - kGap, height, x - kGap, height, body);
}

}  // namespace calotype
