#include "store/shard_file.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/check.h"
#include "core/hash.h"
#include "store/store_info.h"
#include "store/store_rows.h"
#include "store/store_type.h"
#include "store/token_packing.h"

namespace calotype {
namespace {

template <class T>
T load(const uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof value);  // a foreign file need not be aligned
  return value;
}

// Of a shard; a file of a few bytes could ask for any number of coded ones.
constexpr int64_t kMaxPackedTokens = int64_t{1} << 28;

/// The array that holds the grids.
const char* grid_array(const StoreInfo& info) {
  if (info.kind != "tokens") return "latents";
  if (info.packing == "none") return "tokens";
  return info.packing == "bits" ? "packed_tokens" : "coded_tokens";
}

/// What stands in the shard of tokens whose stored bits are [n,L,h,w]; nothing
/// unless they are packed.
std::vector<uint8_t> packed_tokens(const StoreInfo& info,
                                   const at::Tensor& stored) {
  if (info.packing == "none") return {};
  const auto tokens = tokens_from_bits(stored, info.dtype).flatten(1);
  if (tokens.numel() > kMaxPackedTokens)
    throw ConfigError(fmt::format(
        "token store: a packed shard has at most {} tokens; use fewer rows per "
        "shard",
        kMaxPackedTokens));
  const auto bits = bits_per_token(info.codec.num_codes());
  return info.packing == "entropy" ? code_tokens(tokens, bits)
                                   : pack_bits(tokens, bits);
}

/// [n,L,h,w] of packed tokens as the shard says: their array does not show it.
std::vector<int64_t> stated_shape(const StoreInfo& info,
                                  const std::string& where) {
  if (info.grid_shapes.size() != 1)
    throw DataError(where + ": attribute store must have one grid shape");
  auto shape = info.grid_shapes[0];
  shape.insert(shape.begin(), info.count);
  int64_t tokens = 1;
  for (const auto size : shape)
    if (size < 1 || __builtin_mul_overflow(tokens, size, &tokens) ||
        tokens > kMaxPackedTokens)
      throw DataError(fmt::format(
          "{}: {} are too many tokens for a packed shard, which has {}", where,
          shape_text(shape), kMaxPackedTokens));
  return shape;
}

std::string hash_text(std::span<const uint8_t> bytes) {
  return hex64(xxh64(bytes));
}

/// Throws DataError unless the file is the one that its line speaks of.
void check_entry(std::span<const uint8_t> bytes, const ShardEntry& entry,
                 const std::string& where) {
  if (int64_t(bytes.size()) != entry.bytes)
    throw DataError(fmt::format("{}: expected {} bytes, got {}", where,
                                entry.bytes, bytes.size()));
  if (hash_text(bytes.first(size_t(entry.header_bytes))) != entry.header_hash)
    throw DataError(fmt::format("{}: the header is damaged", where));
}

}  // namespace

ShardImage make_shard(const StoreInfo& info, const StoreRows& rows,
                      const std::string& file) {
  const auto& mean = grid_values(rows);
  const auto count = mean.size(0);
  const auto longest = std::max_element(
      rows.names.begin(), rows.names.end(),
      [](const auto& a, const auto& b) { return a.size() < b.size(); });
  const auto name_bytes = std::max<size_t>(longest->size(), 1);
  std::string names(size_t(count) * name_bytes, '\0');
  for (size_t row = 0; row < rows.names.size(); ++row)
    rows.names[row].copy(&names[row * name_bytes], name_bytes);

  auto described = info;
  described.grid_shapes = {mean.sizes().slice(1).vec()};
  described.count = count;
  const std::vector<Hdf5Attribute> attributes = {
      {"format_version", described.format_version},
      {"kind", described.kind},
      {"dtype", described.dtype},
      {"store", store_info_text(described)}};

  const auto type = stored_hdf5(info.dtype);
  const auto item_bytes = int64_t(mean.element_size());
  const auto whole = [](const at::Tensor& moment) {
    return moment.defined() ? moment.contiguous() : moment;
  };
  const auto latents = mean.contiguous(), logvar = whole(rows.grid.logvar);
  const LatentGrid flipped{whole(rows.flipped.mean),
                           whole(rows.flipped.logvar)};
  const auto labels = rows.labels.contiguous(),
             indices = rows.indices.contiguous();
  const auto packed = packed_tokens(info, latents);
  std::vector<int64_t> packed_shape{int64_t(packed.size())};
  if (info.packing == "bits")
    packed_shape = {count, int64_t(packed.size()) / count};
  std::vector<Hdf5Array> arrays;
  if (info.packing == "none")
    arrays.push_back({grid_array(info), type, item_bytes, latents.sizes().vec(),
                      latents.data_ptr()});
  else
    arrays.push_back(
        {grid_array(info), Hdf5Type::kUint8, 1, packed_shape, packed.data()});
  const auto add_moment = [&](const char* name, const at::Tensor& moment) {
    if (moment.defined())
      arrays.push_back(
          {name, type, item_bytes, moment.sizes().vec(), moment.data_ptr()});
  };
  add_moment("logvar", logvar);
  add_moment("latents_flipped", flipped.mean);
  add_moment("logvar_flipped", flipped.logvar);
  arrays.push_back({"label", Hdf5Type::kInt64, 8, {count}, labels.data_ptr()});
  arrays.push_back(
      {"name", Hdf5Type::kText, int64_t(name_bytes), {count}, names.data()});
  arrays.push_back({"index", Hdf5Type::kInt64, 8, {count}, indices.data_ptr()});
  arrays.push_back(
      {"size", Hdf5Type::kInt32, 4, {count, 2}, rows.sizes.data()});
  arrays.push_back(
      {"source_hash", Hdf5Type::kUint64, 8, {count}, rows.hashes.data()});

  auto made = make_hdf5(attributes, arrays);
  const auto whole_file = std::span<const uint8_t>(made.bytes);
  const auto header = whole_file.first(size_t(made.header_bytes));
  ShardEntry entry{.file = file,
                   .grid_shape = described.grid_shapes[0],
                   .count = count,
                   .bytes = int64_t(made.bytes.size()),
                   .hash = hash_text(made.bytes),
                   .header_bytes = made.header_bytes,
                   .header_hash = hash_text(header),
                   .min_index = indices.min().item<int64_t>(),
                   .max_index = indices.max().item<int64_t>(),
                   .sums = channel_sums({latents, logvar}, flipped)};
  if (info.format_version >= 2)
    entry.rows_hash = hash_text(whole_file.subspan(header.size()));
  return {std::move(made.bytes), std::move(entry)};
}

ShardFile::ShardFile(const std::filesystem::path& path, const ShardEntry* entry)
    : path_(path), expected_hash_(entry ? entry->hash : ""), map_(path) {
  if (entry) check_entry(map_.bytes(), *entry, path.string());
  find_arrays(path);
  check_rows();
  if (entry && (entry->grid_shape != grid_shape() || entry->count != count()))
    throw DataError(fmt::format(
        "{}: expected {} rows of {}, got {} of {}", path.string(), entry->count,
        shape_text(entry->grid_shape), count(), shape_text(grid_shape())));
}

void ShardFile::find_arrays(const std::filesystem::path& path) {
  const Hdf5File file(path);
  check_format_version(file.integer("format_version"), path.string());
  info_ =
      parse_store_info(file.text("store"), path.string() + ": attribute store");
  const auto expect = [&](const Hdf5Place& got, const char* name, Hdf5Type type,
                          const std::vector<int64_t>& shape) {
    if (got.type != type)
      throw DataError(
          fmt::format("{}: /{} has elements of another type than a store "
                      "of {} {} has",
                      path.string(), name, info_.dtype, info_.kind));
    if (got.shape != shape)
      throw DataError(fmt::format("{}: /{} must be {}, got {}", path.string(),
                                  name, shape_text(shape),
                                  shape_text(got.shape)));
  };
  const auto find = [&](const char* name, Hdf5Type type,
                        const std::vector<int64_t>& shape) {
    auto got = file.find(name);
    expect(got, name, type, shape);
    return got;
  };
  const auto* array = grid_array(info_);
  const bool packed = info_.packing != "none";
  latents_ = file.find(array);
  auto shape = latents_.shape;
  if (packed) shape = stated_shape(info_, path.string());
  if (shape.size() != 4 || *std::min_element(shape.begin(), shape.end()) < 1)
    throw DataError(fmt::format("{}: /{} must be [n, D, h, w], got {}",
                                path.string(), array, shape_text(shape)));
  const auto n = shape[0];
  const auto type = stored_hdf5(info_.dtype);
  info_.grid_shapes = {{shape[1], shape[2], shape[3]}};
  info_.count = n;
  if (!packed) {
    expect(latents_, array, type, shape);
  } else {
    bits_ = bits_per_token(info_.codec.num_codes());
    const bool coded = info_.packing == "entropy";
    expect(latents_, array, Hdf5Type::kUint8,
           coded ? std::vector{latents_.size_bytes}
                 : std::vector{n, packed_bytes(row_numbers(), bits_)});
    if (coded) decoded_ = std::make_unique<Decoded>();
  }
  has_logvar_ = info_.kind == "moments";
  if (has_logvar_) logvar_ = find("logvar", type, shape);
  if (info_.flips) flipped_latents_ = find("latents_flipped", type, shape);
  if (info_.flips && has_logvar_)
    flipped_logvar_ = find("logvar_flipped", type, shape);
  label_ = find("label", Hdf5Type::kInt64, {n});
  name_ = find("name", Hdf5Type::kText, {n});
  index_ = find("index", Hdf5Type::kInt64, {n});
  size_ = find("size", Hdf5Type::kInt32, {n, 2});
  source_hash_ = find("source_hash", Hdf5Type::kUint64, {n});
}

void ShardFile::check_rows() const {
  const auto num_classes = int64_t(info_.class_names.size());
  const auto fail = [&](int64_t row, const char* what, int64_t got) {
    throw DataError(fmt::format("{}: row {} has the {} {}", path_.string(), row,
                                what, got));
  };
  for (int64_t row = 0; row < count(); ++row) {
    if (index(row) < 0) fail(row, "index", index(row));
    const auto got = label(row);
    if (got < -1) fail(row, "label", got);
    if (num_classes > 0 && got >= num_classes)
      throw DataError(fmt::format("{}: row {} has label {} of {} classes",
                                  path_.string(), row, got, num_classes));
    for (const auto edge : size(row))
      if (edge < 0) fail(row, "image size", edge);
  }
}

int64_t ShardFile::row_numbers() const {
  const auto& shape = grid_shape();
  return shape[0] * shape[1] * shape[2];
}

int64_t ShardFile::row_bytes() const {
  return row_numbers() * int64_t(c10::elementSize(stored_scalar(info_.dtype)));
}

const at::Tensor& ShardFile::decoded() const {
  std::call_once(decoded_->once, [&] {
    if (!expected_hash_.empty() && hash() != expected_hash_)
      throw DataError(path_.string() + ": the rows are damaged");
    const auto bytes = map_.bytes().subspan(size_t(latents_.offset),
                                            size_t(latents_.size_bytes));
    decoded_->tokens = decode_tokens(bytes, count(), row_numbers(), bits_)
                           .to(stored_scalar(info_.dtype));
  });
  return decoded_->tokens;
}

at::Tensor ShardFile::mean() const {
  if (info_.packing == "none") return moment(latents_);
  const auto& shape = grid_shape();
  auto all = at::empty({count(), shape[0], shape[1], shape[2]},
                       stored_scalar(info_.dtype));
  for (int64_t row = 0; row < count(); ++row)
    copy_mean(row, static_cast<uint8_t*>(all.data_ptr()) + row * row_bytes());
  return all;
}

void ShardFile::copy_mean(int64_t row, uint8_t* out, bool flipped) const {
  if (info_.packing == "none") {
    std::memcpy(out, at(flipped ? flipped_latents_ : latents_, row),
                size_t(row_bytes()));
  } else if (info_.packing == "entropy") {
    std::memcpy(
        out,
        static_cast<const uint8_t*>(decoded().data_ptr()) + row * row_bytes(),
        size_t(row_bytes()));
  } else {
    const auto item = size_t(row_bytes() / row_numbers());
    unpack_bits(at(latents_, row), row_numbers(), bits_,
                [&](int64_t i, int64_t token) {
                  std::memcpy(out + size_t(i) * item, &token, item);
                });
  }
}

void ShardFile::copy_logvar(int64_t row, uint8_t* out, bool flipped) const {
  std::memcpy(out, at(flipped ? flipped_logvar_ : logvar_, row),
              size_t(row_bytes()));
}

LatentGrid ShardFile::flipped() const {
  if (!info_.flips) return {};
  return {moment(flipped_latents_),
          has_logvar_ ? moment(flipped_logvar_) : at::Tensor()};
}

at::Tensor ShardFile::moment(const Hdf5Place& place) const {
  return at::from_blob(const_cast<uint8_t*>(at(place, 0)), place.shape,
                       at::TensorOptions(stored_scalar(info_.dtype)));
}

int64_t ShardFile::label(int64_t row) const {
  return load<int64_t>(at(label_, row));
}

int64_t ShardFile::index(int64_t row) const {
  return load<int64_t>(at(index_, row));
}

std::string ShardFile::name(int64_t row) const {
  const auto* text = reinterpret_cast<const char*>(at(name_, row));
  return {text, strnlen(text, size_t(name_.item_bytes))};
}

std::array<int32_t, 2> ShardFile::size(int64_t row) const {
  return load<std::array<int32_t, 2>>(at(size_, row));
}

uint64_t ShardFile::source_hash(int64_t row) const {
  return load<uint64_t>(at(source_hash_, row));
}

std::string ShardFile::hash() const {
  return hash_text(map_.bytes());
}

std::string ShardFile::rows_hash(int64_t header_bytes) const {
  return hash_text(map_.bytes().subspan(size_t(header_bytes)));
}

}  // namespace calotype
