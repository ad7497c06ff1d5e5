// A decoder that runs in the page: the steps of explorer/portable_decoder.h,
// taken one after the other. A value is {channels, height, width, data}, data
// being Float64Array, so that rounding stays far below a grey level.
import {floatsOf} from 'explorer/bytes.js';

const sigmoid = (x) => 1 / (1 + Math.exp(-x));

/// Abramowitz and Stegun, "Handbook of Mathematical Functions", 7.1.26, errs by
/// 1.5e-7 at most: a thousandth of a grey level.
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const y = 1 - ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t -
    0.284496736) * t + 0.254829592) * t * Math.exp(-x * x);
  return x < 0 ? -y : y;
}

const kActivations = {
  relu: (x) => Math.max(0, x),
  tanh: Math.tanh,
  sigmoid,
  silu: (x) => x * sigmoid(x),
  swish: (x) => x * sigmoid(x),
  mish: (x) => x * Math.tanh(Math.log1p(Math.exp(x))),
  gelu: (x) => x * (1 + erf(x / Math.SQRT2)) / 2,
  none: (x) => x,
};

/// The value with a frame of zeros around each channel.
function framed({channels, height, width, data}) {
  const w = width + 2, h = height + 2, out = new Float64Array(channels * h * w);
  for (let c = 0; c < channels; ++c)
    for (let y = 0; y < height; ++y)
      out.set(data.subarray((c * height + y) * width, (c * height + y + 1) * width),
              (c * h + y + 1) * w + 1);
  return out;
}

/// Each: (step, value) to the value after it.
const kSteps = {
  dense({weight, bias, shape: [channels, height, width]}, {data}) {
    const out = Float64Array.from(bias), into = data.length;
    for (let o = 0, at = 0; o < out.length; ++o, at += into) {
      let sum = out[o];
      for (let i = 0; i < into; ++i) sum += weight[at + i] * data[i];
      out[o] = sum;
    }
    return {channels, height, width, data: out};
  },

  conv({weight, bias, channels: [into, channels], kernel}, value) {
    const {height, width} = value, pixels = height * width;
    const out = new Float64Array(channels * pixels);
    for (let o = 0; o < channels; ++o) {
      const to = out.subarray(o * pixels, (o + 1) * pixels).fill(bias[o]);
      if (kernel === 1)
        for (let i = 0; i < into; ++i) {
          const w = weight[o * into + i], from = i * pixels;
          for (let p = 0; p < pixels; ++p) to[p] += w * value.data[from + p];
        }
    }
    if (kernel === 1) return {channels, height, width, data: out};
    const from = framed(value), row = width + 2;
    for (let o = 0; o < channels; ++o)
      for (let i = 0; i < into; ++i) {
        const at = (o * into + i) * 9;
        const a = weight[at], b = weight[at + 1], c = weight[at + 2];
        const d = weight[at + 3], e = weight[at + 4], f = weight[at + 5];
        const g = weight[at + 6], h = weight[at + 7], k = weight[at + 8];
        for (let y = 0; y < height; ++y) {
          let next = (i * (height + 2) + y) * row, to = o * pixels + y * width;
          // What lies under the kernel, which takes a new column each time.
          let p0 = from[next], q0 = from[next + row], r0 = from[next + 2 * row];
          ++next;
          let p1 = from[next], q1 = from[next + row], r1 = from[next + 2 * row];
          for (const end = to + width; to < end; ++to) {
            ++next;
            const p2 = from[next], q2 = from[next + row];
            const r2 = from[next + 2 * row];
            out[to] += a * p0 + b * p1 + c * p2 + d * q0 + e * q1 + f * q2 +
              g * r0 + h * r1 + k * r2;
            p0 = p1; p1 = p2; q0 = q1; q1 = q2; r0 = r1; r1 = r2;
          }
        }
      }
    return {channels, height, width, data: out};
  },

  // Row 2y + r of the result is made of rows y + r - 1 and y + r, by rows 3 - r
  // and 1 - r of the kernel; columns likewise.
  doubling({weight, bias, channels: [into, channels]}, value) {
    const {height, width} = value, from = framed(value), row = width + 2;
    const pixels = 4 * height * width, out = new Float64Array(channels * pixels);
    for (let o = 0; o < channels; ++o) {
      out.fill(bias[o], o * pixels, (o + 1) * pixels);
      for (let i = 0; i < into; ++i)
        for (const r of [0, 1])
          for (const s of [0, 1]) {
            const tap = (y, x) => weight[((i * channels + o) * 4 + y) * 4 + x];
            const a = tap(3 - r, 3 - s), b = tap(3 - r, 1 - s);
            const c = tap(1 - r, 3 - s), d = tap(1 - r, 1 - s);
            for (let y = 0; y < height; ++y) {
              let at = (i * (height + 2) + y + r) * row + s;
              let to = o * pixels + (2 * y + r) * 2 * width + s;
              for (let x = 0; x < width; ++x, ++at, to += 2)
                out[to] += a * from[at] + b * from[at + 1] + c * from[at + row] +
                  d * from[at + row + 1];
            }
          }
    }
    return {channels, height: 2 * height, width: 2 * width, data: out};
  },

  double(step, {channels, height, width, data}) {
    const out = new Float64Array(4 * data.length);
    for (let to = 0, y = 0; y < 2 * channels * height; ++y)
      for (let x = 0; x < 2 * width; ++x)
        out[to++] = data[(y >> 1) * width + (x >> 1)];
    return {channels, height: 2 * height, width: 2 * width, data: out};
  },

  activate({by}, value) {
    return {...value, data: value.data.map(kActivations[by])};
  },

  normalise({groups, eps, weight, bias}, value) {
    const {channels, data} = value, pixels = data.length / channels;
    const size = data.length / groups, out = new Float64Array(data.length);
    for (let group = 0; group < groups; ++group) {
      const begin = group * size, end = begin + size;
      let mean = 0, variance = 0;
      for (let i = begin; i < end; ++i) mean += data[i] / size;
      for (let i = begin; i < end; ++i) variance += (data[i] - mean) ** 2 / size;
      for (let c = begin / pixels; c < end / pixels; ++c) {
        const scale = weight[c] / Math.sqrt(variance + eps);
        for (let i = c * pixels; i < (c + 1) * pixels; ++i)
          out[i] = (data[i] - mean) * scale + bias[c];
      }
    }
    return {...value, data: out};
  },

  attend({query, key, value: values, out}, grid) {
    const {channels, height, width} = grid, pixels = height * width;
    const project = (by, from) => kSteps.conv(
      {...by, channels: [channels, channels], kernel: 1}, from).data;
    const q = project(query, grid), k = project(key, grid);
    const v = project(values, grid), mixed = new Float64Array(channels * pixels);
    for (let p = 0; p < pixels; ++p) {
      const scores = new Float64Array(pixels);
      for (let c = 0; c < channels; ++c) {
        const by = q[c * pixels + p] / Math.sqrt(channels);
        for (let s = 0; s < pixels; ++s) scores[s] += by * k[c * pixels + s];
      }
      const most = scores.reduce((a, b) => Math.max(a, b));
      const shares = scores.map((score) => Math.exp(score - most));
      const sum = shares.reduce((a, b) => a + b);
      for (let c = 0; c < channels; ++c) {
        let all = 0;
        for (let s = 0; s < pixels; ++s) all += shares[s] * v[c * pixels + s];
        mixed[c * pixels + p] = all / sum;
      }
    }
    return {channels, height, width,
            data: project(out, {channels, height, width, data: mixed})};
  },

  add({way, shortcut}, value) {
    const sum = run(way, value), other = run(shortcut, value).data;
    return {...sum, data: sum.data.map((v, i) => v + other[i])};
  },

  quantise(step, value) {
    return lookup(step, nearestCodes(step, value), value);
  },
};

function run(steps, value) {
  return steps.reduce((x, step) => kSteps[step.do](step, x), value);
}

/// For each pixel the first of the nearest rows of the codebook.
function nearestCodes({codebook}, {channels, height, width, data}) {
  const pixels = height * width, codes = codebook.length / channels;
  return Int32Array.from({length: pixels}, (_, p) => {
    let best = 0, least = Infinity;
    for (let code = 0; code < codes; ++code) {
      let distance = 0;
      for (let c = 0; c < channels; ++c)
        distance += (codebook[code * channels + c] - data[c * pixels + p]) ** 2;
      if (distance < least) [best, least] = [code, distance];
    }
    return best;
  });
}

/// The codebook's rows, in the shape of `value`.
function lookup({codebook}, tokens, value) {
  const {channels} = value, pixels = tokens.length;
  const data = new Float64Array(channels * pixels);
  tokens.forEach((token, p) => {
    for (let c = 0; c < channels; ++c)
      data[c * pixels + p] = codebook[token * channels + c];
  });
  return {...value, data};
}

const kNumbers = ['weight', 'bias', 'codebook'];

/// Weights as they are written to numbers, in all steps.
function unpacked(step) {
  if (Array.isArray(step)) return step.map(unpacked);
  return Object.fromEntries(Object.entries(step).map(([key, part]) => [key,
    kNumbers.includes(key) ? Float64Array.from(floatsOf(part))
      : part && typeof part === 'object' && !['shape', 'channels'].includes(key)
        ? unpacked(part) : part]));
}

export class Decoder {
  /// `shape`: [D,h,w] of a code.
  constructor({steps, output}, shape) {
    this.steps = unpacked(steps);
    this.output = output;
    [this.channels, this.height, this.width] = shape;
  }

  grid(code) {
    const {channels, height, width} = this;
    return {channels, height, width, data: Float64Array.from(code)};
  }

  /// Levels 0 to 255 of a code's picture: {channels, height, width, data}.
  levels(code) {
    return this.toLevels(run(this.steps, this.grid(code)));
  }

  /// The same, of a tokenizer's tokens.
  levelsOfTokens(tokens) {
    const [quantise, ...rest] = this.steps;
    const {channels, height, width} = this;
    return this.toLevels(run(rest, lookup(quantise, tokens,
                                          {channels, height, width})));
  }

  /// A tokenizer's tokens of a code, row by row; null of any other.
  tokens(code) {
    const [first] = this.steps;
    return first.do === 'quantise' ? nearestCodes(first, this.grid(code)) : null;
  }

  // Of logits, probabilities; else from [-1, 1].
  toLevels(value) {
    return {...value, data: Uint8Array.from(value.data, (v) => Math.round(
      255 * Math.min(1, Math.max(0,
        this.output === 'sigmoid' ? sigmoid(v) : v / 2 + 0.5))))};
  }
}
