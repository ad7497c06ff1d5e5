#include "datasets/source_record.h"

namespace calotype {

Json source_record(const ImageSource& source) {
  return {{"spec", source.spec()},
          {"fingerprint", source.fingerprint()},
          {"fingerprint_kind", kFingerprintKind},
          {"count", source.size()}};
}

}  // namespace calotype
