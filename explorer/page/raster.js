// Points as pixels. Written into memory by hand: a hundred thousand calls of the
// canvas would take longer than a frame.

// Ten colours that differ in lightness as well (after Tableau 10).
const kClassColours = ['#4e79a7', '#f28e2b', '#59a14f', '#e15759', '#76b7b2',
                       '#b6992d', '#b07aa1', '#ff9da7', '#9c755f', '#79706e'];

export function colourOf(label) {
  if (label < 0) return '#808080';
  if (label < kClassColours.length) return kClassColours[label];
  return `hsl(${(label * 137.5) % 360} 55% 52%)`;  // golden angle
}

/// As a pixel of ImageData, opaque.
function pixelOf(colour, context) {
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  const [r, g, b] = context.getImageData(0, 0, 1, 1).data;
  return (255 << 24 | b << 16 | g << 8 | r) >>> 0;
}

export class PointRaster {
  /// points: x, y of each; labels: class of each.
  constructor(points, labels) {
    this.points = points;
    const scratch = document.createElement('canvas').getContext(
      '2d', {willReadFrequently: true});
    const known = new Map();
    this.pixels = new Uint32Array(points.length / 2);
    for (let i = 0; i < this.pixels.length; ++i) {
      const label = labels ? labels[i] : -1;
      if (!known.has(label))
        known.set(label, pixelOf(colourOf(label), scratch));
      this.pixels[i] = known.get(label);
    }
  }

  /// Draws all points through `view` (see plane.js); those for which
  /// `chosen[i]` is 0 are left out, if it is given.
  draw(context, view, chosen) {
    const {width, height} = context.canvas;
    if (!this.image || this.image.width !== width ||
        this.image.height !== height)
      this.image = context.createImageData(width, height);
    const target = new Uint32Array(this.image.data.buffer);
    target.fill(0);
    const edge = view.dotEdge, half = edge >> 1;
    const {points, pixels} = this;
    for (let i = 0; i < pixels.length; ++i) {
      if (chosen && !chosen[i]) continue;
      const x = Math.round(view.x0 + points[2 * i] * view.scale) - half;
      const y = Math.round(view.y0 - points[2 * i + 1] * view.scale) - half;
      if (x < 0 || y < 0 || x + edge > width || y + edge > height) continue;
      const pixel = pixels[i];
      for (let at = y * width + x, row = 0; row < edge; ++row, at += width)
        for (let k = 0; k < edge; ++k) target[at + k] = pixel;
    }
    context.putImageData(this.image, 0, 0);
  }
}
