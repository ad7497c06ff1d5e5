#include "tools/skipped.h"

namespace calotype {

void report_skipped(Json& result, const std::vector<SkippedImage>& skipped) {
  Json list = Json::array();
  for (const auto& image : skipped) {
    fmt::print(stderr, "skipped {}: {}\n", image.name, image.reason);
    list.push_back({{"name", image.name}, {"reason", image.reason}});
  }
  result["num_skipped"] = list.size();
  if (!list.empty()) result["skipped"] = list;
}

}  // namespace calotype
