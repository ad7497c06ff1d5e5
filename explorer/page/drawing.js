// A picture of one's own, drawn with a finger or a mouse.

export class Drawing {
  /// size: pixels of the picture, [height, width]; done(canvas) after each line.
  constructor(host, [height, width], done) {
    this.canvas = document.createElement('canvas');
    // Drawn large and made small, so that lines have soft edges.
    const zoom = Math.max(1, Math.round(280 / Math.max(height, width)));
    this.canvas.width = width * zoom;
    this.canvas.height = height * zoom;
    this.canvas.className = 'drawing';
    this.canvas.setAttribute('aria-label', 'draw here');
    this.pen = Math.max(2, this.canvas.width / 12);
    const clear = document.createElement('button');
    clear.type = 'button';
    clear.textContent = 'clear';
    clear.addEventListener('click', () => this.clear());
    host.append(this.canvas, clear);
    this.clear();
    let last = null;
    const at = (event) => {
      const box = this.canvas.getBoundingClientRect();
      return [(event.clientX - box.left) * this.canvas.width / box.width,
              (event.clientY - box.top) * this.canvas.height / box.height];
    };
    this.canvas.addEventListener('pointerdown', (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      last = at(event);
      this.line(last, last);
    });
    this.canvas.addEventListener('pointermove', (event) => {
      if (!last) return;
      const next = at(event);
      this.line(last, next);
      last = next;
    });
    this.canvas.addEventListener('pointerup', () => {
      last = null;
      done(this.canvas);
    });
  }

  // White on black, as the sets of small pictures are.
  clear() {
    const c = this.canvas.getContext('2d');
    c.fillStyle = '#000';
    c.fillRect(0, 0, this.canvas.width, this.canvas.height);
  }

  line([x0, y0], [x1, y1]) {
    const c = this.canvas.getContext('2d');
    c.strokeStyle = '#fff';
    c.lineCap = 'round';
    c.lineWidth = this.pen;
    c.beginPath();
    c.moveTo(x0, y0);
    c.lineTo(x1, y1 + 0.01);
    c.stroke();
  }
}
