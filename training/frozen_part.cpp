#include "training/frozen_part.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <functional>
#include <set>

#include "core/config.h"
#include "core/error.h"
#include "datasets/spec_pattern.h"

namespace calotype {
namespace {

/// Of parameters, then of buffers.
std::vector<std::string> names_of(const torch::nn::Module& module) {
  auto names = module.named_parameters().keys();
  const auto buffers = module.named_buffers().keys();
  names.insert(names.end(), buffers.begin(), buffers.end());
  return names;
}

/// "a.*" and "a.b.*" of "a.b.c", which somebody may have meant.
std::vector<std::string> patterns_like(const std::vector<std::string>& names,
                                       bool all) {
  std::set<std::string> patterns;
  for (const auto& name : names) {
    auto dot = name.find('.');
    if (dot == std::string::npos || all) patterns.insert(name);
    for (; dot != std::string::npos; dot = name.find('.', dot + 1)) {
      patterns.insert(name.substr(0, dot) + ".*");
      if (!all) break;
    }
  }
  return {patterns.begin(), patterns.end()};
}

[[noreturn]] void refuse_pattern(const char* key, const std::string& pattern,
                                 const std::vector<std::string>& names) {
  auto advice = key_advice(pattern, patterns_like(names, /*all=*/true));
  if (advice.starts_with("known"))
    advice = fmt::format("there are {}",
                         fmt::join(patterns_like(names, /*all=*/false), ", "));
  throw ConfigError(
      fmt::format("config: training.{}: no parameter of the model matches "
                  "{}; {}",
                  key, json_text(pattern), advice));
}

/// Those of `names` that a pattern of training.`key` matches.
std::set<std::string> matches(const char* key,
                              const std::vector<std::string>& patterns,
                              const std::vector<std::string>& names) {
  std::set<std::string> found;
  for (const auto& pattern : patterns) {
    bool is_used = false;
    for (const auto& one : expand_braces(pattern))
      for (const auto& name : names)
        if (fnmatch(one.c_str(), name.c_str(), 0) == 0) {
          found.insert(name);
          is_used = true;
        }
    if (!is_used) refuse_pattern(key, pattern, names);
  }
  return found;
}

/// The largest modules that have tensors, all of them `frozen`.
void collect_frozen(const std::shared_ptr<torch::nn::Module>& module,
                    const std::string& prefix,
                    const std::set<std::string>& frozen,
                    std::vector<std::shared_ptr<torch::nn::Module>>& found) {
  const auto names = names_of(*module);
  const auto is_frozen = [&](const std::string& name) {
    return frozen.contains(prefix + name);
  };
  if (!names.empty() && std::ranges::all_of(names, is_frozen)) {
    found.push_back(module);
    return;
  }
  for (const auto& child : module->named_children())
    collect_frozen(child.value(), prefix + child.key() + ".", frozen, found);
}

}  // namespace

std::vector<std::string> frozen_names(const torch::nn::Module& module,
                                      const FrozenPatterns& patterns) {
  if (patterns.train.empty() && patterns.freeze.empty()) return {};
  const auto names = names_of(module);
  const auto trained = matches("train", patterns.train, names);
  const auto held = matches("freeze", patterns.freeze, names);
  std::vector<std::string> frozen;
  for (const auto& name : names)
    if ((!patterns.train.empty() && !trained.contains(name)) ||
        held.contains(name))
      frozen.push_back(name);
  const auto parameters = module.named_parameters();
  const auto is_frozen = [&](const auto& item) {
    return !item.value().requires_grad() ||
           std::ranges::find(frozen, item.key()) != frozen.end();
  };
  if (std::ranges::all_of(parameters, is_frozen))
    throw ConfigError(
        "config: training.train and training.freeze leave no parameter to be "
        "trained");
  return frozen;
}

FrozenPart::FrozenPart(torch::nn::Module& module,
                       const FrozenPatterns& patterns) {
  const auto names = frozen_names(module, patterns);
  const std::set<std::string> frozen(names.begin(), names.end());
  for (auto& item : module.named_parameters()) {
    if (frozen.contains(item.key())) item.value().set_requires_grad(false);
    if (!item.value().requires_grad()) parameters_[item.key()] = item.value();
  }
  for (const auto& child : module.named_children())
    collect_frozen(child.value(), child.key() + ".", frozen, modules_);
}

void FrozenPart::stay_as_they_are() {
  for (const auto& module : modules_) module->eval();
}

}  // namespace calotype
