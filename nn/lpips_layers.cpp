#include "nn/lpips_layers.h"

namespace calotype {
namespace {

SliceLayer conv_layer(const char* name, int64_t in, int64_t out) {
  return {.kind = SliceLayer::kConv, .name = name, .in = in, .out = out};
}

SliceLayer fire(const char* name, int64_t squeeze, int64_t expand) {
  return {
      .kind = SliceLayer::kFire, .name = name, .in = squeeze, .out = expand};
}

SliceLayer pool_layer(int64_t kernel, bool round_up = false) {
  return {.kind = SliceLayer::kMaxPool,
          .kernel = kernel,
          .stride = 2,
          .round_up = round_up};
}

}  // namespace

Slices slices_of(const std::string& network) {
  if (network == "alex")
    return {{{.kind = SliceLayer::kConv,
              .name = "slice1.0",
              .in = 3,
              .out = 64,
              .kernel = 11,
              .stride = 4,
              .padding = 2}},
            {pool_layer(3),
             {.kind = SliceLayer::kConv,
              .name = "slice2.3",
              .in = 64,
              .out = 192,
              .kernel = 5,
              .padding = 2}},
            {pool_layer(3), conv_layer("slice3.6", 192, 384)},
            {conv_layer("slice4.8", 384, 256)},
            {conv_layer("slice5.10", 256, 256)}};
  if (network == "squeeze")
    return {{{.kind = SliceLayer::kConv,
              .name = "slice1.0",
              .in = 3,
              .out = 64,
              .stride = 2,
              .padding = 0}},
            {pool_layer(3, true), fire("slice2.3", 16, 64),
             fire("slice2.4", 16, 64)},
            {pool_layer(3, true), fire("slice3.6", 32, 128),
             fire("slice3.7", 32, 128)},
            {pool_layer(3, true), fire("slice4.9", 48, 192)},
            {fire("slice5.10", 48, 192)},
            {fire("slice6.11", 64, 256)},
            {fire("slice7.12", 64, 256)}};
  return {
      {conv_layer("slice1.0", 3, 64), conv_layer("slice1.2", 64, 64)},
      {pool_layer(2), conv_layer("slice2.5", 64, 128),
       conv_layer("slice2.7", 128, 128)},
      {pool_layer(2), conv_layer("slice3.10", 128, 256),
       conv_layer("slice3.12", 256, 256), conv_layer("slice3.14", 256, 256)},
      {pool_layer(2), conv_layer("slice4.17", 256, 512),
       conv_layer("slice4.19", 512, 512), conv_layer("slice4.21", 512, 512)},
      {pool_layer(2), conv_layer("slice5.24", 512, 512),
       conv_layer("slice5.26", 512, 512), conv_layer("slice5.28", 512, 512)}};
}

}  // namespace calotype
