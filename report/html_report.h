#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace calotype {

/// A number that the reader should see first.
struct KeyNumber {
  std::string value;  // "18.4"
  std::string unit;   // "dB", may be empty
  std::string label;  // "PSNR of the reconstructions"
};

struct ReportImage {
  std::vector<uint8_t> png;
  std::string label;  // a word or two beside the image, may be empty
};

/// Cells by row; a column whose cells are all numbers is set flush right.
struct ReportTable {
  std::vector<std::string> headings;
  std::vector<std::vector<std::string>> rows;  // as long as headings
};

/// Builds one HTML page that needs nothing else: images and style are inside of
/// it, there are no scripts, and it follows the reader's preference for light
/// or dark. Blocks appear in the order of the calls. All texts are escaped.
class HtmlReport {
 public:
  /// `summary`: one or two sentences under the title.
  HtmlReport(std::string title, const std::string& summary);

  void key_numbers(const std::vector<KeyNumber>& numbers);

  /// Opens a section that lasts until the next.
  void section(const std::string& heading);
  void paragraph(const std::string& text);

  /// Throws ShapeError for a row that is not as long as the headings.
  void table(const ReportTable& table);

  /// Images side by side, their labels above them. Each pixel is drawn `zoom`
  /// times, smaller where the window is narrow. Throws ShapeError for bytes
  /// that are not a PNG.
  void figure(const std::vector<ReportImage>& panels,
              const std::string& caption, int zoom = 1);

  /// Images below each other, their labels at the left: one row per class.
  void labelled_rows(const std::vector<ReportImage>& rows,
                     const std::string& caption, int zoom = 1);

  /// `svg`: markup that is taken as it is.
  void figure_svg(const std::string& svg, const std::string& caption);

  /// Text of fixed width, folded away under `summary`.
  void details(const std::string& summary, const std::string& text);

  /// A line at the end of the page.
  void footer(const std::string& text) { footer_ = text; }

  /// The page.
  std::string html() const;

 private:
  std::string title_;
  std::string body_;
  std::string footer_;
};

}  // namespace calotype
