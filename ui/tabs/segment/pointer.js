// Mouse, pen and touch. A press becomes a click, a box, a moved click, a pan or a pinch; a long touch excludes, and a long
// touch that moves is a box. One finger scrolls the page, so a drag of it without a pause is none of ours.
import { S, active, canvas, clamp, part, tell } from './core.js';
import { clampedPixel, pan, pixelAt, toClient, toPicture, zoomAt } from './view.js';
import { recordAt } from './mask.js';
import { invalidate } from './paint.js';
import { hoverAt } from './hover.js';
import { cancelSketch, moveVertex, polygonCursor, pressVertex, releaseVertex } from './polygon.js';
import { endStroke, extendStroke, grow, painting, startStroke } from './brush.js';
import { act, addBox, addPoint, moveStep, pick, removeStep } from './edit.js';

const HOLD = 450, SLOP = { mouse: 4, pen: 6, touch: 10 }, REACH = { mouse: 9, pen: 11, touch: 20 };
const fingers = new Map();
let pinch = null, space = false, holdTimer = 0;

export const holdSpace = on => { space = on; };

// index of the click of the active object under the pointer, the newest first; -1 when none
function clickAt(event) {
  const steps = active() ? active().steps : [];
  for (let i = steps.length - 1; i >= 0; i--) {
    if (!steps[i].point) continue;
    const [x, y] = toClient(steps[i].point[0] + 0.5, steps[i].point[1] + 0.5);
    if (Math.hypot(x - event.clientX, y - event.clientY) <= (REACH[event.pointerType] || 9)) return i;
  }
  return -1;
}

function press(event) {
  const { button } = event;
  if (!S.picture || button > 2) return;                     // back and forward are the browser's
  canvas.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, event);
  S.cursor = null;
  if (fingers.size === 2) return startPinch();
  if (fingers.size > 2 || pinch) return;
  if (button === 1) event.preventDefault();
  const sign = button === 2 || event.ctrlKey ? 0 : event.shiftKey ? 1 - S.sign : S.sign;
  S.drag = {
    x: event.clientX, y: event.clientY, last: event, from: toPicture(event.clientX, event.clientY), button, sign,
    panning: button === 1 || space, box: null, held: false, alt: event.altKey,
    step: S.tool === 'click' && button === 0 && !event.ctrlKey ? clickAt(event) : -1,
  };
  if (S.drag.panning) return;
  if (painting()) return startStroke(S.drag);
  if (S.tool === 'polygon') return pressVertex(event, S.drag);
  if (event.pointerType === 'touch') holdTimer = setTimeout(() => hold(event), HOLD);
}

function hold(event) {                               // from now on the finger is ours: lifted it excludes, moved it draws a box
  if (!S.drag || S.drag.panning || S.drag.step >= 0 || !pixelAt(event)) return;
  Object.assign(S.drag, { held: true, sign: 0 });
  if (navigator.vibrate) navigator.vibrate(15);
}

function startPinch() {
  clearTimeout(holdTimer);
  S.drag = null;
  pinch = pinchState();
}

function pinchState() {
  const [a, b] = [...fingers.values()];
  return { x: (a.clientX + b.clientX) / 2, y: (a.clientY + b.clientY) / 2, d: Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY) || 1 };
}

const far = (event, drag) => Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > (SLOP[event.pointerType] || 4);

function move(event) {
  if (fingers.has(event.pointerId)) fingers.set(event.pointerId, event);
  if (pinch) { if (fingers.size === 2) movePinch(); return; }
  const drag = S.drag;
  if (!drag) return hover(event);
  if (drag.panning) {
    pan(event.clientX - drag.last.clientX, event.clientY - drag.last.clientY);
    drag.last = event;
  } else if (drag.stroke) extendStroke(drag, event);
  else if (S.tool === 'polygon') { if (drag.vertex) moveVertex(event, drag); }
  else if (drag.moved || far(event, drag)) {
    clearTimeout(holdTimer);
    drag.moved = true;
    if (drag.step >= 0) drag.to = clampedPixel(toPicture(event.clientX, event.clientY));
    else if (drag.button === 0 && (event.pointerType !== 'touch' || drag.held)) return stretch(event);
    if (drag.to) showReadout(drag.to);
    invalidate();
  }
}

function movePinch() {
  const now = pinchState();
  pan(now.x - pinch.x, now.y - pinch.y);
  zoomAt(now.x, now.y, now.d / pinch.d);
  pinch = now;
}

function stretch(event) {
  const a = clampedPixel(S.drag.from), b = clampedPixel(toPicture(event.clientX, event.clientY));
  S.drag.box = [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[0], b[0]), Math.max(a[1], b[1])];
  showReadout(b);
  invalidate();
}

function release(event) {
  clearTimeout(holdTimer);
  fingers.delete(event.pointerId);
  if (pinch) { if (!fingers.size) pinch = null; return; }
  const drag = S.drag;
  S.drag = null;
  invalidate();
  if (!drag || drag.panning || event.type === 'pointercancel') return;
  if (drag.stroke) return endStroke(drag);
  if (S.tool === 'polygon') return releaseVertex(event, drag);
  if (drag.step >= 0) return drag.alt ? removeStep(drag.step) : drag.to ? moveStep(drag.step, drag.to) : pick(drag.step);
  if (drag.box) return addBox(drag.box.slice(0, 2), drag.box.slice(2));
  const p = pixelAt(event);
  if (!p || (drag.moved && drag.button === 0)) return;
  if (drag.held) addPoint(p, 0); else act(p, drag.sign);
}

// Esc: what is under way ends, and nothing that was there goes. Whether there was something.
export function cancel() {
  if (cancelSketch()) return true;
  if (!S.drag && S.picked < 0) return false;
  clearTimeout(holdTimer);
  Object.assign(S, { drag: null, picked: -1 });
  invalidate();
  return true;
}

function hover(event) {
  const p = pixelAt(event), over = S.tool === 'click' && event.pointerType !== 'touch' && clickAt(event) >= 0;
  S.pointer = p;
  showReadout(p);
  canvas.style.cursor = over ? 'move' : painting() ? 'none' : '';
  if (S.tool === 'polygon') polygonCursor(event);
  S.brush = painting() && event.pointerType !== 'touch' ? toPicture(event.clientX, event.clientY) : null;
  if (painting()) invalidate();
  hoverAt(over || event.pointerType === 'touch' ? null : p, event.shiftKey || event.ctrlKey ? 1 - S.sign : S.sign);
  const i = S.regionsOn && p ? recordAt(p) : -1;
  if (i === S.hovered) return;
  S.hovered = i;
  invalidate();
}

export function showReadout(p) {
  const record = S.regionsOn ? S.records[S.hovered] : null;
  const region = record ? '   region ' + record.area + ' px, IoU ' + record.iou.toFixed(2) + ', stability ' + record.stability.toFixed(2) : '';
  part('readout').textContent = p ? 'x ' + p[0] + '  y ' + p[1] + region : '';
}

// Ctrl + wheel zooms, and so does a pinch on a touchpad, which comes as a wheel with Ctrl and small steps. The bare wheel
// scrolls the page until the user has clicked into the canvas.
function wheel(event) {
  if (event.altKey && painting()) { event.preventDefault(); return grow(event.deltaY + event.deltaX < 0 ? 1.15 : 1 / 1.15); }
  if (!event.ctrlKey && document.activeElement !== canvas) return tell('Ctrl and the wheel zoom; so does the wheel alone after a click.');
  event.preventDefault();
  const lines = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1, step = event.deltaY * lines;
  zoomAt(event.clientX, event.clientY, Math.exp(event.ctrlKey ? -clamp(step * 0.01, -0.3, 0.3) : -clamp(step, -400, 400) * 0.0015));
}

// The browser may scroll with one finger until it is held; two fingers are ours from the start.
function ours(event) {
  if (!event.cancelable) return;                     // the page is scrolling already
  if (event.touches.length > 1 || S.drag && (S.drag.held || S.drag.step >= 0 || S.drag.stroke || S.drag.vertex)) event.preventDefault();
}

export function listenToPointer() {
  canvas.addEventListener('contextmenu', event => event.preventDefault());
  canvas.addEventListener('pointerdown', press);
  canvas.addEventListener('pointermove', move);
  canvas.addEventListener('pointerup', release);
  canvas.addEventListener('pointercancel', release);
  canvas.addEventListener('lostpointercapture', event => fingers.delete(event.pointerId));
  canvas.addEventListener('pointerleave', () => { Object.assign(S, { hovered: -1, pointer: null, brush: null }); showReadout(null); invalidate(); });
  canvas.addEventListener('auxclick', event => { if (event.button <= 2) event.preventDefault(); });
  for (const kind of ['touchstart', 'touchmove']) canvas.addEventListener(kind, ours, { passive: false });
  canvas.addEventListener('wheel', wheel, { passive: false });
}
