#pragma once

namespace calotype {

/// The one place that names the version; CMakeLists.txt reads it from here.
inline constexpr char kVersion[] = "0.1.0";

}  // namespace calotype
