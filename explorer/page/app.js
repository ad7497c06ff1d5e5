// The page: models side by side, what is chosen for all of them, and the
// address that keeps it.
import {Backend} from 'explorer/backend.js';
import {Between} from 'explorer/between.js';
import {base64OfBytes} from 'explorer/bytes.js';
import {Directions} from 'explorer/directions.js';
import {Drawer} from 'explorer/drawer.js';
import {Drawing} from 'explorer/drawing.js';
import {FrozenBackend, frozenParts} from 'explorer/frozen.js';
import {Grid} from 'explorer/grid.js';
import {ModelView} from 'explorer/model_view.js';
import {cutSheet, tileButton} from 'explorer/pictures.js';
import {Sliders} from 'explorer/sliders.js';
import {Tokens} from 'explorer/tokens.js';

class App {
  constructor() {
    this.views = [];
    this.panels = new Map();  // of each view
    this.axes = null;         // numbers of the code, or the usual plane
    this.message = document.getElementById('message');
  }

  async start() {
    const frozen = this.frozen = frozenParts();
    const backend = frozen ? new FrozenBackend(frozen.model)
                           : new Backend('/api/');
    const model = await backend.ask('model');
    this.add(backend, model);
    if (frozen?.beside || model.beside) {
      const beside = frozen ? new FrozenBackend(frozen.beside)
                            : new Backend('/api/beside/');
      this.add(beside, await beside.ask('model'));
    }
    if (frozen) this.showFrozen();
    document.title = `${model.path} · Calotype`;
    document.body.classList.toggle('two', this.views.length > 1);
    this.listen();
    this.readAddress();
    // Axes of an address that this model does not have.
    if (this.axes && (this.frozen ||
        this.views.some((view) => Math.max(...this.axes) >= view.numbers)))
      this.axes = null;
    for (const view of this.views) await this.guard(view.showPlane(this.axes));
    await this.showPresets();
    if (this.wanted.code) await this.first.setCode(this.wanted.code);
    else if (model.set)
      await this.row(this.first, this.wanted.row ?? model.set.typical[0]);
    document.body.dataset.ready = 'yes';
  }

  get first() {
    return this.views[0];
  }

  /// What only the program can do goes; what stands for a decoder is said.
  showFrozen() {
    for (const id of ['file', 'draw', 'axes'])
      document.getElementById(id).parentElement.hidden = true;
    document.querySelector('.program').hidden = true;
    const said = document.querySelector('.frozen');
    said.hidden = false;
    for (const view of this.views) {
      view.part('directions').parentElement.hidden = true;
      const {lattice} = view.backend.parts;
      if (!lattice) continue;
      for (const name of ['numbers', 'between'])
        view.part(name).parentElement.hidden = true;
      said.textContent = `given away as one file: ${lattice.edge} × ` +
        `${lattice.edge} places of the plane were decoded beforehand, and the ` +
        'nearest is shown';
    }
  }

  add(backend, model) {
    const copy = document.getElementById('model').content.cloneNode(true);
    const host = copy.querySelector('article');
    host.id = `model-${this.views.length}`;
    document.getElementById('models').append(copy);
    const view = new ModelView(host, backend, model, this);
    this.views.push(view);
    const isGrid = model.code[1] * model.code[2] > 1;
    const panels = {
      // Each number, or each channel of a grid.
      numbers: isGrid ? new Grid(view.part('numbers'), view)
                      : new Sliders(view.part('numbers'), view),
      between: new Between(view.part('between'), view),
      directions: new Directions(view.part('directions'), view),
    };
    if (model.diffusion) panels.drawer = new Drawer(view.part('drawer'), view);
    if (model.num_codes > 0) panels.tokens = new Tokens(view.part('tokens'), view);
    view.part('tokens').parentElement.hidden = model.num_codes === 0;
    view.part('drawer').parentElement.hidden = !model.diffusion;
    view.part('directions').parentElement.hidden = !model.set;
    this.panels.set(view, panels);
  }

  /// Says what went wrong, and gives null instead of it.
  async guard(promise) {
    try {
      return await promise;
    } catch (error) {
      if (error.status !== 409) this.say(error.message);
      return null;
    }
  }
  say(text) {
    this.message.textContent = text;
    this.message.hidden = false;
    clearTimeout(this.silence);
    this.silence = setTimeout(() => (this.message.hidden = true), 8000);
  }

  axesRequest() {
    return this.axes ? {numbers: this.axes} : {};
  }

  // What views tell

  async row(from, row) {
    const name = from.model.set.names[row];
    const ofFirst = from === this.first
      ? row : this.first.model.set?.names.indexOf(name) ?? -1;
    this.chosen = ofFirst >= 0 ? ofFirst : undefined;
    await Promise.all(this.views.map(async (view) => {
      const its = view === from ? row : view.model.set?.names.indexOf(name);
      if (its === undefined || its < 0)
        return this.say(`${view.model.path} has no picture named ${name}`);
      const answer = await this.guard(view.backend.ask('encode', {row: its}));
      if (answer) await view.take(answer);
    }));
  }

  changed(view) {
    this.panels.get(view).numbers.show(view.code);
    if (view === this.first) this.chosen = undefined;
  }

  settled(view) {
    this.panels.get(view).numbers.show(view.code);
    if (view === this.first) this.writeAddress();
  }

  /// A picture with its tokens, to whoever shows more of it than the view does.
  encoded(view, answer) {
    this.panels.get(view).tokens?.take(answer);
  }

  async bytes(bytes) {
    const image = base64OfBytes(bytes);
    this.chosen = undefined;
    await Promise.all(this.views.map(async (view) => {
      const answer = await this.guard(view.backend.ask('encode', {image}));
      if (answer) await view.take(answer);
    }));
  }

  // What is chosen for all

  async showPresets() {
    const {set} = this.first.model;
    const host = document.getElementById('presets');
    if (!set) return;
    const sheet = await this.guard(
      this.first.backend.ask('thumbnails', {rows: set.typical}));
    if (!sheet) return;
    const tiles = await cutSheet(sheet);
    host.replaceChildren(...set.typical.map((row, i) => tileButton(
      tiles[i], 44, set.classes[set.labels[row]] ?? set.names[row],
      () => this.row(this.first, row))));
  }

  option(name, isOn) {
    for (const view of this.views) {
      if (!view.plane) continue;
      view.plane.options[name] = isOn;
      view.plane.redrawOverlay();
      if (view.code) view.showHand();
      if (name === 'cloud' && view.code) view.showCloud();
    }
    document.getElementById(name).checked = isOn;
    this.writeAddress();
  }

  async setAxes(axes) {
    for (const view of this.views)
      if (axes && Math.max(...axes) >= view.numbers)
        return this.say(`axes are two of [0, ${view.numbers})`);
    this.axes = axes;
    for (const view of this.views) {
      await this.guard(view.showPlane(axes));
      if (view.code) view.settle();
      this.panels.get(view).between.showPins();
    }
    this.writeAddress();
  }

  listen() {
    for (const name of ['holes', 'cloud', 'thumbnails'])
      document.getElementById(name).addEventListener('change', (event) =>
        this.option(name, event.target.checked));
    document.getElementById('cloud').parentElement.hidden =
      !this.views.some((view) => view.model.has_variance);
    const {model, numbers} = this.first;
    const axes = document.getElementById('axes');
    axes.parentElement.hidden = numbers < 3 || Boolean(this.frozen);
    axes.addEventListener('change', () => {
      const pair = axes.value.match(/^z(\d+) *, *z(\d+)$/);
      if (axes.value.trim() === '') this.setAxes(null);
      else if (pair) this.setAxes([Number(pair[1]), Number(pair[2])]);
      else this.say('axes are "z0, z1", or nothing for principal components');
    });
    document.getElementById('file').addEventListener('change', (event) =>
      this.files(event.target.files));
    for (const name of ['dragover', 'drop'])
      window.addEventListener(name, (event) => {
        event.preventDefault();
        if (name === 'drop') this.files(event.dataTransfer.files);
      });
    window.addEventListener('paste', (event) =>
      this.files(event.clipboardData.files));
    window.addEventListener('hashchange', () => {
      if (location.hash.slice(1) === this.address) return;
      const shown = String(this.axes);
      this.readAddress();
      if (String(this.axes) !== shown) this.setAxes(this.axes);
      for (const view of this.views) view.plane?.redraw();
      if (this.wanted.code) this.first.setCode(this.wanted.code);
      else if (this.wanted.row !== undefined) this.row(this.first, this.wanted.row);
    });
    new Drawing(document.getElementById('draw'), model.image.slice(1),
      (canvas) => canvas.toBlob(async (blob) =>
        this.bytes(new Uint8Array(await blob.arrayBuffer()))));
  }

  async files(files) {
    if (!files || files.length === 0) return;
    await this.bytes(new Uint8Array(await files[0].arrayBuffer()));
  }

  // The address: row=5, or code=...; holes, cloud, axes=0,3

  writeAddress() {
    const parts = [];
    if (this.chosen !== undefined) parts.push(`row=${this.chosen}`);
    else if (this.first.code && this.first.numbers <= 64)
      parts.push('code=' + Array.from(this.first.code, (v) =>
        Number(v.toPrecision(7))).join(','));
    if (this.axes) parts.push(`axes=${this.axes.join(',')}`);
    for (const name of ['holes', 'cloud'])
      if (document.getElementById(name).checked) parts.push(name);
    this.address = parts.join('&');
    history.replaceState(null, '', '#' + this.address);
  }

  readAddress() {
    const said = new URLSearchParams(location.hash.slice(1));
    const numbers = (key) => said.get(key)?.split(',').map(Number);
    const code = numbers('code'), axes = numbers('axes');
    this.wanted = {
      row: said.has('row') ? Number(said.get('row')) : undefined,
      code: code && code.length === this.first.numbers &&
        code.every(Number.isFinite) ? Float32Array.from(code) : null,
    };
    this.axes = axes && axes.length === 2 && axes.every(Number.isInteger)
      ? axes : null;
    document.getElementById('axes').value =
      this.axes ? this.axes.map((i) => `z${i}`).join(', ') : '';
    for (const name of ['holes', 'cloud'])
      for (const view of this.views) {
        document.getElementById(name).checked = said.has(name);
        if (view.plane) view.plane.options[name] = said.has(name);
      }
  }
}

const app = new App();
window.calotype = app;  // for tests, and for whoever opens the console
app.start().catch((error) => app.say(error.message));
