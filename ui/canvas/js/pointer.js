// Mouse, pen and touch. A press becomes a click, a box, a pan or a pinch; a long touch becomes an exclude click.
const HOLD = 450, SLOP = { mouse: 4, pen: 6, touch: 10 };
const fingers = new Map();
let pinch = null, space = false, holdTimer = 0;

function press(event) {
  if (!S.picture) return;
  canvas.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, event);
  S.cursor = null;
  if (fingers.size === 2) return startPinch();
  if (fingers.size > 2 || pinch) return;
  const panning = event.button === 1 || space;
  if (event.button === 1) event.preventDefault();
  S.drag = { x: event.clientX, y: event.clientY, last: event, from: toPicture(event.clientX, event.clientY), button: event.button, panning, box: null };
  if (event.pointerType === 'touch') holdTimer = setTimeout(() => hold(event), HOLD);
}

function hold(event) {
  const p = pixelAt(event);
  if (!S.drag || S.drag.box || S.drag.panning || !p) return;
  S.drag = null;
  if (navigator.vibrate) navigator.vibrate(15);
  addPoint(p, 0);
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

function move(event) {
  if (fingers.has(event.pointerId)) fingers.set(event.pointerId, event);
  if (pinch) { if (fingers.size === 2) movePinch(); return; }
  if (!S.drag) return hover(event);
  if (S.drag.panning) {
    pan(event.clientX - S.drag.last.clientX, event.clientY - S.drag.last.clientY);
    S.drag.last = event;
  } else if (S.drag.box || Math.hypot(event.clientX - S.drag.x, event.clientY - S.drag.y) > (SLOP[event.pointerType] || 4)) {
    clearTimeout(holdTimer);
    if (S.drag.button === 0) stretch(event);
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
  if (drag.box) return addBox(drag.box.slice(0, 2), drag.box.slice(2));
  const p = pixelAt(event);
  if (p) act(p, drag.button === 2 ? 0 : event.shiftKey ? 1 - S.sign : S.sign);
}

function hover(event) {
  const p = pixelAt(event);
  S.pointer = p;
  showReadout(p);
  const i = S.regionsOn && p ? recordAt(p) : -1;
  if (i === S.hovered) return;
  S.hovered = i;
  invalidate();
}

function showReadout(p) {
  const record = S.regionsOn ? S.records[S.hovered] : null;
  const region = record ? '   region ' + record.area + ' px, IoU ' + record.iou.toFixed(2) + ', stability ' + record.stability.toFixed(2) : '';
  part('readout').textContent = p ? 'x ' + p[0] + '  y ' + p[1] + region : '';
}

canvas.addEventListener('contextmenu', event => event.preventDefault());
canvas.addEventListener('pointerdown', press);
canvas.addEventListener('pointermove', move);
canvas.addEventListener('pointerup', release);
canvas.addEventListener('pointercancel', release);
canvas.addEventListener('pointerleave', () => { S.hovered = -1; showReadout(null); invalidate(); });
canvas.addEventListener('auxclick', event => event.preventDefault());
canvas.addEventListener('wheel', event => {
  event.preventDefault();
  const lines = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1;
  zoomAt(event.clientX, event.clientY, Math.exp(-clamp(event.deltaY * lines, -400, 400) * 0.0015));
}, { passive: false });
