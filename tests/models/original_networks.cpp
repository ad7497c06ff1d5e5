#include "tests/models/original_networks.h"

#include <fmt/format.h>

#include <cmath>

namespace calotype::original {
namespace {

at::Tensor softmax_attention(const at::Tensor& q, const at::Tensor& k,
                             const at::Tensor& v) {  // [N,L,C]
  const auto scores =
      q.matmul(k.transpose(1, 2)) / std::sqrt(double(q.size(2)));
  return scores.softmax(2).matmul(v);
}

at::Tensor residual_block(Weights& w, const std::string& name,
                          const at::Tensor& x, int64_t out) {
  auto h = conv(w, name + ".conv1", at::silu(norm(w, name + ".norm1", x, 1e-6)),
                out, 3);
  h = conv(w, name + ".conv2", at::silu(norm(w, name + ".norm2", h, 1e-6)), out,
           3);
  return (x.size(1) == out ? x
                           : conv(w, name + ".nin_shortcut", x, out, 1, 1, 0)) +
         h;
}

at::Tensor attention_block(Weights& w, const std::string& name,
                           const at::Tensor& x) {
  const auto C = x.size(1);
  const auto h = norm(w, name + ".norm", x, 1e-6);
  const auto rows = [&](const char* kind) {
    return conv(w, name + kind, h, C, 1, 1, 0).flatten(2).transpose(1, 2);
  };
  const auto q = rows(".q"), k = rows(".k"), v = rows(".v");
  const auto out =
      softmax_attention(q, k, v).transpose(1, 2).reshape_as(x).contiguous();
  return x + conv(w, name + ".proj_out", out, C, 1, 1, 0);
}

at::Tensor middle(Weights& w, const Autoencoder& c, const std::string& half,
                  at::Tensor h) {
  const auto C = h.size(1);
  h = residual_block(w, half + (c.is_llamagen ? "mid.0" : "mid.block_1"), h, C);
  if (c.mid_attention)
    h = attention_block(w, half + (c.is_llamagen ? "mid.1" : "mid.attn_1"), h);
  return residual_block(w, half + (c.is_llamagen ? "mid.2" : "mid.block_2"), h,
                        C);
}

at::Tensor level_blocks(Weights& w, const Autoencoder& c,
                        const std::string& level, at::Tensor h, int64_t width,
                        int64_t num_blocks, bool attends) {
  for (int64_t j = 0; j < num_blocks; ++j) {
    h = residual_block(
        w, fmt::format("{}.{}.{}", level, c.is_llamagen ? "res" : "block", j),
        h, width);
    if (attends) h = attention_block(w, fmt::format("{}.attn.{}", level, j), h);
  }
  return h;
}

at::Tensor twice(const at::Tensor& x) {
  return x.repeat_interleave(2, 2).repeat_interleave(2, 3);
}

at::Tensor frequencies(const at::Tensor& t, int64_t dim) {
  const auto half = dim / 2;
  const auto rates =
      (at::arange(half, at::kFloat) * (-std::log(10000.0) / double(half)))
          .exp();
  const auto angles = t.to(at::kFloat).unsqueeze(1) * rates.unsqueeze(0);
  return at::cat({angles.cos(), angles.sin()}, 1);
}

class UnetPass {
 public:
  UnetPass(Weights& w, const Unet& c, const std::string& prefix)
      : w_(w), c_(c), prefix_(prefix) {}

  at::Tensor operator()(const at::Tensor& x, const at::Tensor& timesteps,
                        const at::Tensor& labels) {
    const auto C = c_.widths[0];
    emb_ =
        linear(w_, prefix_ + "time_embed.0", frequencies(timesteps, C), 4 * C);
    emb_ = linear(w_, prefix_ + "time_embed.2", at::silu(emb_), 4 * C);
    if (c_.num_classes > 0)
      emb_ =
          emb_ + w_.get(prefix_ + "label_emb.weight", {c_.num_classes, 4 * C})
                     .index_select(0, labels);
    auto h = conv(w_, prefix_ + "input_blocks.0.0", x, C, 3);
    std::vector<at::Tensor> skips{h};
    int64_t place = 1;
    for (size_t i = 0; i < c_.widths.size(); ++i) {
      for (int64_t j = 0; j < c_.num_blocks; ++j) {
        h = block(fmt::format("input_blocks.{}.", place++), h, c_.widths[i],
                  c_.attention[i]);
        skips.push_back(h);
      }
      if (i + 1 == c_.widths.size()) continue;
      h = conv(w_, fmt::format("{}input_blocks.{}.0.op", prefix_, place++), h,
               c_.widths[i], 3, 2);
      skips.push_back(h);
    }
    h = residual("middle_block.0.", h, c_.widths.back());
    h = attention("middle_block.1.", h);
    h = residual("middle_block.2.", h, c_.widths.back());
    place = 0;
    for (size_t i = c_.widths.size(); i-- > 0;)
      for (int64_t j = 0; j <= c_.num_blocks; ++j) {
        h = at::cat({h, skips.back()}, 1);
        skips.pop_back();
        const auto name = fmt::format("output_blocks.{}.", place++);
        h = block(name, h, c_.widths[i], c_.attention[i]);
        if (i > 0 && j == c_.num_blocks)
          h = conv(w_,
                   fmt::format("{}{}{}.conv", prefix_, name,
                               c_.attention[i] ? 2 : 1),
                   twice(h), c_.widths[i], 3);
      }
    return conv(w_, prefix_ + "out.2",
                at::silu(norm(w_, prefix_ + "out.0", h, 1e-5)), x.size(1), 3);
  }

 private:
  at::Tensor block(const std::string& name, const at::Tensor& x, int64_t width,
                   bool attends) {
    const auto h = residual(name + "0.", x, width);
    return attends ? attention(name + "1.", h) : h;
  }

  at::Tensor residual(const std::string& name, const at::Tensor& x,
                      int64_t width) {
    const auto at = prefix_ + name;
    auto h = conv(w_, at + "in_layers.2",
                  at::silu(norm(w_, at + "in_layers.0", x, 1e-5)), width, 3);
    const auto time = linear(w_, at + "emb_layers.1", at::silu(emb_),
                             c_.scale_shift ? 2 * width : width)
                          .unsqueeze(2)
                          .unsqueeze(3);
    if (c_.scale_shift) {
      const auto parts = time.chunk(2, 1);
      h = norm(w_, at + "out_layers.0", h, 1e-5) * (1 + parts[0]) + parts[1];
    } else {
      h = norm(w_, at + "out_layers.0", h + time, 1e-5);
    }
    h = conv(w_, at + "out_layers.3", at::silu(h), width, 3);
    return h + (x.size(1) == width
                    ? x
                    : conv(w_, at + "skip_connection", x, width, 1, 1, 0));
  }

  at::Tensor attention(const std::string& name, const at::Tensor& x) {
    const auto at = prefix_ + name;
    const auto C = x.size(1), H = C / c_.head_channels;
    const auto flat = norm(w_, at + "norm", x, 1e-5).flatten(2);  // [N,C,L]
    const auto one = [&](const std::string& layer, const at::Tensor& rows,
                         int64_t out) {
      return at::conv1d(rows, w_.get(layer + ".weight", {out, C, 1}),
                        w_.get(layer + ".bias", {out}));
    };
    const auto qkv = one(at + "qkv", flat, 3 * C);
    std::vector<at::Tensor> heads;
    for (int64_t head = 0; head < H; ++head) {
      const auto part = [&](int64_t which) {
        const auto first = c_.new_order ? which * C + head * c_.head_channels
                                        : (3 * head + which) * c_.head_channels;
        return qkv.narrow(1, first, c_.head_channels).transpose(1, 2);
      };
      heads.push_back(
          softmax_attention(part(0), part(1), part(2)).transpose(1, 2));
    }
    return x + one(at + "proj_out", at::cat(heads, 1), C).reshape_as(x);
  }

  Weights& w_;
  const Unet& c_;
  std::string prefix_;
  at::Tensor emb_;
};

at::Tensor tiny_block(Weights& w, const std::string& name,
                      const at::Tensor& x) {
  const auto C = x.size(1);
  auto h = at::relu(conv(w, name + ".conv.0", x, C, 3));
  h = at::relu(conv(w, name + ".conv.2", h, C, 3));
  return at::relu(conv(w, name + ".conv.4", h, C, 3) + x);
}

at::Tensor plain_norm(const at::Tensor& x) {
  return at::layer_norm(x, {x.size(-1)}, {}, {}, 1e-6);
}

/// Rows of sines and cosines: the column's in the first half.
at::Tensor positions(int64_t width, int64_t edge) {
  const auto rates = at::exp(at::arange(width / 4, at::kDouble) *
                             (-std::log(10000.0) / double(width / 4)));
  const auto of = [&](const at::Tensor& places) {
    const auto angles = places.unsqueeze(1) * rates.unsqueeze(0);
    return at::cat({angles.sin(), angles.cos()}, 1);
  };
  const auto line = at::arange(edge, at::kDouble);
  return at::cat({of(line.repeat({edge})), of(line.repeat_interleave(edge))}, 1)
      .to(at::kFloat);
}

}  // namespace

at::Tensor Weights::get(const std::string& name, std::vector<int64_t> shape) {
  auto& tensor = tensors[name];
  if (tensor.defined()) return tensor;
  double fan_in = 1;
  for (size_t i = 1; i < shape.size(); ++i) fan_in *= double(shape[i]);
  const bool is_matrix = shape.size() > 1;
  tensor = at::randn(shape) * (is_matrix ? 1 / std::sqrt(fan_in) : 0.2);
  if (!is_matrix && name.ends_with("weight")) tensor += 1;
  return tensor;
}

at::Tensor conv(Weights& w, const std::string& name, const at::Tensor& x,
                int64_t out, int64_t kernel, int64_t stride, int64_t padding,
                bool bias) {
  const auto weight = w.get(name + ".weight", {out, x.size(1), kernel, kernel});
  return at::conv2d(x, weight,
                    bias ? w.get(name + ".bias", {out}) : at::Tensor(), stride,
                    padding);
}

at::Tensor linear(Weights& w, const std::string& name, const at::Tensor& x,
                  int64_t out) {
  return at::linear(x, w.get(name + ".weight", {out, x.size(-1)}),
                    w.get(name + ".bias", {out}));
}

at::Tensor norm(Weights& w, const std::string& name, const at::Tensor& x,
                double eps) {
  return at::group_norm(x, 32, w.get(name + ".weight", {x.size(1)}),
                        w.get(name + ".bias", {x.size(1)}), eps);
}

at::Tensor encoder(Weights& w, const Autoencoder& c, at::Tensor x, int64_t out,
                   const std::string& prefix) {
  const auto half = prefix + "encoder.";
  x = conv(w, half + "conv_in", x, c.widths[0], 3);
  for (size_t i = 0; i < c.widths.size(); ++i) {
    const auto level =
        fmt::format("{}{}.{}", half, c.is_llamagen ? "conv_blocks" : "down", i);
    x = level_blocks(w, c, level, x, c.widths[i], c.num_blocks, c.attention[i]);
    if (i + 1 < c.widths.size())  // zeros below and at the right
      x = conv(w, level + ".downsample.conv",
               at::constant_pad_nd(x, {0, 1, 0, 1}), c.widths[i], 3, 2, 0);
  }
  x = middle(w, c, half, x);
  return conv(w, half + "conv_out",
              at::silu(norm(w, half + "norm_out", x, 1e-6)), out, 3);
}

at::Tensor decoder(Weights& w, const Autoencoder& c, at::Tensor z,
                   const std::string& prefix) {
  const auto half = prefix + "decoder.";
  const auto last = c.widths.size() - 1;
  z = conv(w, half + "conv_in", z, c.widths[last], 3);
  z = middle(w, c, half, z);
  for (size_t i = c.widths.size(); i-- > 0;) {
    const auto level = c.is_llamagen
                           ? fmt::format("{}conv_blocks.{}", half, last - i)
                           : fmt::format("{}up.{}", half, i);
    z = level_blocks(w, c, level, z, c.widths[i], c.num_blocks + 1,
                     c.attention[i]);
    if (i > 0) z = conv(w, level + ".upsample.conv", twice(z), c.widths[i], 3);
  }
  return conv(w, half + "conv_out",
              at::silu(norm(w, half + "norm_out", z, 1e-6)), 3, 3);
}

at::Tensor unet(Weights& w, const Unet& c, const at::Tensor& x,
                const at::Tensor& timesteps, const at::Tensor& labels,
                const std::string& prefix) {
  return UnetPass(w, c, prefix)(x, timesteps, labels);
}

at::Tensor taesd_encoder(Weights& w, at::Tensor x, int64_t width,
                         std::vector<int64_t> num_blocks, int64_t out) {
  int64_t place = 0;
  for (size_t i = 0; i < num_blocks.size(); ++i) {
    x = conv(w, std::to_string(place++), x, width, 3, i == 0 ? 1 : 2, 1,
             i == 0);
    for (int64_t j = 0; j < num_blocks[i]; ++j)
      x = tiny_block(w, std::to_string(place++), x);
  }
  return conv(w, std::to_string(place), x, out, 3);
}

at::Tensor taesd_decoder(Weights& w, at::Tensor z, int64_t width,
                         std::vector<int64_t> num_blocks) {
  z = at::relu(conv(w, "1", at::tanh(z / 3) * 3, width, 3));  // 0: the clamp
  int64_t place = 3;
  for (size_t i = 0; i < num_blocks.size(); ++i) {
    for (int64_t j = 0; j < num_blocks[i]; ++j)
      z = tiny_block(w, std::to_string(place++), z);
    const bool is_last = i + 1 == num_blocks.size();
    if (!is_last) z = twice(z), ++place;
    z = conv(w, std::to_string(place++), z, is_last ? 3 : width, 3, 1, 1,
             is_last);
  }
  return z;
}

at::Tensor dit(Weights& w, const Dit& c, const at::Tensor& x,
               const at::Tensor& timesteps, const at::Tensor& labels) {
  const auto D = c.width, p = c.patch, edge = x.size(2) / p;
  auto h = conv(w, "x_embedder.proj", x, D, p, p, 0).flatten(2).transpose(1, 2);
  w.tensors["pos_embed"] = positions(D, edge).unsqueeze(0);
  h = h + w.tensors["pos_embed"];
  auto emb = linear(w, "t_embedder.mlp.0", frequencies(timesteps, 256), D);
  emb = linear(w, "t_embedder.mlp.2", at::silu(emb), D);
  emb = emb + w.get("y_embedder.embedding_table.weight", {c.num_classes + 1, D})
                  .index_select(0, labels);
  const auto condition = at::silu(emb).unsqueeze(1);
  for (int64_t i = 0; i < c.depth; ++i) {
    const auto block = fmt::format("blocks.{}.", i);
    const auto m =
        linear(w, block + "adaLN_modulation.1", condition, 6 * D).chunk(6, 2);
    const auto qkv =
        linear(w, block + "attn.qkv", plain_norm(h) * (1 + m[1]) + m[0], 3 * D);
    std::vector<at::Tensor> heads;
    const auto d = D / c.heads;
    for (int64_t head = 0; head < c.heads; ++head) {
      const auto part = [&](int64_t which) {
        return qkv.narrow(2, which * D + head * d, d);
      };
      heads.push_back(softmax_attention(part(0), part(1), part(2)));
    }
    h = h + m[2] * linear(w, block + "attn.proj", at::cat(heads, 2), D);
    const auto inner = at::gelu(
        linear(w, block + "mlp.fc1", plain_norm(h) * (1 + m[4]) + m[3], 4 * D),
        "tanh");
    h = h + m[5] * linear(w, block + "mlp.fc2", inner, D);
  }
  const auto m =
      linear(w, "final_layer.adaLN_modulation.1", condition, 2 * D).chunk(2, 2);
  const auto out =
      linear(w, "final_layer.linear", plain_norm(h) * (1 + m[1]) + m[0],
             p * p * 2 * x.size(1));
  return out.reshape({x.size(0), edge, edge, p, p, 2 * x.size(1)})
      .permute({0, 5, 1, 3, 2, 4})
      .reshape({x.size(0), 2 * x.size(1), edge * p, edge * p});
}

}  // namespace calotype::original
