#include "store/store_rows.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "core/check.h"
#include "core/parallel.h"
#include "core/runtime.h"
#include "store/store_type.h"

namespace calotype {
namespace {

constexpr char kWhere[] = "StoreWriter";

/// The latents of mirror images must be as those of the images.
void check_flipped(const StoreRows& rows, const StoreInfo& info) {
  const auto check = [&](const char* what, const at::Tensor& flipped,
                         const at::Tensor& grid) {
    const bool wanted = info.flips && grid.defined();
    if (flipped.defined() != wanted)
      throw ShapeError(fmt::format(
          "{}: rows of a store {} flips must have {} {}", kWhere,
          info.flips ? "with" : "without", wanted ? "a" : "no", what));
    if (wanted)
      check_shape(kWhere, what, flipped,
                  {grid.size(0), grid.size(1), grid.size(2), grid.size(3)});
  };
  check("flipped mean", rows.flipped.mean, rows.grid.mean);
  check("flipped logvar", rows.flipped.logvar, rows.grid.logvar);
}

void check_fields(const StoreRows& rows, const StoreInfo& info) {
  if (rows.tokens.defined() != (info.kind == "tokens") ||
      rows.tokens.defined() == rows.grid.mean.defined())
    throw ShapeError(fmt::format(
        "{}: rows of kind {} must have {}", kWhere, info.kind,
        info.kind == "tokens" ? "tokens and no mean" : "a mean and no tokens"));
  const auto& mean = grid_values(rows);
  check_shape(kWhere, rows.tokens.defined() ? "tokens" : "mean", mean,
              {-1, -1, -1, -1});
  const auto count = mean.size(0);
  if (rows.grid.logvar.defined())
    check_shape(kWhere, "logvar", rows.grid.logvar,
                {count, mean.size(1), mean.size(2), mean.size(3)});
  const bool wants_logvar = info.kind == "moments";
  if (rows.grid.logvar.defined() != wants_logvar)
    throw ShapeError(fmt::format("{}: rows of kind {} must have {} logvar",
                                 kWhere, info.kind, wants_logvar ? "a" : "no"));
  check_flipped(rows, info);
  for (const auto size : mean.sizes().slice(1))
    if (size < 1)
      throw ShapeError(fmt::format("{}: grids must not be empty, got {}",
                                   kWhere, shape_text(mean.sizes())));
  check_shape(kWhere, "labels", rows.labels, {count});
  check_shape(kWhere, "indices", rows.indices, {count});
  for (const auto& ids : {rows.labels, rows.indices})
    if (ids.scalar_type() != at::kLong)
      throw ShapeError(
          fmt::format("{}: labels and indices must be int64", kWhere));
  const auto fits = [&](size_t size) { return int64_t(size) == count; };
  if (!fits(rows.names.size()) || !fits(rows.sizes.size()) ||
      !fits(rows.hashes.size()))
    throw ShapeError(fmt::format(
        "{}: expected {} names, sizes and hashes, got {}, {} and {}", kWhere,
        count, rows.names.size(), rows.sizes.size(), rows.hashes.size()));
}

/// Readers use labels as places among the classes.
void check_labels(const StoreRows& rows, const StoreInfo& info) {
  const auto num_classes = int64_t(info.class_names.size());
  const auto labels = rows.labels.cpu().contiguous();
  for (size_t row = 0; row < rows.names.size(); ++row) {
    const auto label = labels.data_ptr<int64_t>()[row];
    if (label < -1 || (num_classes > 0 && label >= num_classes))
      throw ConfigError(
          fmt::format("latent store: image {} has label {} of {} "
                      "classes",
                      rows.names[row], label, num_classes));
  }
}

/// The first row with an element where `good` is false, or -1.
int64_t first_bad_row(const at::Tensor& good) {
  if (good.all().item<bool>()) return -1;
  return good.flatten(1).all(1).logical_not().nonzero()[0].item<int64_t>();
}

/// `num_codes`: 0 if nobody knows.
void check_tokens(const StoreRows& rows, int64_t num_codes) {
  if (num_codes == 0) return;
  const auto good =
      rows.tokens.ge(0).logical_and(rows.tokens.lt(num_codes)).cpu();
  if (const auto row = first_bad_row(good); row >= 0) {
    const auto tokens = rows.tokens[row].flatten();
    const auto bad =
        tokens.masked_select(tokens.lt(0).logical_or(tokens.ge(num_codes)));
    throw DataError(fmt::format(
        "token store: image {} (index {}) has token {}, the codebook has {} "
        "codes",
        rows.names[size_t(row)], rows.indices[row].item<int64_t>(),
        bad[0].item<int64_t>(), num_codes));
  }
}

/// `moment` in the store's type; `what` is named where it does not fit.
at::Tensor convert(const at::Tensor& moment, const char* what,
                   const StoreRows& rows, const std::string& dtype) {
  const auto exact = moment.detach().to(at::kCPU, at::kFloat).contiguous();
  const auto image = [&](int64_t row) {
    return fmt::format("the {} of image {} (index {})", what,
                       rows.names[size_t(row)],
                       rows.indices[row].item<int64_t>());
  };
  if (const auto row = first_bad_row(exact.isfinite()); row >= 0)
    throw DataError(fmt::format("latent store: {} is not finite", image(row)));
  auto stored = exact.to(parse_dtype(dtype));
  if (const auto row = first_bad_row(stored.to(at::kFloat).isfinite());
      row >= 0)
    throw ConfigError(
        fmt::format("latent store: {} reaches {}, too large for {}; use {}",
                    image(row), exact[row].abs().max().item<float>(), dtype,
                    dtype == "fp16" ? "dtype bf16 or fp32" : "dtype fp32"));
  return stored;
}

/// `of`: "" or "mirrored ", for messages.
LatentGrid convert(const LatentGrid& grid, const std::string& of,
                   const StoreRows& rows, const std::string& dtype) {
  LatentGrid stored;
  if (grid.mean.defined())
    stored.mean = convert(grid.mean, (of + "mean").c_str(), rows, dtype);
  if (!grid.logvar.defined()) return stored;
  stored.logvar = convert(grid.logvar, (of + "logvar").c_str(), rows, dtype);
  const auto variance = stored.logvar.to(at::kFloat).exp();
  if (const auto row = first_bad_row(variance.isfinite()); row >= 0)
    throw DataError(fmt::format(
        "latent store: the {}variance of image {} (index {}) is not finite", of,
        rows.names[size_t(row)], rows.indices[row].item<int64_t>()));
  return stored;
}

}  // namespace

const at::Tensor& grid_values(const StoreRows& rows) {
  return rows.tokens.defined() ? rows.tokens : rows.grid.mean;
}

StoreRows to_stored(const StoreRows& rows, const StoreInfo& info) {
  check_fields(rows, info);
  check_labels(rows, info);
  auto stored = rows;
  if (rows.tokens.defined() && rows.tokens.numel() > 0) {
    check_tokens(rows, info.codec.num_codes());
    stored.tokens = tokens_to_bits(rows.tokens, info.dtype);
  }
  stored.grid = convert(rows.grid, "", rows, info.dtype);
  stored.flipped = convert(rows.flipped, "mirrored ", rows, info.dtype);
  stored.labels = rows.labels.cpu().contiguous();
  stored.indices = rows.indices.cpu().contiguous();
  return stored;
}

StoreRows slice_rows(const StoreRows& rows, int64_t begin, int64_t count) {
  const auto part = [&](const at::Tensor& tensor) {
    return tensor.defined() ? tensor.narrow(0, begin, count) : tensor;
  };
  const auto some = [&](const auto& list) {
    using List = std::decay_t<decltype(list)>;
    return List(list.begin() + begin, list.begin() + begin + count);
  };
  return {.grid = {part(rows.grid.mean), part(rows.grid.logvar)},
          .flipped = {part(rows.flipped.mean), part(rows.flipped.logvar)},
          .tokens = part(rows.tokens),
          .labels = part(rows.labels),
          .indices = part(rows.indices),
          .names = some(rows.names),
          .sizes = some(rows.sizes),
          .hashes = some(rows.hashes)};
}

StoreRows copy_rows(const StoreRows& rows) {
  const auto own = [](const at::Tensor& tensor) {
    return tensor.defined() ? tensor.clone() : tensor;
  };
  auto copy = rows;
  for (auto* grid : {&copy.grid, &copy.flipped})
    *grid = {own(grid->mean), own(grid->logvar)};
  copy.tokens = own(rows.tokens);
  copy.labels = own(rows.labels);
  copy.indices = own(rows.indices);
  return copy;
}

StoreRows select_rows(const StoreRows& rows,
                      const std::vector<int64_t>& places) {
  const auto which = at::tensor(places, at::kLong);
  const auto pick = [&](const at::Tensor& tensor) {
    return tensor.defined() ? tensor.index_select(0, which) : tensor;
  };
  StoreRows picked{
      .grid = {pick(rows.grid.mean), pick(rows.grid.logvar)},
      .flipped = {pick(rows.flipped.mean), pick(rows.flipped.logvar)},
      .tokens = pick(rows.tokens),
      .labels = pick(rows.labels),
      .indices = pick(rows.indices)};
  for (const auto place : places) {
    picked.names.push_back(rows.names[size_t(place)]);
    picked.sizes.push_back(rows.sizes[size_t(place)]);
    picked.hashes.push_back(rows.hashes[size_t(place)]);
  }
  return picked;
}

StoreRows join_rows(const std::vector<StoreRows>& parts) {
  if (parts.size() == 1) return parts[0];
  // What one part does not have, none has.
  const auto joined = [&](auto&& field) {
    std::vector<at::Tensor> each;
    for (const auto& part : parts)
      if (field(part).defined()) each.push_back(field(part));
    return each.empty() ? at::Tensor() : at::cat(each);
  };
  using Rows = const StoreRows&;
  StoreRows all{
      .grid = {joined([](Rows rows) { return rows.grid.mean; }),
               joined([](Rows rows) { return rows.grid.logvar; })},
      .flipped = {joined([](Rows rows) { return rows.flipped.mean; }),
                  joined([](Rows rows) { return rows.flipped.logvar; })},
      .tokens = joined([](Rows rows) { return rows.tokens; }),
      .labels = joined([](Rows rows) { return rows.labels; }),
      .indices = joined([](Rows rows) { return rows.indices; })};
  for (const auto& part : parts) {
    all.names.insert(all.names.end(), part.names.begin(), part.names.end());
    all.sizes.insert(all.sizes.end(), part.sizes.begin(), part.sizes.end());
    all.hashes.insert(all.hashes.end(), part.hashes.begin(), part.hashes.end());
  }
  return all;
}

ChannelSums channel_sums(const LatentGrid& grid, const LatentGrid& flipped) {
  auto sums = channel_sums(grid);
  if (!flipped.mean.defined()) return sums;
  const auto more = channel_sums(flipped);
  const auto add = [](std::vector<double>& to, const std::vector<double>& of) {
    for (size_t channel = 0; channel < to.size(); ++channel)
      to[channel] += of[channel];
  };
  add(sums.mean, more.mean);
  add(sums.mean_square, more.mean_square);
  add(sums.variance, more.variance);
  return sums;
}

ChannelSums channel_sums(const LatentGrid& grid) {
  const auto& [mean, logvar] = grid;
  const auto num_channels = mean.size(1);
  const auto zeros = std::vector<double>(size_t(num_channels), 0.0);
  ChannelSums sums{zeros, zeros, zeros};
  if (!mean.is_floating_point()) return sums;  // numbers of codes have no mean
  // A channel is one thread's, from the first row to the last.
  constexpr int64_t kNumbersPerTask = 1 << 15;
  const auto size = mean.numel() / std::max<int64_t>(1, num_channels);
  const auto grain = grain_of(size, kNumbersPerTask);
  parallel_for(0, num_channels, grain, [&](int64_t begin, int64_t end) {
    for (int64_t channel = begin; channel < end; ++channel) {
      // One sum a block, then an image, then their sum, so that many numbers
      // with a large mean do not add up to rounding errors. `use` gives a
      // number's share.
      constexpr int64_t kBlock = 256;
      const auto of_channel = [&](const at::Tensor& moment) {
        return moment.select(1, channel).to(at::kFloat).contiguous();
      };
      const auto sum_of = [](const at::Tensor& values, auto&& use) {
        const auto num_rows = values.size(0);
        const auto per_row = num_rows > 0 ? values.numel() / num_rows : 0;
        const auto* data = values.data_ptr<float>();
        double sum = 0;
        for (int64_t row = 0; row < num_rows; ++row) {
          double of_row = 0;
          for (int64_t first = 0; first < per_row; first += kBlock) {
            double of_block = 0;
            const auto last = std::min(first + kBlock, per_row);
            for (int64_t i = first; i < last; ++i)
              of_block += use(double(*data++));
            of_row += of_block;
          }
          sum += of_row;
        }
        return sum;
      };
      const auto at = size_t(channel);
      const auto means = of_channel(mean);
      sums.mean[at] = sum_of(means, [](double value) { return value; });
      sums.mean_square[at] =
          sum_of(means, [](double value) { return value * value; });
      if (logvar.defined())
        sums.variance[at] = sum_of(
            of_channel(logvar), [](double value) { return std::exp(value); });
    }
  });
  return sums;
}

bool same_sums(const ChannelSums& a, const ChannelSums& b, double num_values) {
  const auto alike = [](double x, double y, double scale) {
    return std::abs(x - y) <= 1e-9 * scale;
  };
  const auto D = a.mean.size();
  if (b.mean.size() != D || a.mean_square.size() != b.mean_square.size() ||
      a.variance.size() != b.variance.size())
    return false;
  for (size_t channel = 0; channel < D; ++channel) {
    const auto square = a.mean_square[channel];
    const auto variance = a.variance[channel];
    // |sum of x| is at most sqrt(n * sum of x^2).
    if (!alike(a.mean[channel], b.mean[channel],
               std::sqrt(num_values * square)) ||
        !alike(square, b.mean_square[channel], square) ||
        !alike(variance, b.variance[channel], variance))
      return false;
  }
  return true;
}

}  // namespace calotype
