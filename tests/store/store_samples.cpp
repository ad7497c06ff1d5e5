#include "tests/store/store_samples.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <set>

#include "core/files.h"
#include "core/random.h"

namespace calotype {

StoreInfo sample_info(const std::string& dtype, const std::string& kind) {
  StoreInfo info;
  info.dtype = dtype;
  info.kind = kind;
  info.codec = CodecRecord(Json{
      {"class", "AutoencoderKL"}, {"sha256", "c0dec"}, {"path", "models/a"}});
  info.source = {{"spec", "images"}, {"fingerprint", "f00d"}, {"count", 30}};
  info.preprocessing = {{"size", 8}, {"resize", "area"}};
  info.class_names = {"boot", "shirt"};
  return info;
}

StoreRows sample_rows(int64_t first, int64_t count, int64_t height,
                      const std::string& kind) {
  const auto indices = at::arange(first, first + count, at::kLong);
  const std::vector<int64_t> shape = {2, height, 3};
  StoreRows rows;
  rows.grid.mean = normal_rows(shape, indices, 1, Stream::kSynthetic);
  if (kind == "moments")
    rows.grid.logvar = normal_rows(shape, indices, 2, Stream::kSynthetic) - 2;
  rows.labels = indices.remainder(3) - 1;
  rows.indices = indices;
  for (auto index = first; index < first + count; ++index) {
    rows.names.push_back(
        fmt::format("boot/{}{}.png", index, index % 2 ? "" : "é"));
    rows.sizes.push_back({int32_t(100 + index), int32_t(200 + index)});
    rows.hashes.push_back(0xffff'ffff'0000'0000u + uint64_t(index));
  }
  return rows;
}

void append_missing(StoreWriter& writer, int64_t count, int64_t batch,
                    bool mixed) {
  const auto stored = writer.stored(count);
  std::map<int64_t, std::vector<StoreRows>> waiting;  // by height
  const auto flush = [&](std::vector<StoreRows>& rows) {
    for (const auto& row : rows) writer.append(row);
    rows.clear();
  };
  for (int64_t index = 0; index < count; ++index) {
    if (stored[size_t(index)]) continue;
    const int64_t height = mixed && index % 5 % 3 == 0 ? 4 : 2;
    auto& rows = waiting[height];
    rows.push_back(sample_rows(index, 1, height));
    if (int64_t(rows.size()) == batch) flush(rows);
  }
  for (auto& [height, rows] : waiting) flush(rows);
}

std::map<std::string, std::string> folder_content(
    const std::filesystem::path& folder) {
  std::map<std::string, std::string> content;
  for (const auto& file : std::filesystem::directory_iterator(folder))
    content[file.path().filename().string()] = read_text_file(file.path());
  return content;
}

}  // namespace calotype
