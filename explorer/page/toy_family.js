// The autoencoder family on points of the plane: the same network, and what
// each member adds to the objective.
import {Adam, Mlp} from 'explorer/mlp.js';
import {normalOf, uniforms} from 'explorer/random.js';

const kHidden = [32, 32];
const kBatch = 64;
const kRate = 4e-3;
const kProbe = 0.02;        // how far a contractive probe steps
const kVariance = 0.01;     // of the noise that a VAE's decoder assumes

export const kMembers = {
  linear: {
    name: 'linear',
    says: 'No hidden layer. Trained on squared errors it can do no better than ' +
      'the principal component: the dashed line is PCA, in closed form.',
    link: 'Linear and tied',
  },
  plain: {
    name: 'plain',
    says: 'Hidden layers bend the line: non-linear PCA. Nothing orders the codes, ' +
      'and beside the points the curve goes where it likes.',
    link: 'Plain',
  },
  denoising: {
    name: 'denoising',
    says: 'Inputs are shaken, the clean point is asked for. Each arrow is what ' +
      'comes back of its foot: it learns to push points back to where the data lie.',
    link: 'Denoising',
    strength: {label: 'noise', low: 0.05, high: 0.6, value: 0.25},
  },
  contractive: {
    name: 'contractive',
    says: 'A price for codes that move with the input: the Jacobian of the ' +
      'encoder, squared. Arrows show that what is off the data stays put.',
    link: 'Contractive',
    strength: {label: 'price', low: 0, high: 0.2, value: 0.03},
  },
  sparse: {
    name: 'sparse',
    says: 'A price for numbers that are not zero. Of two numbers each point ' +
      'uses as few as it can: see the codes gather on the axes.',
    link: 'Sparse',
    strength: {label: 'price', low: 0, high: 0.2, value: 0.05},
  },
  vae: {
    name: 'variational',
    says: 'A code is a cloud, and has a price for its distance from the standard ' +
      'normal. Drawn codes (the pale points) decode to where the data lie.',
    link: 'Variational',
    strength: {label: 'β', low: 0, high: 3, value: 0.5},
  },
};

export class ToyModel {
  /// points: x, y of each; numbers: 1 or 2, of the code.
  constructor(points, member, numbers, strength, seed = 1) {
    this.points = points;
    this.member = member;
    this.numbers = numbers;
    this.strength = strength;
    this.uniform = uniforms(seed);
    const hidden = member === 'linear' ? [] : kHidden;
    const out = member === 'vae' ? 2 * numbers : numbers;
    this.encoder = new Mlp([2, ...hidden, out], this.uniform);
    this.decoder = new Mlp([numbers, ...hidden, 2], this.uniform);
    this.adam = new Adam([this.encoder, this.decoder], kRate);
    this.losses = [];
  }

  normal() {
    return normalOf(this.uniform);
  }

  /// One step on a batch; returns the mean squared error of the points.
  step() {
    const {numbers: k, member} = this, count = this.points.length / 2;
    const x = new Float64Array(2 * kBatch), seen = new Float64Array(2 * kBatch);
    for (let n = 0; n < kBatch; ++n) {
      const i = Math.floor(this.uniform() * count);
      for (let d = 0; d < 2; ++d) {
        x[2 * n + d] = this.points[2 * i + d];
        seen[2 * n + d] = x[2 * n + d] +
          (member === 'denoising' ? this.strength * this.normal() : 0);
      }
    }
    const coded = this.encoder.forward(seen, kBatch), out = coded.at(-1);
    const z = new Float64Array(k * kBatch), noise = new Float64Array(k * kBatch);
    for (let n = 0; n < kBatch; ++n)
      for (let d = 0; d < k; ++d) {
        const at = n * k + d;
        if (member !== 'vae') z[at] = out[at];
        else {
          noise[at] = this.normal();
          z[at] = out[2 * n * k + d] +
            Math.exp(out[2 * n * k + k + d] / 2) * noise[at];
        }
      }
    const decoded = this.decoder.forward(z, kBatch), y = decoded.at(-1);
    const scale = member === 'vae' ? 1 / kVariance : 2;
    let error = 0;
    const dy = new Float64Array(2 * kBatch);
    for (let i = 0; i < dy.length; ++i) {
      error += (y[i] - x[i]) ** 2 / kBatch;
      dy[i] = scale * (y[i] - x[i]) / kBatch;
    }
    const dz = this.decoder.backward(decoded, dy, kBatch);
    this.encoder.backward(coded, this.codeGradient(out, z, dz, noise), kBatch);
    if (member === 'contractive') this.contract(seen, coded);
    this.adam.update();
    this.losses.push(error);
    return error;
  }

  /// Of the encoder's output: of the error, and of the price of the code.
  codeGradient(out, z, dz, noise) {
    const {numbers: k, member, strength} = this;
    if (member !== 'vae') {
      if (member === 'sparse')
        for (let i = 0; i < dz.length; ++i)
          dz[i] += strength * Math.sign(z[i]) / kBatch;
      return dz;
    }
    const d = new Float64Array(out.length);
    for (let n = 0; n < kBatch; ++n)
      for (let i = 0; i < k; ++i) {
        const mean = 2 * n * k + i, logvar = mean + k, at = n * k + i;
        const std = Math.exp(out[logvar] / 2);
        // KL of N(mean, std^2) from N(0, 1): (mean^2 + std^2 - 1 - logvar) / 2.
        d[mean] = dz[at] + strength * out[mean] / kBatch;
        d[logvar] = dz[at] * noise[at] * std / 2 +
          strength * (std * std - 1) / 2 / kBatch;
      }
    return d;
  }

  /// The squared Jacobian along a random direction, twice, is that of all.
  contract(x, coded) {
    const moved = new Float64Array(x.length);
    for (let n = 0; n < kBatch; ++n) {
      const angle = 2 * Math.PI * this.uniform();
      moved[2 * n] = x[2 * n] + kProbe * Math.cos(angle);
      moved[2 * n + 1] = x[2 * n + 1] + kProbe * Math.sin(angle);
    }
    const there = this.encoder.forward(moved, kBatch);
    const a = coded.at(-1), b = there.at(-1);
    const d = b.map((value, i) => 2 * 2 * this.strength * (value - a[i]) /
      (kProbe * kProbe) / kBatch);
    this.encoder.backward(there, d, kBatch);
    this.encoder.backward(coded, d.map((value) => -value), kBatch);
  }

  /// Codes (means) of points, and what codes decode to.
  encode(points) {
    const count = points.length / 2, {numbers: k} = this;
    const out = this.encoder.output(Float64Array.from(points), count);
    if (this.member !== 'vae') return out;
    const means = new Float64Array(count * k);
    for (let n = 0; n < count; ++n)
      for (let d = 0; d < k; ++d) means[n * k + d] = out[2 * n * k + d];
    return means;
  }
  deviations(point) {
    const out = this.encoder.output(Float64Array.from(point), 1);
    return Array.from({length: this.numbers}, (_, d) =>
      Math.exp(out[this.numbers + d] / 2));
  }
  decode(codes) {
    return this.decoder.output(Float64Array.from(codes),
                               codes.length / this.numbers);
  }
}

/// The first principal component: mean [2] and unit direction [2].
export function principalLine(points) {
  const count = points.length / 2;
  let mx = 0, my = 0;
  for (let i = 0; i < count; ++i) {
    mx += points[2 * i] / count;
    my += points[2 * i + 1] / count;
  }
  let xx = 0, xy = 0, yy = 0;
  for (let i = 0; i < count; ++i) {
    const x = points[2 * i] - mx, y = points[2 * i + 1] - my;
    xx += x * x;
    xy += x * y;
    yy += y * y;
  }
  const angle = 0.5 * Math.atan2(2 * xy, xx - yy);
  return {mean: [mx, my], direction: [Math.cos(angle), Math.sin(angle)]};
}

/// Sets of points about [-1.5, 1.5].
export const kToySets = {
  arc: (u) => {
    const t = Math.PI * (0.05 + 0.9 * u());
    return [1.4 * Math.cos(t), 1.8 * Math.sin(t) - 0.9];
  },
  circle: (u) => {
    const t = 2 * Math.PI * u();
    return [1.2 * Math.cos(t), 1.2 * Math.sin(t)];
  },
  moons: (u) => {
    const t = Math.PI * u();
    return u() < 0.5 ? [Math.cos(t) - 0.5, Math.sin(t) - 0.25]
                     : [0.5 - Math.cos(t), 0.25 - Math.sin(t)];
  },
  spiral: (u) => {
    const t = 0.6 + 2.9 * Math.PI * Math.sqrt(u()) ;
    return [0.16 * t * Math.cos(t), 0.16 * t * Math.sin(t)];
  },
  line: (u) => {
    const t = 3 * u() - 1.5;
    return [t, 0.5 * t];
  },
};

export function toyPoints(name, count = 400, jitter = 0.05, seed = 5) {
  const u = uniforms(seed), points = [];
  for (let i = 0; i < count; ++i) {
    const [x, y] = kToySets[name](u);
    points.push(x + jitter * normalOf(u), y + jitter * normalOf(u));
  }
  return points;
}
