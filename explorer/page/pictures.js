// Pictures as a person sees them: each pixel a square, whatever the zoom.

export function pictureElement(url, label) {
  const image = new Image();
  image.src = url;
  image.alt = label;
  image.className = 'pixels';
  return image;
}

export async function loaded(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}

/// The pictures of a sheet, each as a function that draws it around a place.
export async function cutSheet(sheet) {
  const image = await loaded(sheet.picture);
  return Array.from({length: sheet.count}, (_, i) => {
    const sx = (i % sheet.columns) * sheet.width;
    const sy = Math.floor(i / sheet.columns) * sheet.height;
    return (c, x, y, edge) => {
      c.imageSmoothingEnabled = false;
      const height = edge * sheet.height / sheet.width;
      c.drawImage(image, sx, sy, sheet.width, sheet.height, x - edge / 2,
                  y - height / 2, edge, height);
    };
  });
}

/// A canvas with one picture of a sheet.
export function tile(draw, edge, label) {
  const canvas = document.createElement('canvas');
  const density = window.devicePixelRatio || 1;
  canvas.width = canvas.height = edge * density;
  canvas.style.width = canvas.style.height = `${edge}px`;
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', label);
  draw(canvas.getContext('2d'), edge * density / 2, edge * density / 2,
       edge * density);
  return canvas;
}

/// The same as a button.
export function tileButton(draw, edge, label, choose) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'thumbnail';
  button.title = label;
  button.append(tile(draw, edge, label));
  button.addEventListener('click', choose);
  return button;
}

/// A picture that can be kept: a link around it saves it as a PNG.
export function savable(element, name) {
  const link = document.createElement('a');
  link.className = 'savable';
  link.title = `save ${name}.png`;
  link.download = `${name}.png`;
  link.append(element);
  link.addEventListener('click', () => {
    link.href = element.tagName === 'CANVAS' ? element.toDataURL() : element.src;
  });
  link.href = '#';
  return link;
}
