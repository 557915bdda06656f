// Masks in the browser: row-major runs -> bits -> coloured layer and pixel-exact outline.
import { S, inside } from './core.js';

export function decode(runs) {                              // {w, h, counts}; the first run is background
  const bits = new Uint8Array(runs.w * runs.h);
  let at = 0, on = 0;
  for (const n of runs.counts) { if (on) bits.fill(1, at, at + n); at += n; on ^= 1; }
  return { w: runs.w, h: runs.h, bits, layers: new Map(), path: null };
}

function rgb(hex) {
  return [1, 3, 5].map(i => parseInt(hex.slice(i, i + 2), 16));
}

export function layer(mask, hex) {                          // a canvas of the mask's size filled with one colour where the mask is set
  if (mask.layers.has(hex)) return mask.layers.get(hex);
  const out = new OffscreenCanvas(mask.w, mask.h), g = out.getContext('2d'), image = g.createImageData(mask.w, mask.h);
  const [r, gr, b] = rgb(hex), word = new Uint32Array(image.data.buffer), value = (0xff << 24 | b << 16 | gr << 8 | r) >>> 0;
  mask.bits.forEach((bit, i) => { if (bit) word[i] = value; });
  g.putImageData(image, 0, 0);
  mask.layers.set(hex, out);
  return out;
}

function runsAlong(path, length, isEdge, segment) {
  for (let i = 0, from = -1; i <= length; i++) {
    const edge = i < length && isEdge(i);
    if (edge && from < 0) from = i;
    if (!edge && from >= 0) { segment(from, i); from = -1; }
  }
}

export function outline(mask) {                             // the borders between set and unset pixels as straight segments
  if (mask.path) return mask.path;
  const { w, h, bits } = mask, path = new Path2D();
  const at = (x, y) => (x < 0 || y < 0 || x >= w || y >= h) ? 0 : bits[y * w + x];
  for (let y = 0; y <= h; y++)
    runsAlong(path, w, x => at(x, y) !== at(x, y - 1), (a, b) => { path.moveTo(a, y); path.lineTo(b, y); });
  for (let x = 0; x <= w; x++)
    runsAlong(path, h, y => at(x, y) !== at(x - 1, y), (a, b) => { path.moveTo(x, a); path.lineTo(x, b); });
  mask.path = path;
  return path;
}

export function overlap(a, b) {                             // IoU of two masks of equal size
  if (a.w !== b.w || a.h !== b.h) return 0;
  let both = 0, any = 0;
  for (let i = 0; i < a.bits.length; i++) { both += a.bits[i] & b.bits[i]; any += a.bits[i] | b.bits[i]; }
  return any ? both / any : 0;
}

export function bounds(mask) {                              // [x0, y0, x1, y1), or the whole picture for an empty mask
  let x0 = mask.w, y0 = mask.h, x1 = 0, y1 = 0;
  for (let y = 0; y < mask.h; y++)
    for (let x = 0; x < mask.w; x++)
      if (mask.bits[y * mask.w + x]) { x0 = Math.min(x0, x); x1 = Math.max(x1, x + 1); y0 = Math.min(y0, y); y1 = Math.max(y1, y + 1); }
  return x1 ? [x0, y0, x1, y1] : [0, 0, mask.w, mask.h];
}

function hue(i) {                                    // golden-angle hues: neighbours in the list never look alike
  const h = (i * 137.508 + 205) % 360, light = [58, 66, 50][i % 3];
  const f = n => { const k = (n + h / 30) % 12, a = 0.72 * Math.min(light / 100, 1 - light / 100); return light / 100 - a * Math.max(-1, Math.min(k - 3, 9 - k, 1)); };
  return [f(0), f(8), f(4)].map(v => Math.round(v * 255));
}

// Records from index `first` on, painted into one layer over `map` (null: a new one), small ones on top; ids[p] = index + 1 of the topmost.
export function paintRegions(map, records, first) {
  if (!records.length) return null;
  const { w, h } = records[0].mask, m = map || { w, h, ids: new Uint16Array(w * h), canvas: new OffscreenCanvas(w, h), image: new ImageData(w, h) };
  const word = new Uint32Array(m.image.data.buffer);
  for (let i = first; i < records.length; i++) {
    const { area, mask: { bits } } = records[i], [r, g, b] = hue(i), colour = (0xff << 24 | b << 16 | g << 8 | r) >>> 0;
    for (let p = 0; p < bits.length; p++) {
      if (!bits[p] || (m.ids[p] && records[m.ids[p] - 1].area <= area)) continue;
      m.ids[p] = i + 1;
      word[p] = colour;
    }
  }
  m.canvas.getContext('2d').putImageData(m.image, 0, 0);
  return m;
}

export function recordAt(p) {                               // index of the topmost record under a pixel, -1 when none
  const m = S.regions;
  if (!m || !inside(p)) return -1;
  return m.ids[Math.floor((p[1] + 0.5) * m.h / S.height) * m.w + Math.floor((p[0] + 0.5) * m.w / S.width)] - 1;
}
