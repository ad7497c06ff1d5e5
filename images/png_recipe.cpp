#include "images/png_recipe.h"

#include <algorithm>
#include <fstream>
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

bool has_signature(std::istream& file) {
  char bytes[sizeof kPngSignature];
  return file.read(bytes, sizeof bytes) &&
         std::equal(std::begin(kPngSignature), std::end(kPngSignature), bytes,
                    [](uint8_t a, char b) { return a == uint8_t(b); });
}

/// The text ahead of the pixels.
std::optional<std::string> find_text(std::istream& file) {
  if (!has_signature(file)) return {};
  uint8_t head[8];  // size and type of a chunk
  while (file.read(reinterpret_cast<char*>(head), sizeof head)) {
    const auto size = read_big_endian_32(head);
    const std::string_view type(reinterpret_cast<const char*>(head + 4), 4);
    if (type == "IDAT" || type == "IEND") return {};
    if (type == "iTXt" && size <= kLongestRecipe) {
      std::string data(size, '\0');
      if (!file.read(data.data(), std::streamsize(size))) return {};
      if (auto text = recipe_of_chunk(data)) return text;
      file.ignore(4);  // the checksum
    } else {
      file.seekg(std::streamoff(size) + 4, std::ios::cur);
    }
  }
  return {};
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
  const auto text = find_text(file);
  if (!text) return {};
  auto recipe = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!recipe.is_object()) return {};
  return recipe;
}

bool is_by_product(const Json& recipe) {
  // Overviews of versions before this said which samples they show.
  return recipe.contains(kPicture) || recipe.contains("samples");
}

}  // namespace calotype
