// What a diffusion model draws: by class and seed, the way from noise to the
// picture, walks between seeds, and parts drawn anew. A generator of tokens has
// neither samplers nor noise to walk through.
import {floatsOf} from 'explorer/bytes.js';
import {cellCanvas} from 'explorer/grid.js';
import {cutSheet, tile, tileButton} from 'explorer/pictures.js';

export class Drawer {
  constructor(host, view) {
    this.host = host;
    this.view = view;
    const {classes, samplers, sampler, steps} = view.model.diffusion;
    host.innerHTML =
      '<div class="row"><label>class <select data-name="class"></select>' +
      '</label><label>seed <input data-name="seed" type="number" min="0" ' +
      'value="0"></label><label>steps <input data-name="steps" type="range" ' +
      `min="1" max="64" value="${steps}"> <output></output></label>` +
      '<label>sampler <select data-name="sampler"></select></label>' +
      '<label>guidance <input data-name="guidance" type="range" min="0" ' +
      'max="6" step="0.1" value="2"> <output></output></label>' +
      '<button type="button" data-act="draw">draw</button>' +
      '<button type="button" data-act="another">another</button></div>' +
      '<h3>The way, as the network guesses the end</h3>' +
      '<div class="tiles" data-tiles="way"></div><div data-name="noise">' +
      '<div class="row"><label>walk to seed <input data-name="to_seed" ' +
      'type="number" min="0" value="1"></label>' +
      '<button type="button" data-act="walk">walk</button></div>' +
      '<div class="tiles" data-tiles="walk"></div>' +
      '<h3>Draw a part anew</h3><div class="row mask"></div>' +
      '<div class="row"><button type="button" data-act="repaint">draw what is ' +
      'painted</button><button type="button" data-act="clear">clear</button>' +
      '</div></div>';
    const select = this.named('class');
    select.append(new Option('any', ''));
    for (const name of classes) select.append(new Option(name, name));
    if (classes.length > 0) select.value = classes[0];
    select.parentElement.hidden = classes.length === 0;
    this.named('guidance').parentElement.hidden = classes.length === 0;
    for (const name of samplers) this.named('sampler').append(new Option(name));
    this.named('noise').hidden = samplers.length === 0;
    this.named('sampler').parentElement.hidden = samplers.length === 0;
    this.named('sampler').value = sampler;
    for (const input of host.querySelectorAll('[type=range]')) {
      const say = () => (input.parentElement.querySelector('output')
        .textContent = input.value);
      input.addEventListener('input', say);
      say();
    }
    for (const name of ['class', 'seed', 'steps', 'sampler', 'guidance'])
      this.named(name).addEventListener('input', () => this.draw());
    const act = {
      draw: () => this.draw(),
      another: () => {
        this.named('seed').value = Number(this.named('seed').value) + 1;
        this.draw();
      },
      walk: () => this.walk(),
      repaint: () => this.draw(true),
      clear: () => this.clearMask(),
    };
    for (const button of host.querySelectorAll('[data-act]'))
      button.addEventListener('click', act[button.dataset.act]);
    const [, height, width] = view.model.code;
    this.mask = new Float32Array(height * width);
    this.maskCanvas = cellCanvas(height, width, 140, (cell) => {
      this.mask[cell] = 1;
      this.maskCanvas.fill(cell, '#d9480f');
    }, () => {});
    this.maskCanvas.canvas.setAttribute('aria-label',
      'the cells that are drawn anew: paint them');
    host.querySelector('.mask').append(this.maskCanvas.canvas);
    this.clearMask();
  }

  named(name) {
    return this.host.querySelector(`[data-name="${name}"]`);
  }
  tiles(name) {
    return this.host.querySelector(`[data-tiles="${name}"]`);
  }

  clearMask() {
    this.mask.fill(0);
    this.mask.forEach((_, cell) => this.maskCanvas.fill(cell, '#8884'));
    const c = this.maskCanvas.canvas.getContext('2d');
    c.clearRect(0, 0, c.canvas.width, c.canvas.height);
    this.mask.forEach((_, cell) => this.maskCanvas.fill(cell, '#8883'));
  }

  request() {
    const number = (name) => Number(this.named(name).value);
    return {
      class: this.named('class').value || null,
      seed: number('seed'),
      steps: number('steps'),
      sampler: this.named('sampler').value || undefined,
      guidance: this.named('guidance').parentElement.hidden
        ? 1 : number('guidance'),
    };
  }

  async draw(isPart = false) {
    const {view} = this, request = this.request();
    if (isPart) {
      if (!view.code) return;
      request.code = Array.from(view.code);
      request.mask = Array.from(this.mask);
    }
    const answer = await view.app.guard(view.backend.newest('draw', request));
    if (!answer) return;
    await view.takeDrawn(answer, `seed ${request.seed}`);
    this.host.dataset.draws = String(Number(this.host.dataset.draws || 0) + 1);
    if (!answer.way) return;
    const pictures = await cutSheet(answer.way);
    this.tiles('way').replaceChildren(...pictures.map((draw, i) => {
      const label = `after step ${answer.way.steps[i]}`;
      const picture = tile(draw, 44, label);
      picture.title = label;
      return picture;
    }));
  }

  async walk() {
    const {view} = this;
    const answer = await view.app.guard(view.backend.newest('walk', {
      ...this.request(), to_seed: Number(this.named('to_seed').value)}));
    if (!answer) return;
    const codes = floatsOf(answer.codes), n = view.numbers;
    const pictures = await cutSheet(answer);
    this.tiles('walk').replaceChildren(...pictures.map((draw, i) => tileButton(
      draw, 44, `${i} of ${pictures.length - 1} steps`,
      () => view.setCode(codes.slice(i * n, (i + 1) * n)))));
  }
}
