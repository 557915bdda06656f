// The keyboard path: a visible cursor, and one key per command. Keys count only while the canvas has the focus.
const COMMANDS = {
  Enter: event => S.cursor ? act(S.cursor, event.shiftKey ? 1 - S.sign : S.sign) : moveCursor(0, 0),
  '+': () => setSign(1), '=': () => setSign(1), '-': () => setSign(0), _: () => setSign(0),
  z: undo, y: redo, Z: redo, Escape: clearObject, n: () => addObject(), r: () => showRegions(!S.regionsOn),
  1: () => choose(0), 2: () => choose(1), 3: () => choose(2),
  i: () => zoomMiddle(1.25), o: () => zoomMiddle(0.8), f: fit,
};
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function setSign(sign) {
  S.sign = sign;
  part('include').setAttribute('aria-pressed', String(sign === 1));
  part('exclude').setAttribute('aria-pressed', String(sign === 0));
  root.dataset.sign = sign ? '+' : '-';
  invalidate();
}

function moveCursor(dx, dy) {
  const from = S.cursor || S.pointer || [Math.floor(S.width / 2), Math.floor(S.height / 2)];
  S.cursor = [clamp(from[0] + dx, 0, S.width - 1), clamp(from[1] + dy, 0, S.height - 1)];
  S.hovered = S.regionsOn ? recordAt(S.cursor) : -1;
  showPixel(S.cursor);
  showReadout(S.cursor);
  say('Cursor at x ' + S.cursor[0] + ', y ' + S.cursor[1] + '.');
  invalidate();
}

function arrow(event, [dx, dy]) {
  const percent = Math.max(1, Math.round(Math.max(S.width, S.height) / 100));
  const step = event.altKey ? 1 : event.shiftKey ? 5 * percent : percent;
  moveCursor(dx * step, dy * step);
}

function keydown(event) {
  if (!S.picture) return;
  if (event.key === ' ') { space = true; return event.preventDefault(); }
  if ((event.ctrlKey || event.metaKey) && !['z', 'y', 'Z'].includes(event.key)) return;
  const run = ARROWS[event.key] ? () => arrow(event, ARROWS[event.key]) : COMMANDS[event.key] && (() => COMMANDS[event.key](event));
  if (!run) return;
  event.preventDefault();
  run();
}

function historyKeys(event) {                        // Ctrl+Z and Ctrl+Y work from every button of the canvas too
  const run = { z: undo, y: redo, Z: redo }[event.key];
  if (!run || !(event.ctrlKey || event.metaKey) || event.target === canvas || event.target.tagName === 'INPUT') return;
  event.preventDefault();
  run();
}

canvas.addEventListener('keydown', keydown);
root.addEventListener('keydown', historyKeys);
canvas.addEventListener('keyup', event => { if (event.key === ' ') space = false; });
canvas.addEventListener('blur', () => { space = false; invalidate(); });
canvas.addEventListener('focus', invalidate);
