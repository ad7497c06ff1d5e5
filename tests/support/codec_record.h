#pragma once

#include <string>

#include "core/codec_record.h"

namespace calotype {

/// Says something else of the codec.
inline void set_key(CodecRecord& record, const std::string& key,
                    const Json& value) {
  auto json = record.json();
  json[key] = value;
  record = CodecRecord(json);
}

}  // namespace calotype
