// What stages with pictures share: canvases in device pixels, cells of colour, marks, heat, and cells that are chosen.
import { bytes, panel } from './maps.js';

export const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

// sets a canvas to its size on screen, in pixels of the device, at most `tallest` px of the page high; returns [pen, width, height]
export function sized(canvas, ratio, tallest = 0) {
  if (tallest) canvas.style.maxWidth = `${Math.max(1, Math.round(tallest * ratio))}px`;
  const width = Math.max(1, Math.round(canvas.clientWidth * Math.min(2, devicePixelRatio)));
  const height = Math.max(1, Math.round(width / ratio));
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  canvas.style.aspectRatio = String(ratio);
  const pen = canvas.getContext('2d');
  pen.clearRect(0, 0, width, height);
  return [pen, width, height];
}

// how wide a picture is drawn for its height: strips are kept readable
export const bounded = (aspect) => Math.min(2.5, Math.max(0.4, aspect));

// a panel whose canvas is read by people who cannot see it as `said`, and reached by the keyboard
export function board(title, said = '', className = '') {
  const found = panel(title, className);
  found.canvas.classList.add('gb-cells');
  if (said) reached(found.canvas, said);
  return found;
}

export function reached(canvas, said) {
  canvas.tabIndex = 0;
  canvas.setAttribute('role', 'application');
  canvas.setAttribute('aria-label', said);
}

// `all` is called when the canvas gets another width
export function resized(canvas, all) {
  new ResizeObserver(() => { if (canvas.clientWidth) all(); }).observe(canvas);
}

// a canvas of one pixel for each cell; colour(k) -> [red, green, blue] or with alpha, 0..255
export function pixels(rows, columns, colour) {
  const canvas = Object.assign(document.createElement('canvas'), { width: columns, height: rows });
  const data = new ImageData(columns, rows);
  for (let k = 0; k < rows * columns; k += 1) {
    const [red, green, blue, alpha = 255] = colour(k);
    data.data.set([red, green, blue, alpha], 4 * k);
  }
  canvas.getContext('2d').putImageData(data, 0, 0);
  return canvas;
}

// colours packed by figures.py as three bytes for each cell
export function cells(text, rows, columns) {
  const rgb = bytes(text);
  return pixels(rows, columns, (k) => rgb.subarray(3 * k, 3 * k + 3));
}

// weights of one byte each, |w| = bound * (level / 255)^2
export const weights = ({ data, bound }) => Float32Array.from(bytes(data), (level) => bound * (level / 255) ** 2);

// red, green, blue and alpha of a spotlight: dark where little is, a warm tint where much is; share in 0..1 of the largest
function shade(share) {
  const level = Math.min(1, Math.max(0, share));
  const [dark, warm] = [0.68 * (1 - level), 0.5 * level];
  const alpha = warm + dark * (1 - warm);
  return [[255, 8], [140, 12], [0, 20]].map(([light, deep]) => (light * warm + deep * dark * (1 - warm)) / (alpha || 1)).concat(255 * alpha);
}

export function spotlight(pen, share, x, y, w, h) {
  const [red, green, blue, alpha] = shade(share);
  pen.fillStyle = `rgba(${red}, ${green}, ${blue}, ${alpha / 255})`;
  pen.fillRect(x, y, w, h);
}

// strokes the same path twice, so that it is seen on light and on dark ground
export function stroked(pen, path, colour, width) {
  for (const [style, wide] of [['rgba(0, 0, 0, .7)', width + 2], [colour, width]]) {
    pen.lineWidth = wide;
    pen.strokeStyle = style;
    pen.beginPath();
    path(pen);
    pen.stroke();
  }
}

export const outline = (pen, x, y, w, h, colour, width) => stroked(pen, () => pen.rect(x, y, w, h), colour, width);

export function line(pen, from, to, colour, width) {
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.beginPath();
  pen.moveTo(...from);
  pen.lineTo(...to);
  pen.stroke();
}

export function dot(pen, x, y, radius, fill, edge = 'rgba(0, 0, 0, .85)', width = 1.5) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  if (fill) { pen.fillStyle = fill; pen.fill(); }
  pen.lineWidth = width;
  pen.strokeStyle = edge;
  pen.stroke();
}

export function cross(pen, x, y, size) {
  stroked(pen, () => { pen.moveTo(x - size, y); pen.lineTo(x + size, y); pen.moveTo(x, y - size); pen.lineTo(x, y + size); }, '#fff', 2);
}

export const within = (cell, size) => cell.map((v, k) => Math.min(size[k] - 1, Math.max(0, v)));

// arrow keys and clicks on a picture of rows x columns; grid() gives {rows, columns, token, find(event)}; point(row, column) is called
// with cells inside
export function pointing(canvas, grid, point, hover) {
  canvas.addEventListener('click', (event) => { const cell = grid().find(event); if (cell) point(...cell); });
  if (hover) {
    canvas.addEventListener('pointermove', (event) => hover(grid().find(event)));
    canvas.addEventListener('pointerleave', () => hover(null));
  }
  canvas.addEventListener('keydown', (event) => {
    const step = ARROWS[event.key];
    if (!step) return;
    event.preventDefault();
    const { rows, columns, token } = grid();
    point(...within(token.map((value, k) => value + step[k]), [rows, columns]));
  });
}
