#include "datasets/synthetic.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "core/check.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/random.h"

namespace calotype {
namespace {

constexpr double kPi = std::numbers::pi;
constexpr std::array kShapes = {"circle", "square", "triangle",
                                "cross",  "ring",   "star"};

struct Point {
  double x = 0, y = 0;
};

using Color = std::array<double, 3>;  // red, green, blue in [0,1]

/// `hue` in turns; the usual hexagon of HSV.
Color color_of(double hue, double saturation, double value) {
  Color color;
  for (int c = 0; c < 3; ++c) {
    const double sector = std::fmod(hue * 6 + std::array{5, 3, 1}[c], 6.0);
    const double dip = std::clamp(std::min(sector, 4 - sector), 0.0, 1.0);
    color[c] = value * (1 - saturation * dip);
  }
  return color;
}

std::vector<Point> polygon(int num_corners, double first_radius,
                           double second_radius) {
  std::vector<Point> corners;
  for (int i = 0; i < num_corners; ++i) {
    const double angle = 2 * kPi * i / num_corners;
    const double radius = i % 2 == 0 ? first_radius : second_radius;
    corners.push_back({radius * std::sin(angle), -radius * std::cos(angle)});
  }
  return corners;
}

/// The outline of shape `kind` with radius about 1, or nothing for round ones.
std::vector<Point> outline(int64_t kind) {
  constexpr double arm = 0.32;
  switch (kind) {
    case 1:
      return {{-0.8, -0.8}, {0.8, -0.8}, {0.8, 0.8}, {-0.8, 0.8}};
    case 2:
      return polygon(3, 1.1, 1.1);
    case 3:
      return {{-arm, -1},  {arm, -1},  {arm, -arm}, {1, -arm},
              {1, arm},    {arm, arm}, {arm, 1},    {-arm, 1},
              {-arm, arm}, {-1, arm},  {-1, -arm},  {-arm, -arm}};
    case 5:
      return polygon(10, 1.15, 0.5);
    default:
      return {};
  }
}

/// Distance of `p` from the outline, negative inside: the nearest point of each
/// edge gives the distance, the parity of edges to the right the sign.
double distance_to(const std::vector<Point>& corners, Point p) {
  double nearest = INFINITY;
  bool inside = false;
  for (size_t i = 0; i < corners.size(); ++i) {
    const Point a = corners[i], b = corners[(i + 1) % corners.size()];
    const double dx = b.x - a.x, dy = b.y - a.y;
    const double along =
        ((p.x - a.x) * dx + (p.y - a.y) * dy) / (dx * dx + dy * dy);
    const double t = std::clamp(along, 0.0, 1.0);
    nearest =
        std::min(nearest, std::hypot(p.x - a.x - t * dx, p.y - a.y - t * dy));
    const bool crosses = (a.y > p.y) != (b.y > p.y);
    if (crosses && p.x < a.x + (p.y - a.y) / dy * dx) inside = !inside;
  }
  return inside ? -nearest : nearest;
}

/// What one image shows; lengths in edges of the image.
struct Scene {
  int64_t kind = 0;
  double radius = 0, angle = 0;
  Point center;
  Color shape, top, bottom;  // the background runs from top to bottom
  std::vector<Point> corners;

  /// Signed distance of a point from the shape.
  double distance(Point p) const {
    const double x = (p.x - center.x) / radius, y = (p.y - center.y) / radius;
    const double c = std::cos(angle), s = std::sin(angle);
    const double from_center = std::hypot(x, y);
    if (kind == 0) return radius * (from_center - 1);
    if (kind == 4) return radius * (std::abs(from_center - 0.72) - 0.28);
    return radius * distance_to(corners, {c * x + s * y, c * y - s * x});
  }
};

Scene make_scene(uint64_t seed, int64_t index) {
  // Each decision has a number of its own, so that none depends on another's
  // turn.
  const auto chance = [&](uint32_t decision, double low, double high) {
    const Draw draw{seed, Stream::kSynthetic, uint64_t(index), decision};
    return low + (high - low) * uniform(draw);
  };
  Scene scene;
  scene.kind = index % int64_t(kShapes.size());
  scene.corners = outline(scene.kind);
  scene.radius = chance(0, 0.22, 0.34);
  scene.center = {chance(1, scene.radius, 1 - scene.radius),
                  chance(2, scene.radius, 1 - scene.radius)};
  scene.angle = chance(3, -kPi / 8, kPi / 8);
  const double hue = chance(4, 0, 1);
  scene.shape = color_of(hue, chance(5, 0.6, 0.9), chance(6, 0.75, 0.95));
  // A pale background, far from the shape on the colour wheel.
  const double ground = hue + chance(7, 0.35, 0.65);
  scene.top = color_of(ground, chance(8, 0.1, 0.3), chance(9, 0.9, 1));
  scene.bottom =
      color_of(ground + 0.05, chance(10, 0.2, 0.4), chance(11, 0.65, 0.85));
  return scene;
}

Image draw_scene(const Scene& scene, int64_t size, int64_t channels) {
  Image image{size, size, channels, {}};
  image.pixels.reserve(size_t(size * size * channels));
  for (int64_t y = 0; y < size; ++y)
    for (int64_t x = 0; x < size; ++x) {
      const Point p = {(double(x) + 0.5) / double(size),
                       (double(y) + 0.5) / double(size)};
      // Half a pixel on either side of the edge is blended: antialiasing.
      const double cover =
          std::clamp(0.5 - scene.distance(p) * double(size), 0.0, 1.0);
      Color color;
      for (int c = 0; c < 3; ++c) {
        const double ground =
            scene.top[c] + (scene.bottom[c] - scene.top[c]) * p.y;
        color[c] = 255 * (ground + (scene.shape[c] - ground) * cover);
      }
      if (channels == 1)
        color[0] = 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2];
      for (int64_t c = 0; c < channels; ++c)
        image.pixels.push_back(uint8_t(std::lround(color[size_t(c)])));
    }
  return image;
}

class Synthetic : public ImageSource {
 public:
  Synthetic(const SyntheticConfig& config, std::string spec)
      : config_(config), spec_(std::move(spec)) {}

  int64_t size() const override { return config_.count; }
  SourceImage load(int64_t index) const override {
    auto image = draw_scene(make_scene(config_.seed, index), config_.size,
                            config_.channels);
    const auto hash = xxh64(image.pixels);
    return {std::move(image), hash};
  }
  std::string name(int64_t index) const override {
    return fmt::format("{:05}", index);
  }
  int64_t label(int64_t index) const override {
    return index % int64_t(kShapes.size());
  }
  std::vector<std::string> class_names() const override {
    return {kShapes.begin(), kShapes.end()};
  }
  std::string spec() const override { return spec_; }
  std::string fingerprint() const override {
    return hex64(
        xxh64(fmt::format("synthetic {} {} {} {}", config_.count, config_.size,
                          config_.channels, config_.seed)));
  }

 private:
  SyntheticConfig config_;
  std::string spec_;
};

}  // namespace

std::unique_ptr<ImageSource> make_synthetic(const SyntheticConfig& config,
                                            const std::string& spec) {
  check_range("synthetic", "count", double(config.count), 1, 1e9);
  check_range("synthetic", "size", double(config.size), 4, 4096);
  if (config.channels != 1 && config.channels != 3)
    throw ConfigError(fmt::format("synthetic: channels must be 1 or 3, got {}",
                                  config.channels));
  return std::make_unique<Synthetic>(config, spec);
}

}  // namespace calotype
