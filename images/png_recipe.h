#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "core/config.h"
#include "images/image_io.h"

// What the program's own pictures say of themselves, by which it knows them
// again: a PNG's text "calotype", JSON.
namespace calotype {

/// The text of a picture that carries `recipe`.
PngText recipe_text(const Json& recipe);

/// The same of a picture that is no image of a set: an overview, a strip, a
/// report's picture (`what`). Sets leave such out.
PngText by_product_text(const std::string& what, Json recipe = Json::object());

/// The recipe of a picture that the program wrote; nothing of any other file.
/// Reads what stands ahead of the pixels. Never throws.
std::optional<Json> read_recipe(const std::filesystem::path& path);
std::optional<Json> read_recipe(std::span<const uint8_t> png);

/// Whether a picture of this recipe is no image of a set.
bool is_by_product(const Json& recipe);

}  // namespace calotype
