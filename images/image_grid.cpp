#include <ATen/core/Tensor.h>

#include <algorithm>

#include "core/check.h"
#include "images/image_io.h"

namespace calotype {
namespace {

/// Draws `tile` into `canvas` with its corner at (top, left), each pixel `zoom`
/// times.
void draw_tile(const Image& tile, int64_t top, int64_t left, int64_t zoom,
               Image& canvas) {
  for (int64_t y = 0; y < tile.height * zoom; ++y)
    for (int64_t x = 0; x < tile.width * zoom; ++x) {
      const auto* from = tile.pixels.data() +
                         (y / zoom * tile.width + x / zoom) * tile.channels;
      std::copy_n(from, tile.channels,
                  canvas.pixels.data() +
                      ((top + y) * canvas.width + left + x) * canvas.channels);
    }
}

}  // namespace

Image image_grid(const at::Tensor& images, int64_t columns, int64_t zoom,
                 int64_t gap) {
  check_shape("image_grid", "images", images, {-1, -1, -1, -1});
  check_range("image_grid", "images", double(images.size(0)), 1, 1e6);
  check_range("image_grid", "columns", double(columns), 1, 1e6);
  check_range("image_grid", "zoom", double(zoom), 1, 64);
  check_range("image_grid", "gap", double(gap), 0, 1024);
  const int64_t count = images.size(0);
  columns = std::min(columns, count);
  const int64_t rows = (count + columns - 1) / columns;
  const int64_t tile_height = images.size(2) * zoom,
                tile_width = images.size(3) * zoom;
  Image canvas{rows * (tile_height + gap) - gap,
               columns * (tile_width + gap) - gap,
               images.size(1),
               {}};
  canvas.pixels.assign(size_t(canvas.height * canvas.width * canvas.channels),
                       255);
  for (int64_t i = 0; i < count; ++i)
    draw_tile(to_image(images[i]), i / columns * (tile_height + gap),
              i % columns * (tile_width + gap), zoom, canvas);
  return canvas;
}

}  // namespace calotype
