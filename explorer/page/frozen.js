// What answers in a page that was given away: the same questions as the
// program's, from what lies in the page.
import {floatsOf} from 'explorer/bytes.js';
import {loaded} from 'explorer/pictures.js';

const kActivations = {
  relu: (x) => Math.max(0, x),
  tanh: Math.tanh,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  silu: (x) => x / (1 + Math.exp(-x)),
  swish: (x) => x / (1 + Math.exp(-x)),
  mish: (x) => x * Math.tanh(Math.log1p(Math.exp(x))),
  none: (x) => x,
};

/// Abramowitz and Stegun, "Handbook of Mathematical Functions", 7.1.26, errs by
/// 1.5e-7 at most: a thousandth of a grey level.
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const y = 1 - ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t -
    0.284496736) * t + 0.254829592) * t * Math.exp(-x * x);
  return x < 0 ? -y : y;
}
kActivations.gelu = (x) => x * (1 + erf(x / Math.SQRT2)) / 2;

/// What the page holds, or null where a server answers.
export function frozenParts() {
  const element = document.getElementById('frozen');
  return element ? JSON.parse(element.textContent) : null;
}

export class FrozenBackend {
  constructor(parts) {
    this.parts = parts;
    this.busy = new Set();
    [this.channels, this.height, this.width] = parts.model.image;
    this.codes = floatsOf(parts.codes);
    this.numbers = parts.model.code.reduce((a, b) => a * b, 1);
    this.logvars = parts.logvars ? floatsOf(parts.logvars) : null;
    if (parts.decoder)
      this.layers = parts.decoder.layers.map((layer) => ({
        ...layer, weight: floatsOf(layer.weight), bias: floatsOf(layer.bias)}));
  }

  async ask(name, request) {
    if (name === 'model') return this.parts.model;
    const answer = this[`answer_${name}`];
    if (!answer)
      throw new Error('this page was given away without the program that can do that');
    return answer.call(this, request);
  }
  newest(name, request) {
    return this.ask(name, request);
  }

  code(row) {
    return this.codes.subarray(row * this.numbers, (row + 1) * this.numbers);
  }

  /// Levels 0 to 255, channel by channel.
  levels(code) {
    const {activation, output} = this.parts.decoder;
    let x = Float64Array.from(code);
    this.layers.forEach(({into, out, weight, bias}, l) => {
      const isLast = l === this.layers.length - 1;
      const f = kActivations[activation], y = new Float64Array(out);
      for (let o = 0; o < out; ++o) {
        let sum = bias[o];
        for (let i = 0, at = o * into; i < into; ++i) sum += weight[at + i] * x[i];
        y[o] = isLast ? sum : f(sum);
      }
      x = y;
    });
    // Of logits, probabilities; else from [-1, 1].
    return Uint8Array.from(x, (v) => Math.round(255 * Math.min(1, Math.max(0,
      output === 'sigmoid' ? kActivations.sigmoid(v) : v / 2 + 0.5))));
  }

  canvas(width = this.width, height = this.height) {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [width, height];
    return canvas;
  }

  /// The decoded picture of a code, as a canvas.
  async decoded(code) {
    const canvas = this.canvas(), c = canvas.getContext('2d');
    if (!this.layers) {
      const {sheet, tileAt} = await this.lattice();
      const [sx, sy] = tileAt(code);
      c.drawImage(sheet, sx, sy, this.width, this.height, 0, 0, this.width,
                  this.height);
      return canvas;
    }
    const levels = this.levels(code), pixels = this.width * this.height;
    const image = c.createImageData(this.width, this.height);
    for (let i = 0; i < pixels; ++i)
      for (let d = 0; d < 4; ++d)
        image.data[4 * i + d] = d === 3 ? 255
          : levels[(this.channels === 3 ? d : 0) * pixels + i];
    c.putImageData(image, 0, 0);
    return canvas;
  }

  async lattice() {
    const {edge, x, y, sheet} = this.parts.lattice;
    this.latticeSheet ??= await loaded(sheet.picture);
    const {origin, directions} = this.plane();
    const tileAt = (code) => {
      const [px, py] = directions.map((d) =>
        d.reduce((sum, v, i) => sum + v * (code[i] - origin[i]), 0));
      const cell = (v, [low, high]) => Math.min(edge - 1, Math.max(0,
        Math.round((v - low) / (high - low) * (edge - 1))));
      const at = cell(py, y) * edge + cell(px, x);
      return [at % sheet.columns * sheet.width,
              Math.floor(at / sheet.columns) * sheet.height];
    };
    return {sheet: this.latticeSheet, tileAt};
  }

  plane() {
    if (!this.unpackedPlane) {
      const all = floatsOf(this.parts.plane.directions), n = this.numbers;
      this.unpackedPlane = {origin: floatsOf(this.parts.plane.origin),
                            directions: [all.subarray(0, n), all.subarray(n)]};
    }
    return this.unpackedPlane;
  }

  /// Picture `row` of a sheet of the page, as a canvas.
  async cut(name, row) {
    const sheet = this.parts[name];
    sheet.image ??= await loaded(sheet.picture);
    const canvas = this.canvas();
    canvas.getContext('2d').drawImage(sheet.image,
      row % sheet.columns * this.width,
      Math.floor(row / sheet.columns) * this.height,
      this.width, this.height, 0, 0, this.width, this.height);
    return canvas;
  }
  original(row) {
    return this.cut('pictures', row);
  }

  /// As the program counts it: of levels in [0,1].
  error(a, b) {
    const [x, y] = [a, b].map((canvas) => canvas.getContext('2d')
      .getImageData(0, 0, this.width, this.height).data);
    const pixels = this.width * this.height, apart = new Float64Array(pixels);
    let sum = 0, largest = 0;
    for (let i = 0; i < pixels; ++i) {
      for (let d = 0; d < this.channels; ++d) {
        const e = (x[4 * i + d] - y[4 * i + d]) / 255;
        sum += e * e;
        apart[i] += Math.abs(e) / this.channels;
      }
      largest = Math.max(largest, apart[i]);
    }
    const map = this.canvas(), c = map.getContext('2d');
    const image = c.createImageData(this.width, this.height);
    for (let i = 0; i < pixels; ++i) {
      const v = largest > 0 ? apart[i] / largest : 0;
      for (let d = 0; d < 3; ++d)  // black, red, yellow, white
        image.data[4 * i + d] = 255 * Math.min(1, Math.max(0, 3 * v - d));
      image.data[4 * i + 3] = 255;
    }
    c.putImageData(image, 0, 0);
    const mse = sum / pixels / this.channels;
    return {mse, psnr_db: mse > 0 ? -10 * Math.log10(mse) : null, largest,
            map: map.toDataURL()};
  }

  async answer_plane({numbers}) {
    if (!numbers) return this.parts.plane;
    throw new Error('in a page that was given away the axes stay as they are');
  }

  async answer_encode({row}) {
    if (row === undefined)
      throw new Error('pictures of yours need the program: calotype explore');
    const code = this.code(row);
    // What stands for an original that is not at hand is no original.
    const picture = this.parts.model.set.originals
      ? await this.original(row) : null;
    const decoded = await (this.layers ? this.decoded(code)
                                       : this.cut('decoded', row));
    const {names, labels} = this.parts.model.set;
    return {
      original: `row ${row}`, name: names[row], label: labels[row],
      code, logvar: this.logvars?.subarray(row * this.numbers,
                                           (row + 1) * this.numbers),
      picture: picture?.toDataURL(), decoded: decoded.toDataURL(),
      error: picture ? this.error(decoded, picture) : undefined,
    };
  }

  async answer_decode({code, original}) {
    const decoded = await this.decoded(code);
    const answer = {decoded: decoded.toDataURL()};
    // Of a place near the code nothing can be said.
    if (this.layers && this.parts.model.set.originals &&
        original?.startsWith('row '))
      answer.error = this.error(decoded, await this.original(
        Number(original.slice(4))));
    return answer;
  }

  async sheetOf(canvases) {
    const columns = Math.ceil(Math.sqrt(canvases.length));
    const sheet = this.canvas(columns * this.width,
      Math.ceil(canvases.length / columns) * this.height);
    const c = sheet.getContext('2d');
    canvases.forEach((canvas, i) => c.drawImage(canvas,
      i % columns * this.width, Math.floor(i / columns) * this.height));
    return {picture: sheet.toDataURL(), columns, count: canvases.length,
            height: this.height, width: this.width};
  }
  async answer_sheet({codes}) {
    return this.sheetOf(await Promise.all(codes.map((c) => this.decoded(c))));
  }
  async answer_thumbnails({rows}) {
    return this.sheetOf(await Promise.all(rows.map((r) => this.original(r))));
  }

  distances(code) {
    const n = this.numbers, count = this.codes.length / n;
    return Float64Array.from({length: count}, (_, row) => {
      let sum = 0;
      for (let i = 0, at = row * n; i < n; ++i)
        sum += (this.codes[at + i] - code[i]) ** 2;
      return Math.sqrt(sum);
    });
  }

  async answer_nearest({code, count}) {
    const distances = this.distances(code), {names, labels} = this.parts.model.set;
    const rows = Array.from(distances.keys())
      .sort((a, b) => distances[a] - distances[b]).slice(0, count);
    return {nearest: rows.map((row) => ({
      row, distance: distances[row], name: names[row], label: labels[row]}))};
  }

  async answer_off_plane({code}) {
    const {directions} = this.plane(), n = this.numbers;
    return {squared_distances: this.distances(code).map((distance, row) => {
      let off = distance * distance;
      for (const d of directions) {
        let along = 0;
        for (let i = 0; i < n; ++i)
          along += d[i] * (this.codes[row * n + i] - code[i]);
        off -= along * along;
      }
      return Math.max(0, off);
    })};
  }
}
