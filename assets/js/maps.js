// What stages share: unpacking a map (ui/parts/packed.py), colours, painting, buttons and panels. Texts go through textContent.
import { element } from './frame.js';

export const make = (tag, className, text) => element(tag, { className }, text);

const CIVIDIS = ['#00224e', '#123570', '#3b496c', '#575d6d', '#707173', '#8a8678', '#a59c74', '#c3b369', '#e1cc55', '#fee838'];
const BELOW = '#2b7bcd', ABOVE = '#d6453a';  // of signed values; zero lets the panel through, on light and dark pages (ui/parts/plots.py)
export const BAD = '#d8342a';

export const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
export const floats = (text) => new Float32Array(bytes(text).buffer);
const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

// as ImageData stores a pixel on a little-endian machine: alpha, blue, green, red
const packed = ([r, g, b], alpha) => ((alpha << 24) | (b << 16) | (g << 8) | r) >>> 0;

// 256 colours between the stops, as 32-bit pixels
function palette(stops) {
  const ends = stops.map(channels);
  return Uint32Array.from({ length: 256 }, (_, level) => {
    const place = (level / 255) * (ends.length - 1);
    const left = Math.min(Math.floor(place), ends.length - 2);
    return packed(ends[left].map((v, k) => Math.round(v + (ends[left + 1][k] - v) * (place - left))), 255);
  });
}
const SEQUENTIAL = palette(CIVIDIS);
const DIVERGING = Uint32Array.from({ length: 256 }, (_, level) => packed(channels(level < 128 ? BELOW : ABOVE), Math.round(Math.abs(2 * level - 255))));
const VOID = [packed([128, 128, 128], 90), packed([128, 128, 128], 30)];

export function number(v) {
  if (v === null || Number.isNaN(v)) return '–';
  if (v && (Math.abs(v) < 1e-3 || Math.abs(v) >= 1e5)) return v.toExponential(1);
  return String(Number(v.toPrecision(3)));
}

// map: a packed dict -> n x n values, rows first; NaN in void rows, 0 above a triangle
export function unpack(map, n) {
  const levels = bytes(map.data);
  const signs = map.signs ? bytes(map.signs) : null;
  const values = new Float32Array(n * n);
  for (let i = 0, at = 0; i < n; i += 1) {
    for (let j = 0; j < (map.triangle ? i + 1 : n); j += 1, at += 1) {
      const size = map.bound * (levels[at] / 255) ** 2;
      values[i * n + j] = signs && (signs[at >> 3] >> (7 - (at & 7))) & 1 ? -size : size;
    }
  }
  for (const i of map.void) values.fill(NaN, i * n, (i + 1) * n);
  return values;
}

export const largest = (values) => values.reduce((top, v) => (Math.abs(v) > top ? Math.abs(v) : top), 0);

// colours over the square root of |value| / bound, as the eye then sees weights of a hundredth; signed: blue below zero, red above
export function paint(canvas, values, rows, columns, { bound, signed, triangle }) {
  const picture = new ImageData(columns, rows);
  const pixels = new Uint32Array(picture.data.buffer);
  for (let i = 0; i < rows; i += 1) {
    for (let j = 0; j < (triangle ? i + 1 : columns); j += 1) {
      const at = i * columns + j;
      const share = Math.min(1, Math.sqrt(Math.abs(values[at]) / (bound || 1)));
      if (Number.isNaN(share)) pixels[at] = VOID[((i + j) >> 1) & 1];
      else if (signed) pixels[at] = DIVERGING[Math.round(127.5 + 127.5 * (values[at] < 0 ? -share : share))];
      else pixels[at] = SEQUENTIAL[Math.round(255 * share)];
    }
  }
  canvas.width = columns;
  canvas.height = rows;
  canvas.getContext('2d').putImageData(picture, 0, 0);
}

// one row of values as bars, `from` its first cell; above a middle line where there are negative ones
export function bars(canvas, values, from, n, { bound, signed, colour }) {
  const height = 64;
  canvas.width = n;
  canvas.height = height;
  const pen = canvas.getContext('2d');
  const zero = signed ? height / 2 : height;
  for (let j = 0; j < n; j += 1) {
    const size = Math.min(1, Math.abs(values[from + j]) / (bound || 1)) * zero;
    pen.fillStyle = values[from + j] < 0 ? BAD : colour;
    if (size > 0) pen.fillRect(j, values[from + j] < 0 ? zero : zero - size, 1, Math.max(size, 1));
  }
}

export function legend(canvas, signed) {
  paint(canvas, Float32Array.from({ length: 64 }, (_, k) => (signed ? ((k - 31.5) / 31.5) * Math.abs((k - 31.5) / 31.5) : (k / 63) ** 2)),
    1, 64, { bound: 1, signed });
}


// the cell of a rows x columns canvas under a pointer
export function cell(event, canvas, rows, columns) {
  const box = canvas.getBoundingClientRect();
  const inside = (offset, size, count) => Math.min(count - 1, Math.max(0, Math.floor((offset / size) * count)));
  return [inside(event.clientY - box.top, box.height, rows), inside(event.clientX - box.left, box.width, columns)];
}

// a button that says `text` and does `press`
export function button(text, press, className = '') {
  const node = element('button', { type: 'button', className }, text);
  node.addEventListener('click', press);
  return node;
}

// a figure of a caption and a canvas
export function panel(title, className = '') {
  const figure = make('figure', `gb-panel ${className}`);
  const canvas = make('canvas', '');
  const caption = make('figcaption', '', title);
  figure.append(caption, canvas);
  return { figure, canvas, caption };
}

// a sentence that screen readers follow
export function note(text = '') {
  const node = make('p', 'gb-note', text);
  node.setAttribute('aria-live', 'polite');
  return node;
}
