// The mask that a click here would give, while the pointer moves. One request is under way at a time and the newest position
// wins; clicks go first. Nothing of it reaches the state, the history or the link.
import { keep } from '../../js/frame.js';
import { S, active, canvas, keyOf, part, root, tell } from './core.js';
import { decode } from './mask.js';
import { invalidate } from './paint.js';

const PATIENCE = 2000;                               // ms after which an answer is no longer waited for
let trigger, asked = 0, busy = -Infinity, wanted = null, on = true;

const waiting = () => performance.now() - busy < PATIENCE;
const free = () => on && S.hoverable && S.encoded && S.tool === 'click' && root.dataset.phase === 'ready' && S.shown === S.seq && !S.drag && !S.regionsOn;

// p: the picture pixel under the pointer, null when it has left
export function hoverAt(p, sign) {
  wanted = p && active() ? { point: [p[0], p[1], sign], key: keyOf(active()) } : null;
  if (!wanted || !free()) return dropGhost();
  if (!waiting()) ask();
}

function ask() {
  busy = performance.now();
  asked += 1;
  trigger('hover', { seq: asked, epoch: S.epoch, image_id: S.imageId, point: wanted.point, steps: JSON.parse(wanted.key) });
  S.asking = wanted;
}

export function dropGhost() {
  if (!S.ghost) return;
  S.ghost = null;
  root.dataset.ghost = '';
  invalidate();
}

export function hearGhost(answer) {
  if (answer.seq !== asked) return;                  // overdue
  busy = -Infinity;
  const { point, key } = S.asking;
  if (answer.epoch === S.epoch && answer.mask && wanted && free() && key === keyOf(active())) {
    S.ghost = { mask: decode(answer.mask), label: point[2] };
    root.dataset.ghost = point.slice(0, 2).join();
    S.ghosts = (S.ghosts || 0) + 1;
    invalidate();
  }
  if (wanted && free() && String(wanted.point) !== String(point)) ask();
}

function show() {
  part('ghost').setAttribute('aria-pressed', String(on));
}

export function toggleGhost() {
  on = !on;
  keep.set('segment-preview', on ? 'on' : 'off');
  dropGhost();
  show();
  tell(on ? 'The mask under the pointer is previewed.' : 'No preview under the pointer.');
}

export function listenToHover(trigger_) {
  trigger = trigger_;
  on = keep.get('segment-preview') !== 'off';
  show();
  canvas.addEventListener('pointerleave', () => hoverAt(null));
}
