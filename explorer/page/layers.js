// What lies above the points of the map: holes, axes, pictures, clouds, the way
// between pins, and the code in hand.
import {colourOf} from 'explorer/raster.js';

const kFrame_ms = 8;   // of work in one frame
const kShadeCell = 8;  // device pixels

/// Ellipse of a covariance (xx, xy, yy): half axes and their angle.
function ellipseOf(xx, xy, yy) {
  const middle = (xx + yy) / 2, apart = Math.hypot((xx - yy) / 2, xy);
  return {
    long: Math.sqrt(Math.max(0, middle + apart)),
    short: Math.sqrt(Math.max(0, middle - apart)),
    angle: 0.5 * Math.atan2(2 * xy, xx - yy),
  };
}

/// All that lies above the points. `begin`: when this frame's work began.
export function drawLayers(map, c, begin) {
  if (map.options.holes) drawHoles(map, c, begin);
  drawAxes(map, c);
  drawThumbnails(map, c);
  if (map.options.cloud) drawCloud(map, c);
  drawPath(map, c);
  if (map.place) drawHand(map, c);
  if (map.lasso) {
    c.strokeStyle = map.colour('--text');
    c.setLineDash([4, 4]);
    c.beginPath();
    for (const [x, y] of map.lasso) c.lineTo(x, y);
    c.closePath();
    c.stroke();
    c.setLineDash([]);
  }
}

// The shade grows from row to row, so that no frame waits for it.
function drawHoles(map, c, begin) {
  if (map.needsOffPlane && !map.nearest.offPlane) return;
  const {width, height} = map.overlay;
  const cell = kShadeCell * Math.max(1, Math.round(map.density));
  const columns = Math.ceil(width / cell), rows = Math.ceil(height / cell);
  if (!map.shade) {
    const image = new OffscreenCanvas(columns, rows);
    map.shade = {image, row: 0, context: image.getContext('2d')};
  }
  const {shade} = map;
  const [r, g, b] = map.colour('--shade').split(',').map(Number);
  while (shade.row < rows && performance.now() - begin < kFrame_ms) {
    const line = shade.context.createImageData(columns, 1);
    for (let k = 0; k < columns; ++k) {
      const [x, y] = map.toPlane((k + 0.5) * cell, (shade.row + 0.5) * cell);
      const far = map.nearest.at(x, y).distance / map.plane.usualDistance;
      // Nothing up to what is usual between codes, then ever darker.
      const alpha = far <= 1 ? 0 : 1 - 1 / Math.sqrt(far);
      line.data.set([r, g, b, Math.round(230 * Math.min(1, alpha))], 4 * k);
    }
    shade.context.putImageData(line, 0, shade.row++);
  }
  c.imageSmoothingEnabled = true;
  c.drawImage(shade.image, 0, 0, columns * cell, rows * cell);
  if (shade.row < rows) map.redrawOverlay();
}

/// Text that reads on points and on shade.
function text(map, c, words, x, y) {
  c.strokeStyle = map.colour('--back');
  c.lineWidth = 4 * map.density;
  c.lineJoin = 'round';
  c.strokeText(words, x, y);
  c.fillStyle = map.colour('--text');
  c.fillText(words, x, y);
}

function drawAxes(map, c) {
  const {width, height} = map.overlay;
  c.font = `${12 * map.density}px system-ui, sans-serif`;
  const [x, y] = map.plane.labels;
  c.textAlign = 'right';
  text(map, c, x, width - 8 * map.density, height - 8 * map.density);
  c.save();
  c.translate(16 * map.density, 8 * map.density);
  c.rotate(-Math.PI / 2);
  text(map, c, y, 0, 0);
  c.restore();
  if (!map.options.cloud || !map.plane.priorCentre) return;
  // Standard normal numbers stay so in any plane: rings of its deviations.
  const [px, py] = map.toPixel(...map.plane.priorCentre);
  c.textAlign = 'center';
  for (const ring of [1, 2, 3]) {
    const radius = ring * map.view.scale;
    c.strokeStyle = map.colour('--text');
    c.lineWidth = map.density;
    c.beginPath();
    c.arc(px, py, radius, 0, 2 * Math.PI);
    c.stroke();
    text(map, c, ring === 1 ? '1σ of the prior' : `${ring}σ`, px,
         py - radius - 4 * map.density);
  }
}

function drawThumbnails(map, c) {
  if (!map.options.thumbnails || !map.thumbnails) return;
  for (const {row, draw} of map.thumbnails) {
    const [x, y] = map.toPixel(map.plane.points[2 * row],
                              map.plane.points[2 * row + 1]);
    draw(c, x, y, 28 * map.density);
  }
}

function drawEllipse(map, c, x, y, covariance, deviations) {
  const {long, short, angle} = ellipseOf(...covariance);
  const [px, py] = map.toPixel(x, y);
  c.beginPath();
  c.ellipse(px, py, deviations * long * map.view.scale,
            deviations * short * map.view.scale, -angle, 0, 2 * Math.PI);
}

function drawCloud(map, c) {
  const {points, spread} = map.plane;
  if (spread) {
    // Posteriors of some codes of the set, to scale.
    const count = points.length / 2;
    const step = Math.max(1, Math.floor(count / 300));
    c.lineWidth = map.density;
    for (let i = 0; i < count; i += step) {
      if (map.hidden.has(map.labels[i])) continue;
      c.strokeStyle = colourOf(map.labels[i]);
      c.globalAlpha = 0.55;
      drawEllipse(map, c, points[2 * i], points[2 * i + 1],
                  spread.subarray(3 * i, 3 * i + 3), 1);
      c.stroke();
    }
    c.globalAlpha = 1;
  }
  if (!map.place || !map.spread) return;
  c.fillStyle = map.colour('--hand');
  for (const [x, y] of map.samples) {
    const [px, py] = map.toPixel(map.place[0] + x, map.place[1] + y);
    c.fillRect(px - map.density, py - map.density, 2 * map.density,
               2 * map.density);
  }
  c.strokeStyle = map.colour('--hand');
  c.lineWidth = 1.5 * map.density;
  for (const deviations of [1, 2]) {
    drawEllipse(map, c, ...map.place, map.spread, deviations);
    c.stroke();
  }
}

function drawPath(map, c) {
  if (map.path.length > 1) {
    c.strokeStyle = map.colour('--hand');
    c.lineWidth = 1.5 * map.density;
    c.beginPath();
    for (const [x, y] of map.path) c.lineTo(...map.toPixel(x, y));
    c.stroke();
  }
  c.textAlign = 'left';
  for (const {x, y, name} of map.pins) {
    const [px, py] = map.toPixel(x, y);
    text(map, c, name, px + 6 * map.density, py - 6 * map.density);
    c.fillRect(px - 3 * map.density, py - 3 * map.density,
               6 * map.density, 6 * map.density);
  }
}

function drawHand(map, c) {
  const [px, py] = map.toPixel(...map.place);
  c.beginPath();
  c.arc(px, py, 8 * map.density, 0, 2 * Math.PI);
  c.fillStyle = map.colour('--hand');
  c.fill();
  c.strokeStyle = map.colour('--back');
  c.lineWidth = 2 * map.density;
  c.stroke();
  if (!map.options.holes) return;
  const {row} = map.nearest.at(...map.place);
  if (row < 0) return;
  c.strokeStyle = map.colour('--text');
  c.lineWidth = map.density;
  c.setLineDash([3, 3]);
  c.beginPath();
  c.moveTo(px, py);
  c.lineTo(...map.toPixel(map.plane.points[2 * row],
                         map.plane.points[2 * row + 1]));
  c.stroke();
  c.setLineDash([]);
}
