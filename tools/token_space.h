#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/config.h"
#include "datasets/latent_store.h"

namespace calotype {

/// What a token generator must remember of the store that it learnt from, to
/// find the tokenizer and the classes.
struct TokenSpace {
  std::vector<std::string> class_names;
  Json codec = Json::object();  // as codec_record says
};

template <class Visitor>
void visit_fields(TokenSpace& c, Visitor&& visit) {
  visit("class_names", c.class_names);
  visit("codec", c.codec);
}

TokenSpace token_space(const StoreInfo& store);

/// token_space.json in a model folder. Reading throws ConfigError if it is not
/// there or does not hold together.
TokenSpace read_token_space(const std::filesystem::path& folder);
void write_token_space(const std::filesystem::path& folder,
                       const TokenSpace& space);

}  // namespace calotype
