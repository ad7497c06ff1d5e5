#include "models/shared_weights.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <set>

#include "core/error.h"
#include "core/note.h"
#include "core/random.h"
#include "datasets/class_map.h"
#include "nn/model_folder.h"
#include "vqvae/quantizer.h"

namespace calotype {
namespace {

/// A table with a row for each class, by the end of its name.
struct ClassTable {
  const char* name;
  bool has_row_of_none;  // the last one
};

constexpr ClassTable kClassTables[] = {
    {"class_embedding.weight", true},
    {"class_embedder.embedding_table.weight", true},
    {"label_embed.weight", true},
    {"head.weight", false},
    {"head.bias", false}};

const ClassTable* class_table(const AnyModel& model, const std::string& name) {
  if (model.codec) return nullptr;
  for (const auto& table : kClassTables)
    if (name.ends_with(table.name) &&
        (table.has_row_of_none || model.classifier))
      return &table;
  return nullptr;
}

bool is_codebook(const std::string& name) {
  return name.ends_with("embedding.weight");
}

/// Sizes of all dimensions but `dim`.
std::vector<int64_t> sizes_but(const at::Tensor& tensor, int64_t dim) {
  auto sizes = tensor.sizes().vec();
  sizes.erase(sizes.begin() + dim);
  return sizes;
}

bool differ_in(const at::Tensor& a, const at::Tensor& b, int64_t dim) {
  return a.dim() == b.dim() && a.dim() > dim &&
         sizes_but(a, dim) == sizes_but(b, dim);
}

/// What one tensor of a model is made of.
class Fitting {
 public:
  Fitting(const AnyModel& model, const InitialModel& initial,
          const std::vector<std::string>& class_names)
      : model_(model), initial_(initial), class_names_(class_names) {}

  /// `from`, fitted to the shape of `to`; nothing if that cannot be. `to` has
  /// its first values.
  std::optional<at::Tensor> operator()(const std::string& name,
                                       const at::Tensor& from,
                                       const at::Tensor& to) const {
    if (const auto* table = class_table(model_, name);
        table && differ_in(from, to, 0))
      return by_class(*table, from, to);
    if (from.sizes() == to.sizes()) return from;
    if (model_.tokenizer && initial_.model.tokenizer && is_codebook(name) &&
        differ_in(from, to, 0))
      return more_or_fewer_codes(from, to);
    if (model_.codec && initial_.model.codec) return by_channel(name, from, to);
    return {};
  }

  /// Whether labels mean something else than to the initial model.
  bool renames_classes() const {
    return !class_names_.empty() && !initial_.class_names.empty() &&
           class_names_ != initial_.class_names;
  }

 private:
  std::optional<at::Tensor> by_class(const ClassTable& table,
                                     const at::Tensor& from,
                                     const at::Tensor& to) const {
    const int64_t none = table.has_row_of_none ? 1 : 0;
    const auto num_old = from.size(0) - none, num_new = to.size(0) - none;
    if (num_old == num_new && !renames_classes()) return from;
    const auto places = renames_classes()
                            ? match_classes(class_names_, initial_.class_names)
                            : std::vector<int64_t>();
    auto rows = to.clone();
    for (int64_t i = 0; i < num_new; ++i) {
      const bool has_name = i < int64_t(places.size());
      const auto place = has_name            ? places[size_t(i)]
                         : renames_classes() ? -1
                                             : i;
      if (place >= 0 && place < num_old)
        rows[i].copy_(from[place]);
      else if (table.has_row_of_none)
        rows[i].copy_(from[num_old]);
    }
    if (table.has_row_of_none) rows[num_new].copy_(from[num_old]);
    return rows;
  }

  /// Of new codes, each near to one that is there: a step of a hundredth of
  /// what codes differ by.
  static at::Tensor more_or_fewer_codes(const at::Tensor& from,
                                        const at::Tensor& to) {
    const auto num_old = from.size(0), num_new = to.size(0);
    if (num_new <= num_old) return from.narrow(0, 0, num_new);
    auto codes =
        from.index_select(0, torch::arange(num_new).remainder(num_old));
    const auto noise = normal_rows({from.size(1)}, torch::arange(num_new), 0,
                                   Stream::kCodebook);
    const auto spread = from.std(0, /*unbiased=*/false);
    codes.narrow(0, num_old, num_new - num_old)
        .add_((0.01 * spread * noise).narrow(0, num_old, num_new - num_old));
    return codes;
  }

  std::optional<at::Tensor> by_channel(const std::string& name,
                                       const at::Tensor& from,
                                       const at::Tensor& to) const {
    const auto before = initial_.model.codec->image_channels();
    const auto now = model_.codec->image_channels();
    const bool is_known =
        (before == 1 && now == 3) || (before == 3 && now == 1);
    const auto changes = [&](int64_t dim) {
      return is_known && differ_in(from, to, dim) && from.size(dim) == before &&
             to.size(dim) == now;
    };
    if (name.starts_with("encoder.") && changes(1))
      return now == 1 ? from.sum(1, /*keepdim=*/true)
                      : (from / 3).expand(to.sizes());
    if (name.starts_with("decoder.") && changes(0))
      return now == 1 ? from.mean(0, /*keepdim=*/true)
                      : from.expand(to.sizes());
    return {};
  }

  const AnyModel& model_;
  const InitialModel& initial_;
  const std::vector<std::string>& class_names_;
};

/// Codebooks that were taken are theirs from the first step on.
void keep_codes(torch::nn::Module& module, const std::set<std::string>& taken) {
  for (const auto& item : module.named_modules("", /*include_self=*/false))
    if (auto* quantizer = dynamic_cast<Quantizer*>(item.value().get());
        quantizer && taken.contains(item.key() + ".embedding.weight"))
      quantizer->keep_codes();
}

void expect_same_tokens(const AnyModel& model, const InitialModel& initial) {
  if (!model.generator || !initial.model.generator) return;
  const auto before = initial.model.generator->config().num_codes;
  const auto now = model.generator->config().num_codes;
  if (before != now)
    throw ConfigError(fmt::format(
        "--init {}: draws tokens of {} codes, and those to be learnt are of "
        "{}: nothing that it knows of them is true here",
        initial.where, before, now));
}

/// The first `depth` parts of a name.
std::string beginning(const std::string& name, int depth) {
  size_t end = 0;
  for (int i = 0; i < depth && end != std::string::npos; ++i)
    end = name.find('.', end + (i > 0));
  return name.substr(0, end);
}

std::map<std::string, std::vector<std::string>> groups_of(
    const std::vector<std::string>& names, int depth) {
  std::map<std::string, std::vector<std::string>> groups;
  for (const auto& name : names) groups[beginning(name, depth)].push_back(name);
  return groups;
}

}  // namespace

bool is_of_decoder(const std::string& name) {
  return name.starts_with("decoder.") || name.starts_with("post_quant_conv.");
}

bool SharedWeights::shares_encoder() const {
  for (const auto* names : {&fitted, &fresh, &misshapen})
    if (!std::ranges::all_of(*names, is_of_decoder)) return false;
  return true;
}

SharedWeights share_weights(AnyModel& model, const InitialModel& initial,
                            const std::vector<std::string>& class_names) {
  expect_same_tokens(model, initial);
  const torch::NoGradGuard no_grad;
  const auto source = weights_of(*initial.model.module);
  const Fitting fitted(model, initial, class_names);
  SharedWeights result;
  std::set<std::string> taken;
  const auto share = [&](const std::string& name, at::Tensor to) {
    const auto from = source.tensors.find(name);
    if (from == source.tensors.end()) return result.fresh.push_back(name);
    const auto values = fitted(name, from->second, to);
    if (!values) return result.misshapen.push_back(name);
    const bool as_it_is = values->is_same(from->second);
    (as_it_is ? result.shared : result.fitted).push_back(name);
    taken.insert(name);
    to.copy_(*values);
  };
  for (const auto& item : model.module->named_parameters())
    share(item.key(), item.value());
  for (const auto& item : model.module->named_buffers())
    share(item.key(), item.value());
  if (taken.empty())
    throw ConfigError(fmt::format(
        "--init {}: {}, no tensor of which has the name and the shape of one "
        "of the model, so that nothing would be shared; its names are such as "
        "{}",
        initial.where, initial.known->name, source.tensors.begin()->first));
  const auto has = [&](const std::vector<std::string>& names,
                       const std::string& name) {
    return std::ranges::find(names, name) != names.end();
  };
  for (const auto& [name, tensor] : source.tensors)
    if (!taken.contains(name) && !has(result.misshapen, name))
      result.left_over.push_back(name);
  keep_codes(*model.module, taken);
  return result;
}

std::string grouped_names(const std::vector<std::string>& names) {
  constexpr size_t kMany = 6;
  if (names.size() <= kMany) return fmt::format("{}", fmt::join(names, ", "));
  int depth = 1;
  while (groups_of(names, depth + 1).size() <= kMany) ++depth;
  std::vector<std::string> texts;
  for (const auto& [prefix, group] : groups_of(names, depth))
    texts.push_back(group.size() == 1
                        ? group.front()
                        : fmt::format("{}.* ({})", prefix, group.size()));
  return fmt::format("{}", fmt::join(texts, ", "));
}

void tell_shared(const SharedWeights& weights, const InitialModel& initial) {
  const auto all = weights.shared.size() + weights.fitted.size() +
                   weights.fresh.size() + weights.misshapen.size();
  note(fmt::format(
      "--init {}: {}, {} of whose tensors are taken as they are, "
      "of {} here",
      initial.where, initial.known->name, weights.shared.size(), all));
  const auto tell = [&](const char* what,
                        const std::vector<std::string>& names) {
    if (!names.empty())
      note(fmt::format("--init {}: {}: {}", initial.where, what,
                       grouped_names(names)));
  };
  tell("fitted to other channels, codes or classes", weights.fitted);
  tell("new, at first values", weights.fresh);
  tell("of another shape here, and so at first values", weights.misshapen);
  tell("left over", weights.left_over);
}

}  // namespace calotype
