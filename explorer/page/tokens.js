// A tokenizer's picture, token by token: which code stands where, what other
// codes look like, and what changes when one takes another's place.
import {cutSheet, loaded} from 'explorer/pictures.js';

const kPicture = 288;  // pixels on the page
const kCode = 26;

export class Tokens {
  constructor(host, view) {
    this.host = host;
    this.view = view;
    this.level = 0;
    host.innerHTML =
      '<div class="row"><label>level <select></select></label>' +
      '<output data-part="token">A click on the picture paints the chosen code.' +
      '</output></div><div class="row"><canvas class="cells"></canvas>' +
      '<canvas class="cells codebook"></canvas></div>' +
      '<p class="facts" data-part="codebook-facts"></p>';
    const select = host.querySelector('select');
    for (let l = 0; l < view.model.num_levels; ++l)
      select.append(new Option(l + 1, l));
    select.parentElement.hidden = view.model.num_levels < 2;
    select.addEventListener('change', () => {
      this.level = Number(select.value);
      this.showCodebook();
      this.draw();
    });
    [this.canvas, this.book] = host.querySelectorAll('canvas');
    this.canvas.setAttribute('aria-label', 'the picture and its tokens');
    this.book.setAttribute('aria-label', 'the codebook');
    this.listen();
    this.showCodebook();
  }

  listen() {
    let isDown = false;
    const cell = (event) => {
      const box = this.canvas.getBoundingClientRect();
      const x = Math.floor((event.clientX - box.left) * this.width / box.width);
      const y = Math.floor((event.clientY - box.top) * this.height / box.height);
      return x >= 0 && y >= 0 && x < this.width && y < this.height
        ? (this.level * this.height + y) * this.width + x : -1;
    };
    this.canvas.addEventListener('pointerdown', (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      isDown = true;
      this.paint(cell(event));
    });
    this.canvas.addEventListener('pointermove', (event) => {
      if (!this.tokens) return;
      const at = cell(event);
      if (isDown) this.paint(at);
      else if (at >= 0) this.say(this.tokens[at]);
    });
    for (const name of ['pointerup', 'pointercancel'])
      this.canvas.addEventListener(name, () => (isDown = false));
    const code = (event) => {
      const box = this.book.getBoundingClientRect();
      const column = Math.floor((event.clientX - box.left) / box.width *
                                this.columns);
      const row = Math.floor((event.clientY - box.top) / box.height *
                             this.rows);
      return this.codes?.[row * this.columns + column];
    };
    this.book.addEventListener('pointermove', (event) => {
      const at = code(event);
      if (at !== undefined) this.say(at);
    });
    this.book.addEventListener('click', (event) => {
      const at = code(event);
      if (at === undefined) return;
      this.brush = at;
      this.drawCodebook();
    });
  }

  say(code) {
    const used = this.usage?.get(code);
    this.host.querySelector('[data-part=token]').textContent =
      `code ${code}` + (used === undefined ? ''
        : used === 0 ? ', dead: the set never uses it'
        : `, used ${used} times by the set`);
  }

  take(answer) {
    if (!answer.tokens) return;
    this.tokens = answer.tokens.slice();
    [, this.height, this.width] = answer.token_shape;
    this.decoded = answer.decoded;
    this.draw();
  }

  paint(at) {
    if (at < 0 || this.brush === undefined || this.tokens[at] === this.brush)
      return;
    this.tokens[at] = this.brush;
    this.send();
  }

  async send() {
    const {view} = this;
    const answer = await view.app.guard(view.backend.newest('detokenize',
      {tokens: this.tokens, original: view.original}));
    if (!answer) return;
    this.decoded = answer.decoded;
    await view.showDecoded(answer);
    this.draw();
    this.host.dataset.painted = String(Number(this.host.dataset.painted || 0) + 1);
  }

  async draw() {
    if (!this.tokens) return;
    const picture = await loaded(this.decoded);
    const c = this.canvas.getContext('2d');
    this.canvas.width = kPicture;
    this.canvas.height = kPicture * picture.height / picture.width;
    c.imageSmoothingEnabled = false;
    c.drawImage(picture, 0, 0, this.canvas.width, this.canvas.height);
    const dx = this.canvas.width / this.width;
    const dy = this.canvas.height / this.height;
    c.strokeStyle = '#8888';
    c.fillStyle = '#fff';
    c.font = `${Math.min(11, dx / 2.4)}px system-ui`;
    c.textAlign = 'center';
    c.textBaseline = 'middle';
    c.shadowColor = '#000';
    for (let y = 0; y < this.height; ++y)
      for (let x = 0; x < this.width; ++x) {
        c.shadowBlur = 0;
        c.strokeRect(x * dx + 0.5, y * dy + 0.5, dx, dy);
        if (dx < 18) continue;
        c.shadowBlur = 3;
        c.fillText(this.tokens[(this.level * this.height + y) * this.width + x],
          (x + 0.5) * dx, (y + 0.5) * dy);
      }
  }

  async showCodebook() {
    const {view} = this;
    const answer = await view.app.guard(
      view.backend.ask('codebook', {level: this.level}));
    if (!answer) return;
    this.codes = answer.codes;
    this.usage = answer.usage && new Map(
      answer.codes.map((code, i) => [code, answer.usage[i]]));
    this.codePictures = await cutSheet(answer);
    this.brush = this.codes[0];
    this.columns = Math.ceil(Math.sqrt(this.codes.length));
    this.rows = Math.ceil(this.codes.length / this.columns);
    const shown = answer.codes.length;
    this.host.querySelector('[data-part=codebook-facts]').textContent =
      this.usage
        ? `${answer.num_codes} codes, ${answer.num_dead} of them dead (crossed ` +
          'out)' +
          (shown < answer.num_codes ? `; the ${shown} most used are shown` : '') +
          '. Brightness is how often the set uses a code, most used first.'
        : `${answer.num_codes} codes` +
          (shown < answer.num_codes ? `; the first ${shown} are shown` : '') +
          '. How often the set uses them is known where it is given as images.';
    this.drawCodebook();
  }

  drawCodebook() {
    const c = this.book.getContext('2d');
    this.book.width = this.columns * kCode;
    this.book.height = this.rows * kCode;
    const most = this.usage ? Math.max(1, ...this.usage.values()) : 1;
    this.codes.forEach((code, i) => {
      const x = (i % this.columns) * kCode, y = Math.floor(i / this.columns) * kCode;
      const used = this.usage ? this.usage.get(code) : most;
      this.codePictures[i](c, x + kCode / 2, y + kCode / 2, kCode - 2);
      // Never quite dark, so that a rare code is still seen.
      c.fillStyle = `rgb(0 0 0 / ${0.75 * (1 - Math.sqrt(used / most))})`;
      c.fillRect(x, y, kCode, kCode);
      if (used === 0) {
        c.strokeStyle = '#e15759';
        c.lineWidth = 1;
        c.beginPath();
        c.moveTo(x + 2, y + 2);
        c.lineTo(x + kCode - 2, y + kCode - 2);
        c.stroke();
      }
      if (code !== this.brush) return;
      c.strokeStyle = '#ff8a3d';
      c.lineWidth = 3;
      c.strokeRect(x + 1.5, y + 1.5, kCode - 3, kCode - 3);
    });
  }
}
