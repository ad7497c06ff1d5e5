#include "training/checkpoint.h"

#include "core/config.h"
#include "core/error.h"
#include "nn/safetensors.h"

namespace calotype {
namespace {

struct Header {
  int64_t format_version = 1;
  int64_t step = 0;
  double elapsed_s = 0;
  DataPosition position;
};

template <class Visitor>
void visit_fields(Header& c, Visitor&& visit) {
  visit("format_version", c.format_version);
  visit("step", c.step);
  visit("elapsed_s", c.elapsed_s);
  visit("position", c.position);
}

constexpr const char* kHeaderKey = "calotype_checkpoint";

}  // namespace

void write_checkpoint(const std::filesystem::path& path,
                      const Checkpoint& checkpoint) {
  const Header header{.step = checkpoint.step,
                      .elapsed_s = checkpoint.elapsed_s,
                      .position = checkpoint.position};
  write_safetensors(path,
                    {.tensors = checkpoint.tensors,
                     .metadata = {{kHeaderKey, write_config(header).dump()}}});
}

Checkpoint read_checkpoint(const std::filesystem::path& path) {
  auto file = read_safetensors(path);
  const auto text = file.metadata.find(kHeaderKey);
  if (text == file.metadata.end())
    throw DataError(path.string() + ": not a checkpoint, its header has no " +
                    kHeaderKey);
  Header header;
  read_config(parse_json(text->second, path.string()), header, path.string());
  if (header.format_version != 1)
    throw DataError(
        fmt::format("{}: format_version {} is newer than 1, which this program "
                    "reads",
                    path.string(), header.format_version));
  return {.step = header.step,
          .elapsed_s = header.elapsed_s,
          .position = header.position,
          .tensors = std::move(file.tensors)};
}

}  // namespace calotype
