// What answers in a page that was given away: the same questions as the
// program's, from what lies in the page.
import {floatsOf} from 'explorer/bytes.js';
import {Decoder} from 'explorer/forward.js';
import {loaded} from 'explorer/pictures.js';

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
    this.codes = floatsOf(parts.codes, parts.code_bytes);
    this.numbers = parts.model.code.reduce((a, b) => a * b, 1);
    this.logvars = parts.logvars
      ? floatsOf(parts.logvars, parts.logvar_bytes) : null;
    if (parts.decoder) this.decoder = new Decoder(parts.decoder, parts.model.code);
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

  canvas(width = this.width, height = this.height) {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [width, height];
    return canvas;
  }

  /// The decoded picture of a code, as a canvas.
  async decoded(code) {
    if (this.decoder) return this.drawn(this.decoder.levels(code));
    const {sheet, tileAt} = await this.lattice();
    const canvas = this.canvas(), [x, y] = tileAt(code);
    canvas.getContext('2d').drawImage(sheet, x, y, this.width, this.height, 0, 0,
                                      this.width, this.height);
    return canvas;
  }

  /// Levels as a canvas, without what a picture was padded by.
  drawn({channels, height, width, data}) {
    const canvas = this.canvas(), c = canvas.getContext('2d');
    const image = c.createImageData(this.width, this.height);
    for (let y = 0, to = 0; y < this.height; ++y)
      for (let x = 0; x < this.width; ++x, to += 4) {
        for (let d = 0; d < 3; ++d)
          image.data[to + d] =
            data[((channels === 3 ? d : 0) * height + y) * width + x];
        image.data[to + 3] = 255;
      }
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
    const decoded = await (this.decoder ? this.decoded(code)
                                        : this.cut('decoded', row));
    const {names, labels} = this.parts.model.set;
    const tokens = this.decoder?.tokens(code);
    return {
      original: `row ${row}`, name: names[row], label: labels[row],
      code, logvar: this.logvars?.subarray(row * this.numbers,
                                           (row + 1) * this.numbers),
      picture: picture?.toDataURL(), decoded: decoded.toDataURL(),
      error: picture ? this.error(decoded, picture) : undefined,
      tokens, token_shape: tokens && [1, ...this.parts.model.code.slice(1)],
    };
  }

  async answer_decode({code, original}) {
    return this.beside(await this.decoded(code), original);
  }
  async answer_detokenize({tokens, original}) {
    return this.beside(this.drawn(this.decoder.levelsOfTokens(tokens)), original);
  }
  async answer_codebook() {
    return this.parts.codebook;
  }

  async beside(decoded, original) {
    const answer = {decoded: decoded.toDataURL()};
    // Of a place near the code nothing can be said.
    if (this.decoder && this.parts.model.set.originals &&
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
    const canvases = [];
    for (const code of codes) {
      canvases.push(await this.decoded(code));
      await new Promise((resolve) => setTimeout(resolve));  // the hand goes on
    }
    return this.sheetOf(canvases);
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
