// Codes that are kept, and what lies between them: lines, arcs, sums.
import {numberText} from 'explorer/bytes.js';

/// The code at `t` of the way from a to b. Round: along the great circle,
/// lengths included (Shoemake, 1985), a line where both are parallel.
export function between(a, b, t, isRound) {
  let fa = 1 - t, fb = t;
  if (isRound) {
    let aa = 0, bb = 0, ab = 0;
    for (let i = 0; i < a.length; ++i) {
      aa += a[i] * a[i];
      bb += b[i] * b[i];
      ab += a[i] * b[i];
    }
    const angle = Math.acos(Math.min(1, Math.max(-1, ab / Math.sqrt(aa * bb))));
    if (angle > 1e-4 && angle < Math.PI - 1e-4) {
      fa = Math.sin((1 - t) * angle) / Math.sin(angle);
      fb = Math.sin(t * angle) / Math.sin(angle);
    }
  }
  return a.map((value, i) => fa * value + fb * b[i]);
}

const kStrip = 9;

export class Between {
  constructor(host, view) {
    this.host = host;
    this.view = view;
    this.pins = new Map();  // name: code
    host.innerHTML =
      '<div class="row"><span>Keep the code as</span>' +
      ['A', 'B', 'C'].map((name) =>
        `<button type="button" data-pin="${name}">${name}</button>`).join('') +
      '</div><div class="row walk" hidden>' +
      '<label>A to B <input type="range" min="0" max="1" step="any" value="0">' +
      '</label><label><input type="checkbox"> along the sphere</label>' +
      '<output></output></div><div class="tiles"></div>' +
      '<div class="row sum" hidden><button type="button">A − B + C</button></div>';
    for (const button of host.querySelectorAll('[data-pin]'))
      button.addEventListener('click', () => this.pin(button.dataset.pin));
    this.input = host.querySelector('.walk input[type=range]');
    this.round = host.querySelector('.walk input[type=checkbox]');
    this.input.addEventListener('input', () => this.scrub(false));
    this.input.addEventListener('change', () => this.scrub(true));
    this.round.addEventListener('change', () => this.show());
    host.querySelector('.sum button').addEventListener('click', () => {
      const [a, b, c] = ['A', 'B', 'C'].map((name) => this.pins.get(name));
      this.view.setCode(a.map((value, i) => value - b[i] + c[i]));
    });
  }

  pin(name) {
    if (!this.view.code) return;
    this.pins.set(name, this.view.code.slice());
    this.show();
  }

  show() {
    const [a, b] = [this.pins.get('A'), this.pins.get('B')];
    const {view} = this;
    for (const button of this.host.querySelectorAll('[data-pin]'))
      button.setAttribute('aria-pressed', this.pins.has(button.dataset.pin));
    this.host.querySelector('.sum').hidden = this.pins.size < 3;
    this.host.querySelector('.walk').hidden = !(a && b);
    this.showPins();
    if (!a || !b) return;
    const codes = Array.from({length: kStrip}, (_, k) => Array.from(
      between(a, b, k / (kStrip - 1), this.round.checked)));
    view.showSheet(this.host.querySelector('.tiles'), codes,
      (k) => `${numberText(k / (kStrip - 1))} of the way from A to B`, (k) => {
        this.input.value = k / (kStrip - 1);
        this.scrub(true);
      });
  }

  /// On the map, in the plane that it shows now.
  showPins() {
    const {view} = this, [a, b] = [this.pins.get('A'), this.pins.get('B')];
    if (!view.plane?.plane) return;
    view.plane.pins = [...this.pins].map(([name, code]) => {
      const [x, y] = view.projected(code);
      return {x, y, name};
    });
    view.plane.path = a && b
      ? Array.from({length: 33}, (_, k) => view.projected(
        between(a, b, k / 32, this.round.checked)))
      : [];
    view.plane.redrawOverlay();
  }

  scrub(isLast) {
    const t = Number(this.input.value);
    this.host.querySelector('output').textContent = numberText(t);
    this.view.setCode(between(this.pins.get('A'), this.pins.get('B'), t,
                              this.round.checked), isLast);
  }
}
