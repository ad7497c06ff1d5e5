#include "core/random.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "core/check.h"
#include "core/error.h"
#include "core/parallel.h"

namespace calotype {
namespace {

// Numbers of which a thread is worth its while.
constexpr int64_t kNumbersPerTask = 1 << 11;

std::array<uint32_t, 4> counter_of(const Draw& draw, uint32_t block) {
  const auto high = uint32_t(draw.sample >> 32) & 0x00ffffffu;
  return {block, draw.step, uint32_t(draw.sample),
          high | (uint32_t(draw.stream) << 24)};
}

double to_unit(uint32_t word) {
  return (double(word) + 0.5) * 0x1p-32;
}

void fill_normal(float* out, int64_t count, const Draw& draw) {
  for (int64_t i = 0; i < count; i += 4) {
    const auto words = philox(counter_of(draw, uint32_t(i / 4)), draw.seed);
    // Box and Muller's transform, in double so that the float is the same
    // whichever mathematical library rounds it.
    float normals[4];
    for (int pair = 0; pair < 2; ++pair) {
      const double radius = std::sqrt(-2 * std::log(to_unit(words[2 * pair])));
      const double angle = 2 * std::numbers::pi * to_unit(words[2 * pair + 1]);
      normals[2 * pair] = float(radius * std::cos(angle));
      normals[2 * pair + 1] = float(radius * std::sin(angle));
    }
    for (int64_t j = i; j < std::min(i + 4, count); ++j)
      out[j] = normals[j - i];
  }
}

void fill_uniform(float* out, int64_t count, const Draw& draw) {
  constexpr double kLargest = 1 - 0x1p-24;  // what is nearer to 1 rounds to 1
  for (int64_t i = 0; i < count; i += 4) {
    const auto words = philox(counter_of(draw, uint32_t(i / 4)), draw.seed);
    for (int64_t j = i; j < std::min(i + 4, count); ++j)
      out[j] = float(std::min(to_unit(words[size_t(j - i)]), kLargest));
  }
}

/// [N, sample_shape...], row k by `fill` for the draw of sample samples[k].
template <class Fill>
at::Tensor filled_rows(const char* where, at::IntArrayRef sample_shape,
                       const at::Tensor& samples, const Draw& draw,
                       Fill&& fill) {
  check_shape(where, "samples", samples, {-1});
  const auto rows = samples.size(0);
  std::vector<int64_t> shape{rows};
  shape.insert(shape.end(), sample_shape.begin(), sample_shape.end());
  auto out = at::empty(shape, at::kFloat);
  if (out.numel() == 0) return out;
  const auto row_size = out.numel() / rows;
  const auto index = samples.to(at::kCPU, at::kLong).contiguous();
  const auto* sample = index.data_ptr<int64_t>();
  auto* data = out.data_ptr<float>();
  const auto grain = grain_of(row_size, kNumbersPerTask);
  parallel_for(0, rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      auto of_row = draw;
      of_row.sample = uint64_t(sample[i]);
      fill(data + i * row_size, row_size, of_row);
    }
  });
  return out;
}

}  // namespace

std::array<uint32_t, 4> philox(std::array<uint32_t, 4> c, uint64_t key) {
  auto k0 = uint32_t(key), k1 = uint32_t(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t(0xD2511F53u) * c[0];
    const uint64_t p1 = uint64_t(0xCD9E8D57u) * c[2];
    c = {uint32_t(p1 >> 32) ^ c[1] ^ k0, uint32_t(p1),
         uint32_t(p0 >> 32) ^ c[3] ^ k1, uint32_t(p0)};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c;
}

double uniform(const Draw& draw) {
  return to_unit(philox(counter_of(draw, 0), draw.seed)[0]);
}

int64_t uniform_index(const Draw& draw, int64_t count) {
  const auto words = philox(counter_of(draw, 0), draw.seed);
  const uint64_t wide = (uint64_t(words[0]) << 32) | words[1];
  return int64_t((static_cast<unsigned __int128>(wide) * uint64_t(count)) >>
                 64);
}

void uniform_indices(const Draw& draw, int64_t count, int64_t num,
                     int32_t* out) {
  for (int64_t i = 0; i < num; i += 4) {
    const auto words = philox(counter_of(draw, uint32_t(i / 4)), draw.seed);
    for (int64_t j = i; j < std::min(i + 4, num); ++j)
      out[j] =
          int32_t((uint64_t(words[size_t(j - i)]) * uint64_t(count)) >> 32);
  }
}

at::Tensor normal_rows(at::IntArrayRef sample_shape, const at::Tensor& samples,
                       uint64_t seed, Stream stream, uint32_t step) {
  return filled_rows("normal_rows", sample_shape, samples,
                     {seed, stream, 0, step}, fill_normal);
}

at::Tensor uniform_rows(at::IntArrayRef sample_shape, const at::Tensor& samples,
                        uint64_t seed, Stream stream, uint32_t step) {
  return filled_rows("uniform_rows", sample_shape, samples,
                     {seed, stream, 0, step}, fill_uniform);
}

Permutation::Permutation(int64_t size, uint64_t seed, uint32_t epoch)
    : size_(uint64_t(size)), seed_(seed), epoch_(epoch), half_bits_(1) {
  while ((uint64_t{1} << (2 * half_bits_)) < size_) ++half_bits_;
}

uint64_t Permutation::encipher(uint64_t value) const {
  const uint64_t mask = (uint64_t{1} << half_bits_) - 1;
  uint64_t left = value >> half_bits_, right = value & mask;
  for (uint32_t round = 0; round < 6; ++round) {
    const auto words =
        philox({uint32_t(right), epoch_, round, uint32_t(Stream::kOrder) << 24},
               seed_);
    const uint64_t next = left ^ (words[0] & mask);
    left = right;
    right = next;
  }
  return (left << half_bits_) | right;
}

int64_t Permutation::operator()(int64_t index) const {
  auto value = uint64_t(index);
  if (value >= size_) throw ShapeError("Permutation: index outside the set");
  do value = encipher(value);
  while (value >= size_);
  return int64_t(value);
}

}  // namespace calotype
