#include "metrics/builtin_classifier.h"

#include <span>

#include "core/error.h"
#include "core/hash.h"
#include "nn/model_folder.h"
#include "nn/safetensors.h"

// The bytes of the file between two symbols of ours.
__asm__(
    ".section .rodata\n"
    ".balign 16\n"
    "calotype_builtin_weights:\n"
    ".incbin \"" CALOTYPE_BUILTIN_WEIGHTS
    "\"\n"
    "calotype_builtin_weights_end:\n"
    ".text\n");

extern "C" {
__attribute__((
    visibility("hidden"))) extern const uint8_t calotype_builtin_weights[];
__attribute__((
    visibility("hidden"))) extern const uint8_t calotype_builtin_weights_end[];
}

namespace calotype {

CalotypeClassifier builtin_classifier() {
  const std::span<const uint8_t> bytes(calotype_builtin_weights,
                                       calotype_builtin_weights_end);
  if (const auto sha256 = sha256_hex(bytes); sha256 != kBuiltinClassifierSha256)
    throw DataError(
        fmt::format("the built-in classifier: its weights have the SHA-256 {}, "
                    "expected {}",
                    sha256, kBuiltinClassifierSha256));
  CalotypeClassifier classifier(CalotypeClassifierConfig{});
  load_weights(*classifier, parse_safetensors(bytes, "built-in classifier"),
               "built-in classifier");
  classifier->eval();
  return classifier;
}

const std::vector<std::string>& builtin_class_names() {
  static const std::vector<std::string> names{
      "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
      "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};
  return names;
}

}  // namespace calotype
