#include "training/checkpoint.h"

#include <ATen/Functions.h>

#include "core/config.h"
#include "core/error.h"
#include "nn/safetensors.h"

namespace calotype {
namespace {

/// What version 1 knows of a position.
struct Place {
  int64_t epoch = 0;
  int64_t position = 0;
};

template <class Visitor>
void visit_fields(Place& c, Visitor&& visit) {
  visit("epoch", c.epoch);
  visit("position", c.position);
}

struct Header {
  int64_t format_version = 1;
  int64_t step = 0;
  double elapsed_s = 0;
  Place position;
};

template <class Visitor>
void visit_fields(Header& c, Visitor&& visit) {
  visit("format_version", c.format_version);
  visit("step", c.step);
  visit("elapsed_s", c.elapsed_s);
  visit("position", c.position);
}

constexpr const char* kHeaderKey = "calotype_checkpoint";
constexpr const char* kPendingKey = "calotype_pending_line";
constexpr const char* kWaiting = "data.waiting";         // [n]
constexpr const char* kFullShapes = "data.full_shapes";  // [n,3]
constexpr int64_t kNewestVersion = 2;

at::Tensor tensor_of(const std::vector<int64_t>& values) {
  return at::tensor(values, at::kLong);
}

std::vector<int64_t> vector_of(const at::Tensor& tensor) {
  const auto flat = tensor.to(at::kLong).contiguous();
  const auto* data = flat.data_ptr<int64_t>();
  return {data, data + flat.numel()};
}

/// Takes the lists of a position out of `tensors`.
void read_lists(std::map<std::string, at::Tensor>& tensors,
                LoaderPosition& position) {
  if (const auto list = tensors.extract(kWaiting))
    position.waiting = vector_of(list.mapped());
  if (const auto list = tensors.extract(kFullShapes)) {
    const auto flat = vector_of(list.mapped());
    for (size_t i = 0; i + 2 < flat.size(); i += 3)
      position.full_shapes.push_back({flat[i], flat[i + 1], flat[i + 2]});
  }
}

}  // namespace

void write_checkpoint(const std::filesystem::path& path,
                      const RunCheckpoint& checkpoint) {
  const auto& in_epoch = checkpoint.position.in_epoch;
  auto tensors = checkpoint.tensors;
  std::vector<int64_t> shapes;
  for (const auto& shape : in_epoch.full_shapes)
    shapes.insert(shapes.end(), shape.begin(), shape.end());
  if (!shapes.empty()) tensors[kFullShapes] = tensor_of(shapes).view({-1, 3});
  if (!in_epoch.waiting.empty())
    tensors[kWaiting] = tensor_of(in_epoch.waiting);
  // A program of version 1 would go on elsewhere if it overlooked the lists;
  // without them it need not be turned away.
  const bool has_lists = tensors.size() > checkpoint.tensors.size();
  const Header header{.format_version = has_lists ? 2 : 1,
                      .step = checkpoint.step,
                      .elapsed_s = checkpoint.elapsed_s,
                      .position = {.epoch = checkpoint.position.epoch,
                                   .position = in_epoch.next}};
  TensorFile file{.tensors = std::move(tensors),
                  .metadata = {{kHeaderKey, json_text(write_config(header))}}};
  if (!checkpoint.pending_line.is_null())
    file.metadata[kPendingKey] = json_text(checkpoint.pending_line);
  write_safetensors(path, file);
}

RunCheckpoint read_checkpoint(const std::filesystem::path& path) {
  auto file = read_safetensors(path);
  const auto text = file.metadata.find(kHeaderKey);
  if (text == file.metadata.end())
    throw DataError(path.string() + ": not a checkpoint, its header has no " +
                    kHeaderKey);
  const auto json = parse_json(text->second, path.string());
  // Ahead of the keys, of which a newer version may have others.
  if (const auto version = json.find("format_version");
      version != json.end() && version->is_number_integer() &&
      version->get<int64_t>() > kNewestVersion)
    throw DataError(fmt::format(
        "{}: format_version {} is newer than {}, which this program reads",
        path.string(), version->get<int64_t>(), kNewestVersion));
  Header header;
  read_config(json, header, path.string());
  RunCheckpoint checkpoint{.step = header.step,
                           .elapsed_s = header.elapsed_s,
                           .position = {.epoch = header.position.epoch,
                                        .in_epoch = header.position.position}};
  if (const auto line = file.metadata.find(kPendingKey);
      line != file.metadata.end())
    checkpoint.pending_line = parse_json(line->second, path.string());
  read_lists(file.tensors, checkpoint.position.in_epoch);
  checkpoint.tensors = std::move(file.tensors);
  return checkpoint;
}

}  // namespace calotype
