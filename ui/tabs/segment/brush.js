// Brush and eraser. A stroke is a path of the pointer and a radius in picture pixels; the server draws it over the masks of
// the clicks, and until it has answered the stroke itself is shown.
import { S, active, chosenIndex, clamp, part, resultOf, root, tell } from './core.js';
import { toPicture } from './view.js';
import { invalidate } from './paint.js';
import { addStep } from './edit.js';
import { dropGhost } from './hover.js';
import { dropPolygon, startPolygon } from './polygon.js';
import { renderPanel } from './panel.js';

const TOOLS = ['click', 'brush', 'eraser', 'polygon'], MOST = 400, LEAST = 0.5;

export const painting = () => S.tool === 'brush' || S.tool === 'eraser';

export function useTool(name) {
  S.tool = name;
  for (const tool of TOOLS) part('tool-' + tool).setAttribute('aria-pressed', String(tool === name));
  part('size').hidden = !painting();
  root.dataset.tool = name;
  dropGhost();
  Object.assign(S, { picked: -1, drag: null });
  if (name === 'polygon') startPolygon(); else dropPolygon();
  renderPanel();
  invalidate();
}

export function setRadius(radius) {
  S.radius = Math.round(10 * clamp(radius, LEAST, Math.max(S.width, S.height) / 4)) / 10;
  part('radius').value = Math.round(100 * Math.log(S.radius / LEAST) / Math.log(Math.max(S.width, S.height) / 4 / LEAST));
  part('radius').setAttribute('aria-valuetext', S.radius + ' px');
  part('radius-text').textContent = S.radius + ' px';
  invalidate();
}

export const grow = factor => setRadius(S.radius * factor);

// the slider's 0 to 100 are even steps of the logarithm
export const slideRadius = share => setRadius(LEAST * (Math.max(S.width, S.height) / 4 / LEAST) ** (share / 100));

export function startStroke(drag) {
  const wanted = S.tool === 'brush' ? 1 : 0;
  drag.stroke = [drag.button === 2 || drag.sign === 0 && S.sign === 1 ? 1 - wanted : wanted, S.radius, [round(drag.from)]];
  invalidate();
}

export function extendStroke(drag, event) {
  const path = drag.stroke[2], events = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
  for (const one of events.length ? events : [event]) path.push(round(toPicture(one.clientX, one.clientY)));
  invalidate();
}

export function endStroke(drag) {
  const [label, radius, path] = drag.stroke;
  let tolerance = Math.max(0.2, radius / 20), short = simple(path, tolerance);
  while (short.length > MOST) short = simple(path, tolerance *= 2);
  const result = resultOf(active()), last = active().steps.at(-1);
  const choice = result && result.masks.length > 1 ? chosenIndex(active()) : last ? last.choice : null;
  addStep({ stroke: [label, radius, short], choice });
  tell(label ? 'Painted.' : 'Erased.');
}

const round = ([x, y]) => [clamp(Math.round(10 * x) / 10, 0, S.width), clamp(Math.round(10 * y) / 10, 0, S.height)];

// Ramer, Douglas and Peucker
function simple(path, tolerance) {
  if (path.length < 3) return path;
  const [a, b] = [path[0], path.at(-1)];
  let far = 0, at = 0;
  for (let i = 1; i < path.length - 1; i++) {
    const d = offset(path[i], a, b);
    if (d > far) [far, at] = [d, i];
  }
  if (far <= tolerance) return a[0] === b[0] && a[1] === b[1] ? [a] : [a, b];
  return [...simple(path.slice(0, at + 1), tolerance).slice(0, -1), ...simple(path.slice(at), tolerance)];
}

export function offset(p, a, b) {                    // distance of p to the segment a b
  const dx = b[0] - a[0], dy = b[1] - a[1], length = dx * dx + dy * dy || 1e-9;
  const t = clamp(((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / length, 0, 1);
  return Math.hypot(p[0] - a[0] - t * dx, p[1] - a[1] - t * dy);
}
