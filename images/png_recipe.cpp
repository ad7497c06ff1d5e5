#include "images/png_recipe.h"

#include <algorithm>
#include <fstream>
#include <functional>
#include <string_view>

#include "core/runtime.h"
#include "images/png_chunks.h"

namespace calotype {
namespace {

constexpr const char* kKey = "calotype";
constexpr const char* kPicture = "picture";   // in a recipe: what it shows
constexpr uint32_t kLongestRecipe = 1 << 20;  // bytes

/// The text of an uncompressed iTXt chunk of our key: key, two flags, language
/// and translated key, each text ended by a zero byte.
std::optional<std::string> recipe_of_chunk(std::string_view data) {
  const std::string head = std::string(kKey) + std::string(5, '\0');
  if (!data.starts_with(head)) return {};
  return std::string(data.substr(head.size()));
}

/// Up to `size` bytes at `at` of a file.
using ReadAt = std::function<std::string(uint64_t at, size_t size)>;

/// The text ahead of the pixels.
std::optional<std::string> find_text(const ReadAt& read_at) {
  const std::string_view signature(reinterpret_cast<const char*>(kPngSignature),
                                   sizeof kPngSignature);
  uint64_t at = signature.size();
  if (read_at(0, at) != signature) return {};
  for (;;) {
    const auto head = read_at(at, 8);  // size and type of a chunk
    if (head.size() < 8) return {};
    const auto size =
        read_big_endian_32(reinterpret_cast<const uint8_t*>(head.data()));
    const auto type = std::string_view(head).substr(4);
    if (type == "IDAT" || type == "IEND") return {};
    if (type == "iTXt" && size <= kLongestRecipe) {
      const auto data = read_at(at + 8, size);
      if (data.size() < size) return {};
      if (auto text = recipe_of_chunk(data)) return text;
    }
    at += uint64_t{8} + size + 4;  // the checksum
  }
}

std::optional<Json> recipe_in(const ReadAt& read_at) {
  const auto text = find_text(read_at);
  if (!text) return {};
  auto recipe = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!recipe.is_object()) return {};
  return recipe;
}

}  // namespace

PngText recipe_text(const Json& recipe) {
  return {{"Software", version_text()},
          {kKey, recipe.dump(-1, ' ', false, Json::error_handler_t::replace)}};
}

PngText by_product_text(const std::string& what, Json recipe) {
  recipe[kPicture] = what;
  return recipe_text(recipe);
}

std::optional<Json> read_recipe(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return recipe_in([&](uint64_t at, size_t size) {
    std::string bytes(size, '\0');
    file.seekg(std::streamoff(at));
    file.read(bytes.data(), std::streamsize(size));
    bytes.resize(size_t(std::max<std::streamsize>(0, file.gcount())));
    return bytes;
  });
}

std::optional<Json> read_recipe(std::span<const uint8_t> png) {
  return recipe_in([&](uint64_t at, size_t size) {
    const auto rest = png.subspan(std::min<uint64_t>(at, png.size()));
    const auto bytes = rest.first(std::min(size, rest.size()));
    return std::string(bytes.begin(), bytes.end());
  });
}

bool is_by_product(const Json& recipe) {
  // Overviews of versions before this said which samples they show.
  return recipe.contains(kPicture) || recipe.contains("samples");
}

}  // namespace calotype
