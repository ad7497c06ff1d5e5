// One model: its map, the code in hand, and what the code could not keep.
import {floatsOf, numberText} from 'explorer/bytes.js';
import {cutSheet, pictureElement, savable, tile,
        tileButton} from 'explorer/pictures.js';
import {PlaneView} from 'explorer/plane.js';
import {normals} from 'explorer/random.js';
import {colourOf} from 'explorer/raster.js';

const kCloud = 200;     // samples drawn in the map
const kCloudPictures = 8;

function unpacked(plane, model) {
  const origin = floatsOf(plane.origin), all = floatsOf(plane.directions);
  const n = origin.length;
  const directions = [all.subarray(0, n), all.subarray(n)];
  return {
    ...plane,
    origin,
    directions,
    points: floatsOf(plane.points),
    spread: plane.spread ? floatsOf(plane.spread) : null,
    usualDistance: Math.max(plane.usual_distance, 1e-12),
    priorCentre: model.has_variance
      ? directions.map((d) => -d.reduce((sum, v, i) => sum + v * origin[i], 0))
      : null,
  };
}

export class ModelView {
  /// host: an <article> with the parts of the template; app: told of choices.
  constructor(host, backend, model, app) {
    this.host = host;
    this.backend = backend;
    this.model = model;
    this.app = app;
    this.code = null;      // Float32Array, what is decoded
    this.logvar = null;
    this.original = null;  // what the server calls it
    const numbers = model.code.reduce((a, b) => a * b, 1);
    this.numbers = numbers;
    this.part('name').textContent =
      `${model.path} · ${model.class} · ` +
      (model.code[1] * model.code[2] === 1
        ? `${numbers} number${numbers === 1 ? '' : 's'} a picture`
        : `${model.code.join(' × ')} = ${numbers} numbers a picture`);
    this.part('facts').textContent = this.facts();
    if (model.set)
      this.plane = new PlaneView(this.part('plane'), {
        place: (x, y, isLast) => this.place(x, y, isLast),
        row: (row) => app.row(this, row),
        lasso: (rows) => this.showLasso(rows),
        view: () => this.showThumbnails(),
      });
    else this.part('plane').textContent = 'No set of images: drop a picture here.';
  }

  part(name) {
    return this.host.querySelector(`[data-part="${name}"]`);
  }

  facts() {
    const {set, diffusion} = this.model, facts = [];
    if (diffusion)
      facts.push(`drawn from by ${diffusion.path} (${diffusion.class})`);
    if (set) facts.push(`${set.count} pictures of ${set.spec}`);
    if (this.model.beta !== undefined) facts.push(`β ${this.model.beta}`);
    if (set?.kl_nats !== undefined)
      facts.push(`KL ${numberText(set.kl_nats)} nats`);
    if (set?.active !== undefined)
      facts.push(`${set.active} of ${this.numbers} numbers active`);
    return facts.join(' · ');
  }

  async showPlane(numbers) {
    if (!this.plane) return;
    const answer = await this.backend.ask('plane', numbers ? {numbers} : {});
    this.plane.show(unpacked(answer, this.model), this.model.set.labels);
    this.offPlaneOf = null;
    this.legend();
    if (this.code) this.showHand();
    this.showThumbnails();
  }

  legend() {
    const legend = this.part('legend');
    legend.replaceChildren();
    this.model.set.classes.forEach((name, label) => {
      const button = document.createElement('button');
      button.className = 'class';
      button.style.setProperty('--class', colourOf(label));
      button.textContent = name;
      button.setAttribute('aria-pressed', String(!this.plane.hidden.has(label)));
      button.title = 'show or hide';
      button.addEventListener('click', () => {
        const {hidden} = this.plane;
        if (!hidden.delete(label)) hidden.add(label);
        button.setAttribute('aria-pressed', String(!hidden.has(label)));
        this.plane.redraw();
      });
      legend.append(button);
    });
  }

  // The code in hand and the plane

  projected(code) {
    const {origin, directions} = this.plane.plane;
    return directions.map((d) => {
      let sum = 0;
      for (let i = 0; i < d.length; ++i) sum += d[i] * (code[i] - origin[i]);
      return sum;
    });
  }

  /// The covariance of the posterior in the plane.
  spreadOf(logvar) {
    if (!logvar) return null;
    const [u, v] = this.plane.plane.directions;
    const c = [0, 0, 0];
    for (let i = 0; i < logvar.length; ++i) {
      const variance = Math.exp(logvar[i]);
      c[0] += u[i] * u[i] * variance;
      c[1] += u[i] * v[i] * variance;
      c[2] += v[i] * v[i] * variance;
    }
    return c;
  }

  showHand() {
    if (!this.plane?.plane || !this.code) return;
    const spread = this.spreadOf(this.logvar);
    let samples = [];
    if (spread) {
      // Of the Gaussian's own factor (Cholesky).
      const noise = normals(7, 2 * kCloud);
      const a = Math.sqrt(spread[0]) || 1e-12, b = spread[1] / a;
      const d = Math.sqrt(Math.max(0, spread[2] - b * b));
      samples = Array.from({length: kCloud}, (_, i) =>
        [a * noise[2 * i], b * noise[2 * i] + d * noise[2 * i + 1]]);
    }
    this.plane.moveTo(this.projected(this.code), spread, samples);
    // Of longer codes it takes all numbers, which showNearest() asks for.
    if (this.numbers <= 2) this.sayFar(this.plane.nearestToHand());
  }

  /// "nearest code 0.12 away, 3 × what is usual: a hole".
  sayFar(distance) {
    const times = distance / this.plane.plane.usualDistance;
    this.part('far').textContent = `nearest code ${numberText(distance)} away` +
      (times > 1 ? `, ${numberText(times)} × what is usual: a hole` : '');
  }

  /// Moves the code in hand within the plane; what lies off it stays.
  async place(x, y, isLast) {
    if (!this.code) this.code = this.plane.plane.origin.slice();
    const [px, py] = this.projected(this.code);
    const [u, v] = this.plane.plane.directions;
    const code = this.code.slice();
    for (let i = 0; i < code.length; ++i)
      code[i] += (x - px) * u[i] + (y - py) * v[i];
    await this.setCode(code, isLast, /*isDragged=*/true);
  }

  /// A code that a hand made has no posterior of its own: that of the picture
  /// it was stays with it while it is dragged, and goes with anything else.
  async setCode(code, isLast = true, isDragged = false) {
    this.code = code;
    if (!isDragged) this.logvar = null;
    this.showHand();
    this.app.changed(this);
    await this.decode();
    if (isLast) this.settle();
  }

  async decode() {
    const begin = performance.now();
    const answer = await this.app.guard(this.backend.newest(
      'decode', {code: Array.from(this.code), original: this.original}));
    if (!answer) return;
    await this.showDecoded(answer);
    this.latency_ms = performance.now() - begin;
    this.host.dataset.decodes = String(Number(this.host.dataset.decodes || 0) + 1);
  }

  async showDecoded({decoded, error}) {
    const image = pictureElement(decoded, 'what the code decodes to');
    await image.decode();
    this.part('decoded').replaceChildren(savable(image, 'decoded'));
    this.showError(error);
  }

  showError(error) {
    const host = this.part('error');
    if (!error) {
      host.replaceChildren();
      this.part('lost').textContent = '';
      return;
    }
    host.replaceChildren(savable(
      pictureElement(error.map, 'where they differ'), 'error'));
    this.part('lost').textContent =
      `MSE ${numberText(error.mse)}, PSNR ` +
      `${error.psnr_db === null ? '∞' : error.psnr_db.toFixed(2)} dB, ` +
      `white: ${numberText(error.largest)}`;
  }

  /// Takes what encode answered.
  async take(answer) {
    this.original = answer.original;
    this.code = floatsOf(answer.code);
    this.logvar = answer.logvar ? floatsOf(answer.logvar) : null;
    this.host.dataset.original = answer.original;
    const label = answer.label >= 0 && this.model.set
      ? this.model.set.classes[answer.label] : '';
    this.part('original-name').textContent =
      [answer.name, label].filter(Boolean).join(' · ') || 'your picture';
    this.part('original').replaceChildren(answer.picture
      ? savable(pictureElement(answer.picture, 'the original'), 'original')
      : document.createTextNode('not at hand'));
    await this.showDecoded(answer);
    this.app.encoded(this, answer);
    this.showHand();
    this.settle();
  }

  /// Takes a picture that was drawn, of which there is no original: its code, or
  /// the code that its tokens' picture has.
  async takeDrawn(answer, name) {
    this.original = null;
    this.code = floatsOf(answer.code);
    this.logvar = null;
    this.host.dataset.original = name;
    this.part('original-name').textContent = 'none: it was drawn';
    this.part('original').replaceChildren();
    this.app.changed(this);
    await this.showDecoded(answer);
    this.app.encoded(this, answer);
    this.showHand();
    this.settle();
  }

  /// Whether the plane's parallel through the code is another than the one that
  /// distances are known for.
  hasLeftPlane() {
    if (!this.offPlaneOf) return true;
    const {directions} = this.plane.plane;
    let off = 0, size = 0;
    const apart = this.code.map((value, i) => value - this.offPlaneOf[i]);
    const along = directions.map((d) =>
      d.reduce((sum, value, i) => sum + value * apart[i], 0));
    for (let i = 0; i < apart.length; ++i) {
      off += (apart[i] - along[0] * directions[0][i] -
              along[1] * directions[1][i]) ** 2;
      size += this.code[i] ** 2;
    }
    return off > 1e-8 * size;  // beyond the rounding of floats
  }

  async showOffPlane() {
    const {code} = this, shown = this.plane.plane;
    const answer = await this.app.guard(this.backend.newest(
      'off_plane', {code: Array.from(this.code), ...this.app.axesRequest()}));
    // Of the plane that is still shown; else the next settling asks anew.
    if (!answer || this.plane.plane !== shown) return;
    this.offPlaneOf = code;
    this.plane.setOffPlane(floatsOf(answer.squared_distances));
  }

  /// What can wait until the hand rests.
  async settle() {
    this.showNearest();
    if (this.plane?.plane && this.numbers > 2 && this.hasLeftPlane())
      this.showOffPlane();
    if (this.plane?.options.cloud) this.showCloud();
    this.app.settled(this);
  }

  async showNearest() {
    if (!this.model.set) return;
    const answer = await this.app.guard(this.backend.newest(
      'nearest', {code: Array.from(this.code), count: 8}));
    if (!answer) return;
    if (this.numbers > 2) this.sayFar(answer.nearest[0].distance);
    const sheet = await this.app.guard(this.backend.ask(
      'thumbnails', {rows: answer.nearest.map((n) => n.row)}));
    if (!sheet) return;
    const tiles = await cutSheet(sheet);
    this.part('nearest').replaceChildren(...answer.nearest.map((n, i) => {
      const button = tileButton(tiles[i], 44, n.name,
                                () => this.app.row(this, n.row));
      const caption = document.createElement('span');
      caption.textContent = numberText(n.distance);
      button.append(caption);
      button.title = `${n.name}, ${numberText(n.distance)} away`;
      return button;
    }));
  }

  async showThumbnails() {
    const rows = this.plane?.plane && this.plane.rowsInSight();
    if (!rows || rows.length === 0) {
      if (this.plane) this.plane.thumbnails = null;
      this.plane?.redrawOverlay();
      return;
    }
    const sheet = await this.app.guard(
      this.backend.newest('thumbnails', {rows}));
    if (!sheet) return;
    const tiles = await cutSheet(sheet);
    this.plane.thumbnails = rows.map((row, i) => ({row, draw: tiles[i]}));
    this.plane.redrawOverlay();
  }

  async showLasso(rows) {
    const host = this.part('chosen');
    const some = rows.slice(0, 96);
    host.replaceChildren();
    if (rows.length === 0) return;
    const counts = new Map();
    for (const row of rows) {
      const label = this.model.set.labels[row];
      counts.set(label, (counts.get(label) || 0) + 1);
    }
    const line = document.createElement('p');
    line.textContent = `${rows.length} chosen: ` +
      [...counts].sort((a, b) => b[1] - a[1])
        .map(([label, count]) =>
          `${this.model.set.classes[label] ?? 'no class'} ${count}`).join(', ');
    host.append(line);
    const sheet = await this.app.guard(
      this.backend.ask('thumbnails', {rows: some}));
    if (!sheet) return;
    const tiles = await cutSheet(sheet);
    const strip = document.createElement('div');
    strip.className = 'tiles';
    strip.append(...some.map((row, i) => tileButton(
      tiles[i], 32, this.model.set.names[row], () => this.app.row(this, row))));
    host.append(strip);
  }

  /// Samples of the posterior, decoded.
  async showCloud() {
    const host = this.part('samples');
    if (!this.logvar || !this.plane?.options.cloud) return host.replaceChildren();
    const codes = Array.from({length: kCloudPictures}, (_, k) => {
      const noise = normals(101 + k, this.code.length);
      return Array.from(this.code, (value, i) =>
        value + Math.exp(this.logvar[i] / 2) * noise[i]);
    });
    await this.showSheet(host, codes, (i) => `sample ${i} of the posterior`);
  }

  /// Decodes codes and shows them side by side. `labelOf(i)`: what a picture is
  /// called; `choose(i)`: of a click.
  async showSheet(host, codes, labelOf, choose) {
    const sheet = await this.app.guard(this.backend.ask('sheet', {codes}));
    if (!sheet) return;
    const tiles = await cutSheet(sheet);
    host.replaceChildren(...tiles.map((draw, i) => choose
      ? tileButton(draw, 44, labelOf(i), () => choose(i))
      : tile(draw, 44, labelOf(i))));
  }
}
