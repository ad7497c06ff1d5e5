#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config.h"

namespace calotype {

/// What a store, a model or a recipe says of the codec that its latents are of.
/// It is JSON that others may have written too (rows of features say what
/// network made them), so that keys which nobody here knows stay as they are;
/// what is missing, or of another type, reads as if it were not said.
class CodecRecord {
 public:
  CodecRecord() = default;
  explicit CodecRecord(Json record) : record_(std::move(record)) {}

  std::string class_name() const { return text("class"); }
  /// Of the weights, by which a codec is known; empty where nothing is said.
  std::string sha256() const { return text("sha256"); }
  /// Where the codec was when this was written.
  std::string path() const { return text("path"); }

  /// How many codes tokens are of; 0 where it is not said.
  int64_t num_codes() const;

  /// Which codebook the tokens of each of `num_levels` levels are of: as the
  /// record says, or one each.
  std::vector<int64_t> codebooks(int64_t num_levels) const;

  /// "AutoencoderKL 0123456789ab", for messages.
  std::string short_text() const;

  const Json& json() const { return record_; }

  /// What latents depend on, without where the codec was and what its class and
  /// weights decide.
  Json identity() const;

  bool operator==(const CodecRecord&) const = default;

 private:
  std::string text(const char* key) const;

  Json record_ = Json::object();
};

/// The first digits of a SHA-256, which messages show.
std::string short_sha256(const std::string& sha256);

/// Overloads of core/config.h's. Throws ConfigError for what is no object.
void read_config(const Json& json, CodecRecord& record,
                 const std::string& where);
Json write_config(const CodecRecord& record);

}  // namespace calotype
