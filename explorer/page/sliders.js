// A number of the code for each slider, and what it changes.
import {numberText} from 'explorer/bytes.js';

const kMaxSliders = 256;
const kStrip = 9;  // pictures of a walk along one number

export class Sliders {
  constructor(host, view) {
    this.host = host;
    this.view = view;
    this.rows = [];
    const {numbers} = view;
    const count = Math.min(numbers, kMaxSliders);
    if (numbers > kMaxSliders) {
      const line = document.createElement('p');
      line.textContent = `The first ${kMaxSliders} of ${numbers} numbers.`;
      host.append(line);
    }
    for (let i = 0; i < count; ++i) host.append(this.row(i));
  }

  row(i) {
    const row = document.createElement('div');
    row.className = 'slider';
    const id = `z${i}-${this.view.host.id}`;
    row.innerHTML = `<label for="${id}">z${i}</label>` +
      `<input id="${id}" type="range" step="any"><output for="${id}"></output>` +
      '<button type="button" title="what this number changes">walk</button>' +
      '<div class="tiles"></div>';
    const [input, output, button, strip] =
      ['input', 'output', 'button', '.tiles'].map((s) => row.querySelector(s));
    const {low, high} = this.range(i);
    input.min = low;
    input.max = high;
    const move = (isLast) => {
      const code = (this.view.code || new Float32Array(this.view.numbers)).slice();
      code[i] = Number(input.value);
      this.view.setCode(code, isLast);
    };
    input.addEventListener('input', () => move(false));
    input.addEventListener('change', () => move(true));
    button.addEventListener('click', () => this.walk(i, strip));
    this.rows.push({input, output});
    return row;
  }

  /// Three deviations to either side of what the set has.
  range(i) {
    const {set} = this.view.model;
    if (!set) return {low: -3, high: 3};
    const reach = 3 * Math.max(set.std[i], 1e-6);
    return {low: set.mean[i] - reach, high: set.mean[i] + reach};
  }

  show(code) {
    this.rows.forEach(({input, output}, i) => {
      const value = code[i];
      // A code may lie beyond what is usual.
      if (value < Number(input.min)) input.min = value;
      if (value > Number(input.max)) input.max = value;
      input.value = value;
      output.textContent = numberText(value);
    });
  }

  walk(i, strip) {
    const {low, high} = this.range(i);
    const values = Array.from({length: kStrip}, (_, k) =>
      low + (high - low) * k / (kStrip - 1));
    const codes = values.map((value) => {
      const code = Array.from(this.view.code || new Float32Array(this.view.numbers));
      code[i] = value;
      return code;
    });
    this.view.showSheet(strip, codes,
      (k) => `z${i} = ${numberText(values[k])}`,
      (k) => this.view.setCode(Float32Array.from(codes[k])));
  }
}
