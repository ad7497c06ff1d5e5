// The manifold figure: points of the plane, a network that learns them while one
// watches, and an input that is put beside them.
import {numberText} from 'explorer/bytes.js';
import {kMembers, kToySets, principalLine, ToyModel,
        toyPoints} from 'explorer/toy_family.js';

const kTraining_ms = 10;  // of each frame
const kSteps = 20000;    // then it rests
const kReach = 2;        // the plane is [-2, 2]

/// What docs/autoencoders.md says of a member: the paragraph that begins with
/// its name in bold, on one line.
function paragraphOf(name) {
  const begin = `**${name}.**`;
  const paragraph = document.getElementById('docs').textContent.split(/\n\n+/)
    .find((text) => text.startsWith(begin));
  return paragraph.slice(begin.length).replace(/\s+/g, ' ').trim();
}

/// Writes text into an element, `words` of it as code.
function putMarked(element, text) {
  element.replaceChildren(...text.split('`').map((part, i) => {
    if (i % 2 === 0) return part;
    const code = document.createElement('code');
    code.textContent = part;
    return code;
  }));
}

class Toy {
  constructor() {
    this.part = (name) => document.getElementById(name);
    this.input = [0.2, 1.4];
    this.set = 'arc';
    this.member = 'plain';
    this.numbers = 1;
    for (const name of Object.keys(kToySets))
      this.part('set').append(new Option(name));
    this.part('set').append(new Option('drawn by hand', 'drawn'));
    for (const [key, {name}] of Object.entries(kMembers)) {
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = name;
      button.dataset.member = key;
      button.addEventListener('click', () => this.choose({member: key}));
      this.part('members').append(button);
    }
    this.readAddress();
    this.listen();
    this.restart();
    requestAnimationFrame(() => this.frame());
    document.body.dataset.ready = 'yes';
  }

  colour(name) {
    return getComputedStyle(document.body).getPropertyValue(name).trim();
  }

  choose(what) {
    Object.assign(this, what);
    this.strength = undefined;
    this.restart();
  }

  restart() {
    const {strength, says, link} = kMembers[this.member];
    const slider = this.part('strength');
    slider.parentElement.hidden = !strength;
    if (strength) {
      this.strength ??= strength.value;
      [slider.min, slider.max] = [strength.low, strength.high];
      slider.value = this.strength;
      this.part('strength-name').textContent = strength.label;
      this.part('strength-value').textContent = numberText(this.strength);
    }
    if (this.set !== 'drawn') this.points = toyPoints(this.set);
    this.part('set').value = this.set;
    this.part('numbers').value = this.numbers;
    for (const button of this.part('members').children)
      button.setAttribute('aria-pressed', button.dataset.member === this.member);
    this.part('says').textContent = says;
    putMarked(this.part('reach-text'), paragraphOf(link));
    this.model = this.points.length >= 6
      ? new ToyModel(this.points, this.member, this.numbers, this.strength)
      : null;
    this.writeAddress();
  }

  listen() {
    this.part('set').addEventListener('change', (event) => {
      this.set = event.target.value;
      if (this.set === 'drawn') this.points = [];
      this.restart();
    });
    this.part('numbers').addEventListener('change', (event) =>
      this.choose({numbers: Number(event.target.value)}));
    this.part('strength').addEventListener('input', (event) => {
      this.strength = Number(event.target.value);
      this.restart();
    });
    this.part('again').addEventListener('click', () => this.restart());
    this.part('pause').addEventListener('click', () => {
      this.isPaused = !this.isPaused;
      this.part('pause').textContent = this.isPaused ? 'go on' : 'pause';
    });
    const plane = this.part('plane');
    let isDown = false;
    const at = (event) => {
      const box = plane.getBoundingClientRect();
      return [((event.clientX - box.left) / box.width * 2 - 1) * kReach,
              (1 - (event.clientY - box.top) / box.height * 2) * kReach];
    };
    const put = (event) => {
      if (this.set !== 'drawn' || event.shiftKey) return (this.input = at(event));
      this.points.push(...at(event));
      if (!this.model && this.points.length >= 6) this.restart();
      else if (this.model) this.model.points = this.points;
    };
    plane.addEventListener('pointerdown', (event) => {
      plane.setPointerCapture(event.pointerId);
      isDown = true;
      put(event);
    });
    plane.addEventListener('pointermove', (event) => isDown && put(event));
    for (const name of ['pointerup', 'pointercancel'])
      plane.addEventListener(name, () => (isDown = false));
    plane.addEventListener('keydown', (event) => {
      const step = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1],
                    ArrowDown: [0, -1]}[event.key];
      if (!step) return;
      event.preventDefault();
      this.input = this.input.map((v, i) => v + 0.05 * step[i]);
    });
  }

  frame() {
    if (this.model && !this.isPaused) {
      const begin = performance.now();
      while (performance.now() - begin < kTraining_ms &&
             this.model.losses.length < kSteps)
        this.model.step();
    }
    this.draw();
    requestAnimationFrame(() => this.frame());
  }

  canvas(name) {
    const canvas = this.part(name), density = window.devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * density);
    const height = Math.round(canvas.clientHeight * density);
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    const c = canvas.getContext('2d');
    c.clearRect(0, 0, width, height);
    return {c, width, height, density};
  }

  draw() {
    const {c, width, height, density} = this.canvas('plane');
    const px = (x) => (x / kReach + 1) * width / 2;
    const py = (y) => (1 - y / kReach) * height / 2;
    const dot = (x, y, radius) => {
      c.beginPath();
      c.arc(px(x), py(y), radius * density, 0, 2 * Math.PI);
      c.fill();
    };
    // Many at once: squares cost a tenth of circles.
    const dots = (points, edge) => {
      for (let i = 0; i < points.length; i += 2)
        c.fillRect(px(points[i]) - edge * density / 2,
                   py(points[i + 1]) - edge * density / 2,
                   edge * density, edge * density);
    };
    const line = (points) => {
      c.beginPath();
      for (let i = 0; i < points.length; i += 2)
        c.lineTo(px(points[i]), py(points[i + 1]));
      c.stroke();
    };
    c.fillStyle = this.colour('--quiet');
    dots(this.points, 3);
    const {model} = this;
    if (!model) return;
    c.lineWidth = 1.2 * density;
    if (this.member === 'linear') {
      const {mean, direction} = principalLine(this.points);
      c.setLineDash([6 * density, 5 * density]);
      c.strokeStyle = this.colour('--text');
      line([-4, 4].flatMap((t) => mean.map((m, d) => m + t * direction[d])));
      c.setLineDash([]);
    }
    if (['denoising', 'contractive'].includes(this.member))
      this.drawArrows(c, px, py, density);
    const codes = model.encode(this.points), k = this.numbers;
    if (this.member === 'vae') {
      // The prior, decoded.
      const drawn = model.decode(this.prior ??= Array.from({length: 600}, () =>
        model.normal()));
      c.fillStyle = this.colour('--sample');
      dots(drawn, 3);
    }
    this.drawManifold(c, line, codes, density);
    // The input, and where it lands.
    const code = Array.from(model.encode(this.input));
    const [x, y] = model.decode(code);
    if (this.member === 'vae') {
      const deviations = model.deviations(this.input);
      c.fillStyle = this.colour('--sample');
      const noise = this.prior.slice(0, 80 * k);
      const cloud = model.decode(noise.map((e, i) =>
        code[i % k] + deviations[i % k] * e));
      dots(cloud, 5);
    }
    c.strokeStyle = this.colour('--text');
    line([...this.input, x, y]);
    c.fillStyle = this.colour('--input');
    dot(...this.input, 7);
    c.fillStyle = this.colour('--hand');
    dot(x, y, 7);
    const apart = Math.hypot(x - this.input[0], y - this.input[1]);
    this.part('lands').textContent =
      `code ${code.map(numberText).join(', ')} · lands ${numberText(apart)} away`;
    this.drawCodes(codes, code);
    this.drawLoss();
    document.body.dataset.steps = model.losses.length;
  }

  drawArrows(c, px, py, density) {
    const lattice = [];
    for (let x = -1.9; x < 2; x += 0.2)
      for (let y = -1.9; y < 2; y += 0.2) lattice.push(x, y);
    const to = this.model.decode(this.model.encode(lattice));
    c.strokeStyle = this.colour('--arrow');
    c.lineWidth = density;
    for (let i = 0; i < lattice.length; i += 2) {
      // A third of the way: whole ways would cover each other.
      const dx = (to[i] - lattice[i]) / 3, dy = (to[i + 1] - lattice[i + 1]) / 3;
      const [x0, y0] = [px(lattice[i]), py(lattice[i + 1])];
      const [x1, y1] = [px(lattice[i] + dx), py(lattice[i + 1] + dy)];
      const angle = Math.atan2(y1 - y0, x1 - x0);
      const head = Math.min(4 * density, Math.hypot(x1 - x0, y1 - y0));
      c.beginPath();
      c.moveTo(x0, y0);
      c.lineTo(x1, y1);
      for (const side of [-0.5, 0.5]) {
        c.moveTo(x1, y1);
        c.lineTo(x1 - head * Math.cos(angle + side),
                 y1 - head * Math.sin(angle + side));
      }
      c.stroke();
    }
  }

  /// What all codes within the set's range decode to: a curve, or a net.
  drawManifold(c, line, codes, density) {
    const k = this.numbers;
    const [low, high] = [[], []];
    for (let d = 0; d < k; ++d) {
      let least = Infinity, most = -Infinity;
      for (let i = d; i < codes.length; i += k) {
        least = Math.min(least, codes[i]);
        most = Math.max(most, codes[i]);
      }
      low.push(least);
      high.push(most);
    }
    c.strokeStyle = this.colour('--hand');
    c.lineWidth = (k === 1 ? 2.5 : 1) * density;
    const steps = 120;
    const at = (d, i) => low[d] + (high[d] - low[d]) * i / steps;
    if (k === 1) {
      line(this.model.decode(Array.from({length: steps + 1}, (_, i) => at(0, i))));
      return;
    }
    for (let fixed = 0; fixed < 2; ++fixed)
      for (let j = 0; j <= steps; j += 10) {
        const walk = [];
        for (let i = 0; i <= steps; ++i)
          walk.push(...(fixed ? [at(0, i), at(1, j)] : [at(0, j), at(1, i)]));
        line(this.model.decode(walk));
      }
  }

  drawCodes(codes, code) {
    const {c, width, height, density} = this.canvas('codes');
    const k = this.numbers, count = codes.length / k;
    let reach = 1e-6;
    for (const value of codes) reach = Math.max(reach, Math.abs(value));
    for (const value of code) reach = Math.max(reach, Math.abs(value));
    const to = (value, size) => (value / reach * 0.9 + 1) * size / 2;
    c.strokeStyle = this.colour('--line');
    c.beginPath();
    c.moveTo(0, height / 2);
    c.lineTo(width, height / 2);
    c.moveTo(width / 2, 0);
    c.lineTo(width / 2, height);
    c.stroke();
    // One number is spread in height by the order of the points, to be seen.
    const place = (z, i) => [to(z[0], width), k === 2
      ? height - to(z[1], height)
      : height * (0.25 + 0.5 * ((i * 0.618) % 1))];
    c.fillStyle = this.colour('--quiet');
    for (let i = 0; i < count; ++i) {
      const [x, y] = place(codes.subarray(i * k, i * k + k), i);
      c.fillRect(x - density, y - density, 2 * density, 2 * density);
    }
    const [x, y] = k === 2 ? place(code, 0) : [to(code[0], width), height / 2];
    c.fillStyle = this.colour('--hand');
    c.beginPath();
    c.arc(x, y, 6 * density, 0, 2 * Math.PI);
    c.fill();
  }

  drawLoss() {
    const {c, width, height, density} = this.canvas('loss');
    const {losses} = this.model;
    if (losses.length < 2) return;
    // Means of as many steps as a pixel holds, on a logarithmic axis.
    const bin = Math.max(1, Math.ceil(losses.length / width)), means = [];
    for (let at = 0; at + bin <= losses.length; at += bin) {
      let sum = 0;
      for (let i = at; i < at + bin; ++i) sum += losses[i];
      means.push(Math.log10(Math.max(1e-6, sum / bin)));
    }
    const low = Math.min(...means), high = Math.max(...means);
    c.strokeStyle = this.colour('--hand');
    c.lineWidth = 1.5 * density;
    c.beginPath();
    means.forEach((value, i) => c.lineTo(
      i / Math.max(1, means.length - 1) * width,
      (0.05 + 0.9 * (high - value) / Math.max(1e-9, high - low)) * height));
    c.stroke();
    this.part('loss-text').textContent =
      `step ${losses.length}, mean squared error ` +
      numberText(10 ** means.at(-1));
  }

  writeAddress() {
    history.replaceState(null, '', '#' + new URLSearchParams({
      set: this.set, member: this.member, numbers: this.numbers}));
  }
  readAddress() {
    const said = new URLSearchParams(location.hash.slice(1));
    if (said.get('set') in kToySets) this.set = said.get('set');
    if (said.get('member') in kMembers) this.member = said.get('member');
    if (['1', '2'].includes(said.get('numbers')))
      this.numbers = Number(said.get('numbers'));
  }
}

window.toy = new Toy();
