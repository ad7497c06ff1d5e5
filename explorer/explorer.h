#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/config.h"
#include "explorer/code_set.h"
#include "models/codec.h"
#include "nn/tokenizer.h"

namespace calotype {

/// What the page asks of one codec, in JSON (docs/explorer.md has each request
/// and answer). Not for several threads at once. All of it throws ConfigError
/// or DataError for a request that makes no sense.
class Explorer {
 public:
  /// `set`: the codes that are shown; without, only images that come are.
  /// `facts`: what else model() says.
  Explorer(LoadedCodec codec, std::optional<CodeSet> set,
           Preprocessing preprocessing, Json facts, c10::Device device);

  /// What the model and the set are.
  Json model() const;

  /// Where the codes of the set lie: {"numbers": [x, y]}, or {} for the usual
  /// plane.
  Json plane(const Json& request) const;

  /// {"code": [...]} and the plane as above: the squared distance of each code
  /// of the set from that plane's parallel through this code.
  Json off_plane(const Json& request) const;

  /// {"row": k} of the set, or {"image": base64 of a file}: the code, the image
  /// as the codec is given it, what comes back of it, and what is lost.
  Json encode(const Json& request);

  /// {"code": [n numbers]} to a picture, beside the original that "original"
  /// names (as encode() did).
  Json decode(const Json& request);

  /// {"codes": [[n numbers], ...]} to one sheet of pictures.
  Json sheet(const Json& request) const;

  /// {"tokens": [L h w numbers]} of a tokenizer to a picture, with "original"
  /// as above.
  Json detokenize(const Json& request);

  /// {"level": l}: what each code of that level's codebook looks like where it
  /// stands alone, and how often the set uses it.
  Json codebook(const Json& request) const;

  /// {"code": [...], "count": k}: the nearest codes of the set.
  Json nearest(const Json& request) const;

  /// {"code": [...], "count": k}: where the codes around it vary most.
  Json directions(const Json& request) const;

  /// {"rows": [...]}: small pictures of them, on one sheet.
  Json thumbnails(const Json& request);

 private:
  const CodePlane& plane_of(const Json& request) const;
  CodePlane new_plane(const Json& request) const;
  at::Tensor code_of(const Json& numbers) const;
  at::Tensor decoded(const at::Tensor& codes) const;
  Tokenizer& tokenizer() const;
  at::Tensor tokens_of(const at::Tensor& image) const;
  at::Tensor original(const std::string& name);
  void keep(const std::string& name, const at::Tensor& image);
  Json with_error(const at::Tensor& image, const Json& request);
  Json beside(const at::Tensor& image, const at::Tensor& original) const;

  LoadedCodec codec_;
  std::optional<CodeSet> set_;
  Preprocessing preprocessing_;
  Json facts_;
  c10::Device device_;
  std::vector<int64_t> grid_shape_, image_size_;
  // The plane that was asked for last, by its request; and, once it was, the
  // set's usual distance.
  mutable std::string plane_name_;
  mutable CodePlane plane_;
  mutable std::optional<double> usual_distance_;
  // Images that came last, by the names that the page knows them by.
  std::deque<std::pair<std::string, at::Tensor>> kept_;
  int64_t num_given_ = 0;
};

}  // namespace calotype
