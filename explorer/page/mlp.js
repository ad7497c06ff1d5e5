// A small network that learns while one watches: dense layers with tanh between
// them, their gradients by hand, and Adam (arXiv:1412.6980, algorithm 1).

export class Mlp {
  /// widths: of the input, each hidden layer, and the output.
  constructor(widths, uniform) {
    this.layers = widths.slice(1).map((out, i) => {
      const into = widths[i];
      const bound = Math.sqrt(6 / (into + out));  // Glorot and Bengio, 2010
      return {
        into, out,
        weight: Float64Array.from({length: into * out},
                                  () => (2 * uniform() - 1) * bound),
        bias: new Float64Array(out),
        dWeight: new Float64Array(into * out),
        dBias: new Float64Array(out),
      };
    });
  }

  /// x: rows of inputs, [count, width]. Returns what backward() needs: the
  /// activations of all layers, the last of them the output.
  forward(x, count) {
    const all = [x];
    this.layers.forEach((layer, l) => {
      const {into, out, weight, bias} = layer;
      const from = all[l], to = new Float64Array(count * out);
      const isLast = l === this.layers.length - 1;
      for (let n = 0; n < count; ++n)
        for (let o = 0; o < out; ++o) {
          let sum = bias[o];
          for (let i = 0; i < into; ++i)
            sum += weight[o * into + i] * from[n * into + i];
          to[n * out + o] = isLast ? sum : Math.tanh(sum);
        }
      all.push(to);
    });
    return all;
  }

  output(x, count) {
    return this.forward(x, count).at(-1);
  }

  /// Adds the gradients of the weights for `grad` [count, out] of the output;
  /// returns that of the input.
  backward(all, grad, count) {
    for (let l = this.layers.length - 1; l >= 0; --l) {
      const {into, out, weight, dWeight, dBias} = this.layers[l];
      const from = all[l], to = all[l + 1];
      const isLast = l === this.layers.length - 1;
      const next = new Float64Array(count * into);
      for (let n = 0; n < count; ++n)
        for (let o = 0; o < out; ++o) {
          const y = to[n * out + o];
          const g = grad[n * out + o] * (isLast ? 1 : 1 - y * y);
          if (g === 0) continue;
          dBias[o] += g;
          for (let i = 0; i < into; ++i) {
            dWeight[o * into + i] += g * from[n * into + i];
            next[n * into + i] += g * weight[o * into + i];
          }
        }
      grad = next;
    }
    return grad;
  }

  parameters() {
    return this.layers.flatMap((layer) => [
      [layer.weight, layer.dWeight], [layer.bias, layer.dBias]]);
  }
}

export class Adam {
  constructor(networks, rate) {
    this.rate = rate;
    this.step = 0;
    this.all = networks.flatMap((network) => network.parameters())
      .map(([values, grads]) => ({
        values, grads,
        first: new Float64Array(values.length),
        second: new Float64Array(values.length),
      }));
  }

  /// Takes a step, and forgets the gradients.
  update() {
    ++this.step;
    const a = 1 - 0.9 ** this.step, b = 1 - 0.999 ** this.step;
    for (const {values, grads, first, second} of this.all)
      for (let i = 0; i < values.length; ++i) {
        const g = grads[i];
        first[i] = 0.9 * first[i] + 0.1 * g;
        second[i] = 0.999 * second[i] + 0.001 * g * g;
        values[i] -= this.rate * (first[i] / a) /
          (Math.sqrt(second[i] / b) + 1e-8);
        grads[i] = 0;
      }
  }
}
