// The mask of the active object as a polygon: drag a vertex, press an edge to insert one, Alt click or Delete takes one
// away. Without a mask, clicks draw a new outline. Python turns masks into vertices; an edit becomes a step of the object.
import { say } from '../../js/wire.js';
import { S, active, canvas, clamp, colour, ctx, keyOf, resultOf, root, tell } from './core.js';
import { toClient, toPicture } from './view.js';
import { invalidate } from './paint.js';
import { setRings } from './edit.js';
import { offset } from './brush.js';

const NEAR = { mouse: 8, pen: 10, touch: 20 };

// S.polygon: {key, rings, picked}: the rings of the active object's mask; S.sketch: vertices of an outline under way
export function startPolygon() {
  S.sketch = [];
  outlines();
}

export function dropPolygon() {
  Object.assign(S, { polygon: null, sketch: [] });
  root.dataset.vertices = '';
}

// Called after every change and answer: the vertices of what is on screen now.
export function outlines() {
  const object = active(), last = object && object.steps.at(-1);
  if (S.tool !== 'polygon' || !object) return;
  const key = keyOf(object);
  if (S.polygon && S.polygon.key === key) return;
  S.polygon = null;
  root.dataset.vertices = '';
  if (last && last.rings) showRings(key, last.rings);
  else if (resultOf(object)) say('segment', { kind: 'outline', epoch: S.epoch, key, picture: S.imageId });
}

export function hearOutline({ epoch, key, rings }) {
  if (epoch === S.epoch && S.tool === 'polygon' && active() && key === keyOf(active())) showRings(key, rings);
}

function showRings(key, rings) {
  S.polygon = { key, rings: JSON.parse(JSON.stringify(rings)), picked: null };
  root.dataset.vertices = rings.reduce((sum, ring) => sum + ring.length, 0);
  invalidate();
}

function nearest(event) {                            // {ring, at} of a vertex, or with `edge` the place for a new one
  const reach = NEAR[event.pointerType] || 8, here = [event.clientX, event.clientY];
  let best = null, close = reach;
  const rings = (S.polygon ? S.polygon.rings : []).map(ring => ring.map(([x, y]) => toClient(x, y)));
  rings.forEach((ring, r) => ring.forEach((p, i) => {
    const d = Math.hypot(p[0] - here[0], p[1] - here[1]);
    if (d <= close) [close, best] = [d, { ring: r, at: i }];
  }));
  if (best) return best;
  rings.forEach((ring, r) => ring.forEach((p, i) => {
    const d = offset(here, p, ring[(i + 1) % ring.length]);
    if (d <= close) [close, best] = [d, { ring: r, at: i + 1, edge: true }];
  }));
  return best;
}

// A press on the canvas; the drag takes the vertex along.
export function pressVertex(event, drag) {
  const found = nearest(event);
  if (!found) return;
  if (!found.edge && (event.altKey || drag.button === 2)) { drag.spent = true; return removeVertex(found); }
  const { rings } = S.polygon;
  if (found.edge) rings[found.ring].splice(found.at, 0, corner(event));
  Object.assign(drag, { vertex: found, inserted: found.edge });
  S.polygon.picked = found;
  invalidate();
}

export function moveVertex(event, drag) {
  S.polygon.rings[drag.vertex.ring][drag.vertex.at] = corner(event);
  drag.changed = true;
  invalidate();
}

export function releaseVertex(event, drag) {
  if (drag.spent) return;
  if (drag.vertex) return drag.changed || drag.inserted ? keepRings(drag.vertex) : tell('One vertex is selected: Delete removes it.');
  if (drag.button === 0 && !S.polygon && !resultOf(active())) sketch(corner(event));
}

function sketch(p) {
  const [first] = S.sketch, [x, y] = first ? toClient(...first) : [], [px, py] = toClient(...p);
  if (first && S.sketch.length > 2 && Math.hypot(x - px, y - py) < 10) return closeSketch();
  S.sketch.push(p);
  tell('Vertex ' + S.sketch.length + ': Enter or a click on the first one closes the outline.');
  invalidate();
}

export function closeSketch() {
  if (S.sketch.length < 3) return false;
  setRings([S.sketch]);
  S.sketch = [];
  return true;
}

export function cancelSketch() {
  const any = S.sketch.length > 0;
  S.sketch = [];
  invalidate();
  return any;
}

export function removePicked() {
  if (S.sketch.length) { S.sketch.pop(); invalidate(); return true; }
  if (!S.polygon || !S.polygon.picked) return false;
  removeVertex(S.polygon.picked);
  return true;
}

function removeVertex({ ring, at }) {
  const { rings } = S.polygon;
  if (rings[ring].length > 3) rings[ring].splice(at, 1);
  else if (rings.length > 1) rings.splice(ring, 1);
  else return tell('A polygon has at least three vertices.');
  keepRings();
}

function keepRings(vertex = null) {                   // the vertex that was moved or inserted stays selected
  setRings(JSON.parse(JSON.stringify(S.polygon.rings)));
  if (S.polygon && vertex) S.polygon.picked = { ring: vertex.ring, at: vertex.at };
}

function corner(event) {                             // a place in the picture, to a tenth of a pixel
  const [x, y] = toPicture(event.clientX, event.clientY);
  return [clamp(Math.round(10 * x) / 10, 0, S.width), clamp(Math.round(10 * y) / 10, 0, S.height)];
}

export function drawPolygon(unit) {
  const shapes = S.polygon ? S.polygon.rings : S.sketch.length ? [S.sketch] : [];
  for (const ring of shapes) {
    ctx.beginPath();
    ring.forEach((p, i) => ctx[i ? 'lineTo' : 'moveTo'](...p));
    if (S.polygon) ctx.closePath();
    for (const [style, width] of [['rgba(0,0,0,.6)', 3.4], [colour(active()), 1.8]]) {
      Object.assign(ctx, { strokeStyle: style, lineWidth: width * unit });
      ctx.stroke();
    }
  }
  const { ring: r, at } = (S.polygon && S.polygon.picked) || {};
  shapes.forEach((ring, i) => ring.forEach(([x, y], j) => {
    const half = (i === r && j === at ? 5 : 3.2) * unit;
    ctx.fillStyle = i === r && j === at ? '#ffd400' : '#fff';
    ctx.fillRect(x - half, y - half, 2 * half, 2 * half);
    Object.assign(ctx, { strokeStyle: '#000', lineWidth: unit });
    ctx.strokeRect(x - half, y - half, 2 * half, 2 * half);
  }));
}

export function polygonCursor(event) {
  const found = nearest(event);
  canvas.style.cursor = !found ? '' : found.edge ? 'copy' : 'move';
}
