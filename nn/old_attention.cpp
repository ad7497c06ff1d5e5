#include "nn/old_attention.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

namespace calotype {
namespace {

struct Renaming {
  std::string_view now, then;
};

constexpr std::array<Renaming, 4> kRenamings{{{".to_q.", ".query."},
                                              {".to_k.", ".key."},
                                              {".to_v.", ".value."},
                                              {".to_out.0.", ".proj_attn."}}};

/// [C,C,1,1], or [C,C,1], as [C,C]; others as they are.
at::Tensor as_matrix(const at::Tensor& weight) {
  const auto sizes = weight.sizes();
  const bool is_convolution =
      weight.dim() > 2 && std::all_of(sizes.begin() + 2, sizes.end(),
                                      [](int64_t size) { return size == 1; });
  return is_convolution ? weight.view({sizes[0], sizes[1]}) : weight;
}

}  // namespace

int modernise_attention(const torch::nn::Module& module, TensorFile& file) {
  int num_changed = 0;
  for (const auto& item : module.named_parameters())
    for (const auto& [now, then] : kRenamings) {
      // With a dot ahead, as the module may be the attention itself.
      auto old_name = "." + item.key();
      const auto at = old_name.rfind(now);
      if (at == std::string::npos) continue;
      old_name.replace(at, now.size(), then).erase(0, 1);
      auto found = file.tensors.extract(
          file.tensors.contains(item.key()) ? item.key() : old_name);
      if (found.empty()) continue;
      const bool is_old =
          found.key() == old_name || found.mapped().dim() != item.value().dim();
      found.key() = item.key();
      if (item.value().dim() == 2) found.mapped() = as_matrix(found.mapped());
      file.tensors.insert(std::move(found));
      num_changed += is_old;
    }
  return num_changed;
}

}  // namespace calotype
