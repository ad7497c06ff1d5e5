#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/codec_record.h"
#include "core/config.h"
#include "store/latent_store.h"

namespace calotype {

/// What a token generator must remember of the store that it learnt from, to
/// find the tokenizer and the classes.
struct TokenSpace {
  std::vector<std::string> class_names;
  CodecRecord codec;
  // [H,W] of all images that it learnt from, which drawn ones are cut to;
  // empty: what the tokenizer gives.
  std::vector<int64_t> image_size;
};

template <class Visitor>
void visit_fields(TokenSpace& c, Visitor&& visit) {
  visit("class_names", c.class_names);
  visit("codec", c.codec);
  visit("image_size", c.image_size);
}

TokenSpace token_space(const StoreReader& store);

/// token_space.json in a model folder. Reading throws ConfigError if it is not
/// there or does not hold together.
TokenSpace read_token_space(const std::filesystem::path& folder);
void write_token_space(const std::filesystem::path& folder,
                       const TokenSpace& space);

}  // namespace calotype
