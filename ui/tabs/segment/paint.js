// Drawing. invalidate() asks for one repaint at the next frame; nothing here changes the state.
import { S, active, canvas, chosenMask, clamp, colour, ctx, part, resultOf } from './core.js';
import { ratio, toClient } from './view.js';
import { layer, outline } from './mask.js';
import { drawPolygon } from './polygon.js';

let asked = false;

export function invalidate() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => { asked = false; draw(); });
}

function draw() {
  const v = S.view;
  ctx.setTransform(1, 0, 0, 1, 0, 0);
  ctx.clearRect(0, 0, canvas.width, canvas.height);
  if (!S.picture) return;
  ctx.setTransform(v.scale, 0, 0, v.scale, v.tx, v.ty);
  ctx.imageSmoothingEnabled = v.scale < 3 * ratio();
  ctx.drawImage(S.picture, 0, 0, S.width, S.height);
  ctx.imageSmoothingEnabled = false;
  const unit = ratio() / v.scale;                    // one CSS pixel in picture pixels
  if (S.regionsOn) drawRegions(unit);
  S.objects.forEach((object, i) => { if (i !== S.active) drawObject(object, unit, false); });
  if (S.ghost) drawGhost(unit);
  if (active()) drawObject(active(), unit, true);
  if (S.tool === 'polygon') drawPolygon(unit);
  if (S.drag && S.drag.stroke) drawStroke(S.drag.stroke, colour(active()), 0.55);
  if (S.brush) drawBrush(unit);
  if (S.drag && S.drag.box) drawBox(S.drag.box, unit, '#fff');
  if (S.cursor && document.activeElement === canvas) drawCursor(S.cursor, unit);
  placeDelete();
  part('zoom').textContent = Math.round(100 * v.scale / ratio()) + ' %';
}

function drawMask(mask, hex, alpha, unit, width) {
  ctx.globalAlpha = alpha;
  ctx.drawImage(layer(mask, hex), 0, 0, S.width, S.height);
  ctx.globalAlpha = 1;
  strokeOutline(mask, hex, unit, width);
}

function drawGhost(unit) {                           // fainter than a mask, with a dashed border
  const { mask, label } = S.ghost, hex = label ? colour(active()) : '#d55e00';
  ctx.globalAlpha = 0.25;
  ctx.drawImage(layer(mask, hex), 0, 0, S.width, S.height);
  ctx.globalAlpha = 1;
  ctx.setLineDash([5 * unit * mask.w / S.width, 4 * unit * mask.w / S.width]);
  strokeOutline(mask, hex, unit, 1.3);
  ctx.setLineDash([]);
}

function strokeOutline(mask, hex, unit, width) {
  const kx = S.width / mask.w, ky = S.height / mask.h;
  ctx.save();
  ctx.scale(kx, ky);
  ctx.lineCap = 'square';
  for (const [style, w] of [['rgba(0,0,0,.55)', width + 1.6], [hex, width]]) {
    ctx.strokeStyle = style;
    ctx.lineWidth = w * unit / kx;
    ctx.stroke(outline(mask));
  }
  ctx.restore();
}

function drawObject(object, unit, current) {
  const result = resultOf(object), previewing = current && S.preview !== null && result;
  const mask = previewing ? result.masks[S.preview] : chosenMask(object) || underStrokes(object);
  if (mask) drawMask(mask, colour(object), previewing ? 0.6 : current ? 0.42 : 0.3, unit, current ? 2 : 1.3);
  if (!result) for (const stroke of freshStrokes(object)) drawStroke(stroke, colour(object), 0.42);
  if (!current) return;
  const boxes = object.steps.filter(step => step.box);
  if (boxes.length) drawBox(boxes[boxes.length - 1].box, unit, colour(object));
  object.steps.forEach((step, i) => { if (step.point) drawPoint(placed(step, i), unit, i === object.steps.length - 1); });
  if (S.picked >= 0) drawPicked(object.steps[S.picked].point, unit);
}

// Strokes that the server has not answered yet, and the mask that lies under them.
function freshStrokes(object) {
  const steps = [...object.steps], fresh = [];
  while (steps.length && steps.at(-1).stroke && !S.results.has(JSON.stringify(steps))) fresh.unshift(steps.pop().stroke);
  return fresh;
}

function underStrokes(object) {
  const steps = object.steps.slice(0, object.steps.length - freshStrokes(object).length);
  return steps.length < object.steps.length ? chosenMask({ steps }) : null;
}

function drawStroke([label, radius, path], hex, alpha) {
  ctx.save();
  Object.assign(ctx, { globalAlpha: alpha, lineWidth: 2 * radius, lineCap: 'round', lineJoin: 'round', strokeStyle: label ? hex : '#fff' });
  ctx.beginPath();
  path.forEach((p, i) => ctx[i ? 'lineTo' : 'moveTo'](...p));
  if (path.length === 1) ctx.lineTo(path[0][0] + 1e-3, path[0][1]);
  ctx.stroke();
  ctx.restore();
}

function drawBrush(unit) {                           // the rim of the brush under the pointer
  ctx.beginPath();
  ctx.arc(S.brush[0], S.brush[1], S.radius, 0, 7);
  for (const [style, width] of [['#000', 3], [S.tool === 'brush' ? '#fff' : '#ffb066', 1.4]]) {
    Object.assign(ctx, { strokeStyle: style, lineWidth: width * unit });
    ctx.stroke();
  }
}

function drawRegions(unit) {
  if (!S.regions) return;
  ctx.globalAlpha = 0.5;
  ctx.drawImage(S.regions.canvas, 0, 0, S.width, S.height);
  ctx.globalAlpha = 1;
  const record = S.records[S.hovered];
  if (record) drawMask(record.mask, '#ffffff', 0.35, unit, 2);
}

function drawBox(box, unit, style) {                 // corners are pixel indices, both inside
  const [x0, y0, x1, y1] = box, rect = [x0, y0, x1 + 1 - x0, y1 + 1 - y0];
  ctx.lineWidth = 3.5 * unit; ctx.strokeStyle = 'rgba(0,0,0,.55)'; ctx.strokeRect(...rect);
  ctx.lineWidth = 1.6 * unit; ctx.strokeStyle = style; ctx.setLineDash([6 * unit, 4 * unit]); ctx.strokeRect(...rect);
  ctx.setLineDash([]);
}

function drawPoint(point, unit, last) {              // include: blue disc with +, exclude: orange square with a bar
  const [x, y, label] = [point[0] + 0.5, point[1] + 0.5, point[2]], r = (last ? 8 : 7) * unit;
  ctx.beginPath();
  if (label) ctx.arc(x, y, r, 0, 7); else ctx.rect(x - r * 0.9, y - r * 0.9, 1.8 * r, 1.8 * r);
  ctx.lineWidth = 4 * unit; ctx.strokeStyle = 'rgba(0,0,0,.6)'; ctx.stroke();
  ctx.fillStyle = label ? '#0a63c2' : '#d55e00'; ctx.fill();
  ctx.lineWidth = 2 * unit; ctx.strokeStyle = '#fff'; ctx.stroke();
  ctx.beginPath();
  ctx.moveTo(x - r * 0.5, y); ctx.lineTo(x + r * 0.5, y);
  if (label) { ctx.moveTo(x, y - r * 0.5); ctx.lineTo(x, y + r * 0.5); }
  ctx.stroke();
}

function placed({ point }, i) {                       // a click that is being dragged is drawn where it would land
  return S.drag && S.drag.step === i && S.drag.to ? [...S.drag.to, point[2]] : point;
}

function drawPicked([x, y], unit) {
  ctx.beginPath();
  ctx.arc(x + 0.5, y + 0.5, 13 * unit, 0, 7);
  for (const [style, width] of [['#000', 4], ['#fff', 2]]) { ctx.strokeStyle = style; ctx.lineWidth = width * unit; ctx.stroke(); }
}

// the small x beside the selected click
function placeDelete() {
  const node = part('unclick'), step = active() && active().steps[S.picked];
  node.hidden = !step || !step.point;
  if (node.hidden) return;
  const [x, y] = toClient(step.point[0] + 0.5, step.point[1] + 0.5), box = canvas.getBoundingClientRect();
  node.style.left = clamp(x - box.left + 12, 0, box.width - node.offsetWidth) + 'px';
  node.style.top = clamp(y - box.top - 12 - node.offsetHeight, 0, box.height - node.offsetHeight) + 'px';
}

function drawCursor(p, unit) {
  const x = p[0] + 0.5, y = p[1] + 0.5, a = 4 * unit, b = 16 * unit;
  for (const [style, width] of [['#000', 4], [S.sign ? '#7cc4ff' : '#ffb066', 2]]) {
    ctx.strokeStyle = style; ctx.lineWidth = width * unit;
    ctx.beginPath();
    ctx.moveTo(x - b, y); ctx.lineTo(x - a, y); ctx.moveTo(x + a, y); ctx.lineTo(x + b, y);
    if (S.sign) { ctx.moveTo(x, y - b); ctx.lineTo(x, y - a); ctx.moveTo(x, y + a); ctx.lineTo(x, y + b); }
    ctx.stroke();
  }
}
