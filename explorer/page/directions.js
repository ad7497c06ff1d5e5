// Where the pictures around this one vary most, as strips of pictures.
import {floatsOf} from 'explorer/bytes.js';

const kDirections = 4;
const kSteps = [-2, -1.33, -0.67, 0, 0.67, 1.33, 2];  // deviations

export class Directions {
  constructor(host, view) {
    this.view = view;
    host.innerHTML = '<button type="button">Find them around this code' +
      '</button><div></div>';
    this.strips = host.querySelector('div');
    host.querySelector('button').addEventListener('click', () => this.find());
  }

  async find() {
    const {view} = this;
    if (!view.code) return;
    const code = Array.from(view.code);
    const answer = await view.app.guard(
      view.backend.ask('directions', {code, count: kDirections}));
    if (!answer) return;
    const all = floatsOf(answer.directions);
    this.strips.replaceChildren();
    for (let k = 0; k < answer.count; ++k) {
      const direction = all.subarray(k * code.length, (k + 1) * code.length);
      const codes = kSteps.map((step) =>
        code.map((value, i) => value + step * direction[i]));
      const strip = document.createElement('div');
      strip.className = 'tiles';
      this.strips.append(strip);
      await view.showSheet(strip, codes,
        (i) => `${kSteps[i]} deviations along direction ${k}`,
        (i) => view.setCode(Float32Array.from(codes[i])));
    }
  }
}
