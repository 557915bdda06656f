// Where the picture lies on the canvas: fit, zoom about a point, pan, and the two maps between screen and picture.
import { S, canvas, clamp, inside } from './core.js';
import { invalidate } from './paint.js';

export function ratio() {                                   // device pixels of the canvas per CSS pixel
  const box = canvas.getBoundingClientRect();
  return box.width ? canvas.width / box.width : 1;
}

export function toPicture(clientX, clientY) {               // CSS pixels of the window -> picture, floats
  const box = canvas.getBoundingClientRect(), k = ratio(), v = S.view;
  return [((clientX - box.left) * k - v.tx) / v.scale, ((clientY - box.top) * k - v.ty) / v.scale];
}

export function toClient(x, y) {
  const box = canvas.getBoundingClientRect(), k = ratio(), v = S.view;
  return [box.left + (x * v.scale + v.tx) / k, box.top + (y * v.scale + v.ty) / k];
}

export function pixelAt(event) {                            // the integer pixel under the pointer, or null
  const p = toPicture(event.clientX, event.clientY).map(Math.floor);
  return inside(p) ? p : null;
}

export function clampedPixel(point) {
  return [clamp(Math.floor(point[0]), 0, S.width - 1), clamp(Math.floor(point[1]), 0, S.height - 1)];
}

export function fit() {
  const v = S.view;
  v.fit = Math.min(canvas.width / (S.width || 1), canvas.height / (S.height || 1));
  v.scale = v.fit;
  v.tx = (canvas.width - S.width * v.scale) / 2;
  v.ty = (canvas.height - S.height * v.scale) / 2;
  v.custom = false;
  invalidate();
}

export function resize() {                                  // keeps the picture point in the middle and the zoom relative to "fit"
  const box = canvas.getBoundingClientRect(), v = S.view;
  if (!box.width || !box.height) return;             // a hidden tab
  const relative = v.scale / (v.fit || 1), old = [canvas.width, canvas.height];
  const middle = [(old[0] / 2 - v.tx) / v.scale, (old[1] / 2 - v.ty) / v.scale], custom = v.custom;
  const k = window.devicePixelRatio || 1;
  canvas.width = Math.round(box.width * k);
  canvas.height = Math.round(box.height * k);
  fit();
  if (!custom) return;
  v.scale = relative * v.fit;
  v.tx = canvas.width / 2 - middle[0] * v.scale;
  v.ty = canvas.height / 2 - middle[1] * v.scale;
  v.custom = true;
  keepInSight();
}

export function zoomAt(clientX, clientY, factor) {
  const box = canvas.getBoundingClientRect(), k = ratio(), v = S.view;
  const x = (clientX - box.left) * k, y = (clientY - box.top) * k;
  const scale = clamp(v.scale * factor, v.fit * 0.5, Math.max(v.fit * 4, 48 * k));
  v.tx = x - (x - v.tx) * scale / v.scale;
  v.ty = y - (y - v.ty) * scale / v.scale;
  v.scale = scale;
  v.custom = true;
  keepInSight();
}

export function zoomMiddle(factor) {
  const box = canvas.getBoundingClientRect();
  zoomAt(box.left + box.width / 2, box.top + box.height / 2, factor);
}

export function pan(dx, dy) {                               // CSS pixels
  S.view.tx += dx * ratio();
  S.view.ty += dy * ratio();
  S.view.custom = true;
  keepInSight();
}

function keepInSight() {                             // at least a strip of the picture stays on the canvas
  const v = S.view, strip = 40;
  v.tx = clamp(v.tx, strip - S.width * v.scale, canvas.width - strip);
  v.ty = clamp(v.ty, strip - S.height * v.scale, canvas.height - strip);
  invalidate();
}

export function showPixel(p) {                              // scroll the view so that the keyboard cursor is visible
  const v = S.view, margin = 24 * ratio();
  const x = (p[0] + 0.5) * v.scale + v.tx, y = (p[1] + 0.5) * v.scale + v.ty;
  const dx = clamp(x, margin, canvas.width - margin) - x, dy = clamp(y, margin, canvas.height - margin) - y;
  if (v.custom && (dx || dy)) { v.tx += dx; v.ty += dy; keepInSight(); }
}

let observer = null;

export function watchSize() {                               // fires too when a hidden tab becomes visible
  observer?.disconnect();
  observer = new ResizeObserver(resize);
  observer.observe(canvas);
}
