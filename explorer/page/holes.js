// How far the nearest code is, exactly, anywhere in the plane: where nothing
// was learnt, a decoder answers all the same.

export class NearestCode {
  /// points: x, y of each code in the plane; offPlane: its squared distance
  /// from the plane, or null where all lie in it.
  constructor(points, offPlane) {
    this.points = points;
    this.offPlane = offPlane;
    const count = points.length / 2;
    this.least = Infinity;
    for (let i = 0; i < count; ++i)
      this.least = Math.min(this.least, offPlane ? offPlane[i] : 0);
    let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
    for (let i = 0; i < count; ++i) {
      x0 = Math.min(x0, points[2 * i]);
      x1 = Math.max(x1, points[2 * i]);
      y0 = Math.min(y0, points[2 * i + 1]);
      y1 = Math.max(y1, points[2 * i + 1]);
    }
    // About two codes to a bucket.
    this.edge = Math.max(
      Math.sqrt(Math.max(x1 - x0, 1e-9) * Math.max(y1 - y0, 1e-9) /
                Math.max(1, count / 2)),
      Math.max(x1 - x0, y1 - y0) / 512, 1e-12);
    this.x0 = x0;
    this.y0 = y0;
    this.columns = Math.floor((x1 - x0) / this.edge) + 1;
    this.rows = Math.floor((y1 - y0) / this.edge) + 1;
    // Codes by bucket, in one array: a counting sort.
    const bucket = new Int32Array(count);
    this.begins = new Int32Array(this.columns * this.rows + 1);
    for (let i = 0; i < count; ++i) {
      const column = Math.floor((points[2 * i] - x0) / this.edge);
      const row = Math.floor((points[2 * i + 1] - y0) / this.edge);
      ++this.begins[(bucket[i] = row * this.columns + column) + 1];
    }
    for (let b = 0; b < this.columns * this.rows; ++b)
      this.begins[b + 1] += this.begins[b];
    const next = this.begins.slice();
    this.order = new Int32Array(count);
    for (let i = 0; i < count; ++i) this.order[next[bucket[i]]++] = i;
  }

  /// {row, distance} of the code nearest to a place of the plane.
  at(x, y) {
    const column = Math.floor((x - this.x0) / this.edge);
    const row = Math.floor((y - this.y0) / this.edge);
    // Buckets in rings around the place's own, the first ring that meets any.
    const outside = Math.max(0, -column, -row, column - this.columns + 1,
                             row - this.rows + 1);
    const last = Math.max(Math.abs(column), Math.abs(row),
                          Math.abs(column - this.columns + 1),
                          Math.abs(row - this.rows + 1));
    let best = Infinity, found = -1;
    for (let ring = outside; ring <= last; ++ring) {
      const reach = Math.max(0, ring - 1) * this.edge;
      if (reach * reach + this.least > best) break;
      for (let r = Math.max(0, row - ring);
           r <= Math.min(this.rows - 1, row + ring); ++r) {
        const isEdge = Math.abs(r - row) === ring;
        // The whole side of the ring, or its two ends; within the grid.
        const step = isEdge || ring === 0 ? 1 : 2 * ring;
        const first = step === 1 ? Math.max(0, column - ring) : column - ring;
        const end = step === 1 ? Math.min(this.columns - 1, column + ring)
                               : column + ring;
        for (let c = first; c <= end; c += step) {
          if (c < 0 || c >= this.columns) continue;
          const b = r * this.columns + c;
          for (let k = this.begins[b]; k < this.begins[b + 1]; ++k) {
            const i = this.order[k];
            const dx = this.points[2 * i] - x, dy = this.points[2 * i + 1] - y;
            const squared = dx * dx + dy * dy +
              (this.offPlane ? this.offPlane[i] : 0);
            if (squared < best) [best, found] = [squared, i];
          }
        }
      }
    }
    return {row: found, distance: Math.sqrt(best)};
  }
}
