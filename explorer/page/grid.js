// A grid's channels as pictures, and a brush that edits their cells.
import {numberText} from 'explorer/bytes.js';

const kEdge = 96;  // pixels of a channel on the page
const kMaxChannels = 64;

/// Blue, the paper, red: a value of so many deviations from the mean.
function shadeOf(deviations) {
  const t = Math.max(-1, Math.min(1, deviations / 3));
  const fade = Math.round(255 * (1 - Math.abs(t)));
  return t < 0 ? `rgb(${fade} ${fade} 255)` : `rgb(255 ${fade} ${fade})`;
}

/// A canvas of h x w cells whose cells a pointer paints: paint(cell, isFirst),
/// then done().
export function cellCanvas(height, width, edge, paint, done) {
  const canvas = document.createElement('canvas');
  const scale = Math.max(1, Math.floor(edge / Math.max(height, width)));
  canvas.width = width * scale;
  canvas.height = height * scale;
  canvas.className = 'cells';
  let isDown = false;
  const at = (event, isFirst) => {
    const box = canvas.getBoundingClientRect();
    const x = Math.floor((event.clientX - box.left) * width / box.width);
    const y = Math.floor((event.clientY - box.top) * height / box.height);
    if (x >= 0 && y >= 0 && x < width && y < height)
      paint(y * width + x, isFirst);
  };
  canvas.addEventListener('pointerdown', (event) => {
    canvas.setPointerCapture(event.pointerId);
    isDown = true;
    at(event, true);
  });
  canvas.addEventListener('pointermove', (event) => isDown && at(event, false));
  for (const name of ['pointerup', 'pointercancel'])
    canvas.addEventListener(name, () => {
      if (isDown) done();
      isDown = false;
    });
  return {
    canvas,
    fill(cell, colour) {
      const c = canvas.getContext('2d');
      c.fillStyle = colour;
      c.fillRect(cell % width * scale, Math.floor(cell / width) * scale, scale,
                 scale);
    },
  };
}

export class Grid {
  constructor(host, view) {
    this.view = view;
    [this.depth, this.height, this.width] = view.model.code;
    host.innerHTML = '<div class="row"><label>Brush <input type="range" ' +
      'min="-3" max="3" step="0.1" value="2"> <output></output> deviations' +
      '</label></div><div class="tiles"></div>';
    this.brush = host.querySelector('input');
    const say = () =>
      (host.querySelector('output').textContent = this.brush.value);
    this.brush.addEventListener('input', say);
    say();
    const tiles = host.querySelector('.tiles');
    this.channels = [];
    for (let d = 0; d < Math.min(this.depth, kMaxChannels); ++d) {
      const channel = cellCanvas(this.height, this.width, kEdge,
        (cell) => this.paint(d, cell), () => view.settle());
      channel.canvas.setAttribute('aria-label', `channel ${d}`);
      channel.canvas.title = `channel ${d}: paint with the brush`;
      this.channels.push(channel);
      tiles.append(channel.canvas);
    }
  }

  cells() {
    return this.height * this.width;
  }

  /// Mean and deviation of a channel over the set.
  statistics(d) {
    const {set} = this.view.model;
    if (!set) return {mean: 0, std: 1};
    const begin = d * this.cells(), end = begin + this.cells();
    let mean = 0, square = 0;
    for (let i = begin; i < end; ++i) {
      mean += set.mean[i] / this.cells();
      square += (set.std[i] ** 2 + set.mean[i] ** 2) / this.cells();
    }
    return {mean, std: Math.sqrt(Math.max(1e-12, square - mean * mean))};
  }

  paint(d, cell) {
    if (!this.view.code) return;
    const {mean, std} = this.statistics(d);
    const code = this.view.code.slice();
    code[d * this.cells() + cell] = mean + Number(this.brush.value) * std;
    this.view.setCode(code, false);
  }

  show(code) {
    this.channels.forEach((channel, d) => {
      const {mean, std} = this.statistics(d);
      for (let cell = 0; cell < this.cells(); ++cell)
        channel.fill(cell, shadeOf(
          (code[d * this.cells() + cell] - mean) / std));
      channel.canvas.title = `channel ${d}, mean ${numberText(mean)}, ` +
        `deviation ${numberText(std)}: paint with the brush`;
    });
  }
}
