// The map: all codes of the set, the code in hand, and how sure the map is.
import {NearestCode} from 'explorer/holes.js';
import {drawLayers} from 'explorer/layers.js';
import {PointRaster} from 'explorer/raster.js';

const kHandle = 14;         // px around the code in hand that take hold of it
const kMaxThumbnails = 150;

/// Of so many points, in pixels.
function dotEdgeOf(count) {
  return count > 5000 ? 2 : count > 1000 ? 3 : 5;
}

export class PlaneView {
  /// host: a <div>; on: {place(x, y, isLast),
  /// row(row), lasso(rows), view()} are told what the hand does.
  constructor(host, on) {
    this.host = host;
    this.on = on;
    this.options = {holes: false, cloud: false, thumbnails: true};
    this.hidden = new Set();  // classes
    this.place = null;        // [x, y] of the code in hand
    this.spread = null;       // its covariance in the plane, [xx, xy, yy]
    this.samples = [];
    this.pins = [];           // {x, y, name}
    this.path = [];           // [x, y] of a line that is walked
    this.lasso = null;
    this.pointers = new Map();
    for (const name of ['points', 'overlay']) {
      this[name] = document.createElement('canvas');
      this[name].className = name;
      host.append(this[name]);
    }
    this.overlay.tabIndex = 0;
    this.overlay.setAttribute('role', 'application');
    this.overlay.setAttribute('aria-label',
      'Map of codes. Arrow keys move the code, plus and minus zoom, ' +
      'shift with arrows moves the map.');
    this.listen();
    new ResizeObserver(() => this.resize()).observe(host);
  }

  /// plane: labels, points, spread and more, unpacked.
  show(plane, labels) {
    this.plane = plane;
    this.labels = labels;
    this.raster = new PointRaster(plane.points, labels);
    this.nearest = new NearestCode(plane.points, null);
    // Codes of more numbers lie off it, how far is told of the code in hand.
    this.needsOffPlane = plane.origin.length > 2;
    this.chosen = null;
    this.view = null;
    this.resize();
  }

  setOffPlane(offPlane) {
    this.nearest = new NearestCode(this.plane.points, offPlane);
    this.shade = null;
    this.redraw();
  }

  resize() {
    const density = window.devicePixelRatio || 1;
    const width = Math.max(1, Math.round(this.host.clientWidth * density));
    const height = Math.max(1, Math.round(this.host.clientHeight * density));
    const old = this.view && [this.points.width, this.points.height];
    for (const canvas of [this.points, this.overlay])
      [canvas.width, canvas.height] = [width, height];
    this.density = density;
    if (!this.plane) return;
    if (!this.view) this.fit();
    else {
      this.view.x0 += (width - old[0]) / 2;
      this.view.y0 += (height - old[1]) / 2;
    }
    this.redraw();
  }

  /// All codes, but for the farthest in a hundred, with room around them.
  fit() {
    const {points} = this.plane, count = points.length / 2;
    const sorted = [0, 1].map((k) =>
      Float32Array.from({length: count}, (_, i) => points[2 * i + k]).sort());
    const low = sorted.map((s) => s[Math.floor(0.005 * (count - 1))]);
    const high = sorted.map((s) => s[Math.ceil(0.995 * (count - 1))]);
    const {width, height} = this.points;
    const scale = 0.86 * Math.min(width / Math.max(high[0] - low[0], 1e-6),
                                  height / Math.max(high[1] - low[1], 1e-6));
    this.view = {
      scale,
      x0: width / 2 - scale * (low[0] + high[0]) / 2,
      y0: height / 2 + scale * (low[1] + high[1]) / 2,
      dotEdge: 3,
    };
    this.fitted = scale;
  }

  toPixel(x, y) {
    return [this.view.x0 + x * this.view.scale,
            this.view.y0 - y * this.view.scale];
  }
  toPlane(px, py) {
    return [(px - this.view.x0) / this.view.scale,
            (this.view.y0 - py) / this.view.scale];
  }

  /// Draws all anew with the next frame; `overlay`: what lies above the points.
  redraw() {
    this.stale = true;
    this.redrawOverlay();
  }
  redrawOverlay() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  draw() {
    if (!this.view) return;
    const begin = performance.now();
    if (this.stale) {
      this.stale = false;
      const zoomed = this.view.scale / this.fitted;
      this.view.dotEdge = Math.round(this.density * Math.min(
        7, dotEdgeOf(this.labels.length) * Math.max(1, Math.sqrt(zoomed))));
      this.raster.draw(this.points.getContext('2d'), this.view, this.visible());
      this.shade = null;
    }
    this.drawOverlay(begin);
    this.lastFrame_ms = performance.now() - begin;
  }

  visible() {
    if (this.hidden.size === 0) return null;
    return Uint8Array.from(this.labels, (label) => !this.hidden.has(label));
  }

  drawOverlay(begin) {
    const c = this.overlay.getContext('2d');
    c.clearRect(0, 0, this.overlay.width, this.overlay.height);
    drawLayers(this, c, begin);
  }

  colour(name) {
    return getComputedStyle(this.host).getPropertyValue(name).trim();
  }

  /// Rows in sight, if they are few enough to be shown as pictures; else null.
  rowsInSight() {
    const rows = [], {points} = this.plane;
    const [x0, y1] = this.toPlane(0, 0);
    const [x1, y0] = this.toPlane(this.points.width, this.points.height);
    for (let i = 0; i < points.length / 2; ++i) {
      const x = points[2 * i], y = points[2 * i + 1];
      if (x < x0 || x > x1 || y < y0 || y > y1 ||
          this.hidden.has(this.labels[i]))
        continue;
      rows.push(i);
      if (rows.length > kMaxThumbnails) return null;
    }
    return rows;
  }

  moveTo(place, spread, samples) {
    this.place = place;
    this.spread = spread;
    this.samples = samples || [];
    this.redrawOverlay();
  }

  /// The row drawn nearest to a place on the canvas, within `reach` px; or -1.
  rowNear(px, py, reach) {
    const [x, y] = this.toPlane(px, py);
    const limit = (reach / this.view.scale) ** 2;
    let best = limit, found = -1;
    const {points} = this.plane;
    for (let i = 0; i < points.length / 2; ++i) {
      if (this.hidden.has(this.labels[i])) continue;
      const d = (points[2 * i] - x) ** 2 + (points[2 * i + 1] - y) ** 2;
      if (d < best) [best, found] = [d, i];
    }
    return found;
  }

  zoom(factor, px, py) {
    const {view} = this;
    const next = view.scale * factor / this.fitted;
    if (next < 1 / 16 || next > 1e6) return;  // nothing is to be seen there
    view.scale *= factor;
    view.x0 = px + (view.x0 - px) * factor;
    view.y0 = py + (view.y0 - py) * factor;
    this.moved();
  }
  pan(dx, dy) {
    this.view.x0 += dx;
    this.view.y0 += dy;
    this.moved();
  }
  moved() {
    this.redraw();
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.on.view(), 200);
  }

  listen() {
    const o = this.overlay;
    const at = (event) => {
      const box = o.getBoundingClientRect();
      return [(event.clientX - box.left) * this.density,
              (event.clientY - box.top) * this.density];
    };
    o.addEventListener('pointerdown', (event) => {
      if (!this.view || event.button > 0) return;
      o.setPointerCapture(event.pointerId);
      const [x, y] = at(event);
      this.pointers.set(event.pointerId, [x, y]);
      if (this.pointers.size > 1) return void (this.grip = 'pinch');
      this.begin = [x, y];
      const hand = this.place && this.toPixel(...this.place);
      const touch = event.pointerType === 'touch' ? 2 : 1;
      if (event.shiftKey) {
        this.grip = 'lasso';
        this.lasso = [[x, y]];
      } else if (hand && Math.hypot(hand[0] - x, hand[1] - y) <
                 touch * kHandle * this.density) {
        this.grip = 'hand';
      } else {
        this.grip = 'press';  // a click, unless it moves
      }
    });
    o.addEventListener('pointermove', (event) => {
      const last = this.pointers.get(event.pointerId);
      if (!last) return;
      const [x, y] = at(event);
      if (this.grip === 'pinch') this.pinch(event.pointerId, x, y);
      else if (this.grip === 'hand') this.on.place(...this.toPlane(x, y), false);
      else if (this.grip === 'lasso') {
        this.lasso.push([x, y]);
        this.redrawOverlay();
      } else {
        if (Math.hypot(x - this.begin[0], y - this.begin[1]) > 4 * this.density)
          this.grip = 'pan';
        if (this.grip === 'pan') this.pan(x - last[0], y - last[1]);
      }
      this.pointers.set(event.pointerId, [x, y]);
    });
    const end = (event) => {
      if (!this.pointers.delete(event.pointerId)) return;
      const [x, y] = at(event);
      if (this.grip === 'hand') this.on.place(...this.toPlane(x, y), true);
      else if (this.grip === 'press' && event.type === 'pointerup') {
        const row = this.rowNear(x, y, 7 * this.density);
        if (row >= 0) this.on.row(row);
        else this.on.place(...this.toPlane(x, y), true);
      } else if (this.grip === 'lasso') this.endLasso();
      this.grip = null;
    };
    o.addEventListener('pointerup', end);
    o.addEventListener('pointercancel', end);
    o.addEventListener('wheel', (event) => {
      if (!this.view) return;
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY * 0.002), ...at(event));
    }, {passive: false});
    o.addEventListener('keydown', (event) => this.key(event));
  }

  pinch(id, x, y) {
    const before = [...this.pointers.values()];
    const [ox, oy] = this.pointers.get(id);
    const other = [...this.pointers].find(([key]) => key !== id);
    if (!other || before.length !== 2) return;
    const [sx, sy] = other[1];
    const factor = Math.hypot(x - sx, y - sy) /
                   Math.max(1, Math.hypot(ox - sx, oy - sy));
    this.pan((x - ox) / 2, (y - oy) / 2);
    this.zoom(factor, (x + sx) / 2, (y + sy) / 2);
  }

  key(event) {
    const step = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1],
                  ArrowDown: [0, -1]}[event.key];
    const {width, height} = this.overlay;
    if (step && event.shiftKey) this.pan(-step[0] * 40, step[1] * 40);
    else if (step && this.place) {
      const reach = 0.01 * Math.min(width, height) / this.view.scale;
      this.on.place(this.place[0] + step[0] * reach,
                    this.place[1] + step[1] * reach, true);
    } else if (event.key === '+' || event.key === '=')
      this.zoom(1.25, width / 2, height / 2);
    else if (event.key === '-') this.zoom(0.8, width / 2, height / 2);
    else if (event.key === '0') {
      this.fit();
      this.moved();
    } else return;
    event.preventDefault();
  }

  endLasso() {
    const outline = new Path2D();
    for (const [x, y] of this.lasso) outline.lineTo(x, y);
    outline.closePath();
    const c = this.overlay.getContext('2d');
    const rows = [], {points} = this.plane;
    for (let i = 0; i < points.length / 2; ++i)
      if (!this.hidden.has(this.labels[i]) &&
          c.isPointInPath(outline,
                          ...this.toPixel(points[2 * i], points[2 * i + 1])))
        rows.push(i);
    this.lasso = null;
    this.redrawOverlay();
    this.on.lasso(rows);
  }

  /// Of codes of two numbers: how far the nearest one is from the code in hand.
  nearestToHand() {
    return this.nearest.at(...this.place).distance;
  }
}
