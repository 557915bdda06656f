// Shared state of one canvas. All files of this folder are joined into one function body, so they share this scope.
// Frame of every coordinate: pixels of the upright picture, x right, y down, pixel (i, j) covers [i, i+1) x [j, j+1).
const root = element.querySelector('.gx');
const part = name => root.querySelector('.gx-' + name);
const canvas = part('canvas'), ctx = canvas.getContext('2d');

const PALETTE = ['#56b4e9', '#e69f00', '#1fc29a', '#e38ec1', '#f0e442', '#f2712b', '#7d8cff', '#c9c9c9'];   // after Okabe and Ito
const LIMITS = { name: 40, objects: 24, steps: 64, undo: 200, cached: 60 };

const S = {
  picture: null, imageId: '', epoch: '', width: 0, height: 0,          // what is shown
  objects: [], active: 0, undo: [], redo: [], uid: 0,                  // what the user said
  sign: 1, cursor: null, drag: null, pointer: null, preview: null,     // what the user is doing
  seq: 0, shown: 0, turn: 0, pending: new Map(), results: new Map(), encoded: false, busy: -Infinity, again: false, failed: false,   // what the server said
  records: [], regions: null, regionsOn: false, hovered: -1,           // everything mode
  view: { scale: 1, tx: 0, ty: 0, fit: 1, custom: false },             // device pixels per picture pixel, offset in device pixels
};

const clamp = (v, low, high) => Math.min(Math.max(v, low), high);
const active = () => S.objects[S.active];
const colour = object => PALETTE[object.colour % PALETTE.length];
const keyOf = object => JSON.stringify(object.steps);
const resultOf = object => object && S.results.get(keyOf(object));
const inside = p => p && p[0] >= 0 && p[1] >= 0 && p[0] < S.width && p[1] < S.height;

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;      // user text enters the page here and nowhere else
  return node;
}

function say(text) { part('live').textContent = text; }

function fail(text) {
  part('error-text').textContent = text || '';
  part('error').hidden = !text;
  root.dataset.error = text || '';
}

function chosenIndex(object) {
  const result = resultOf(object);
  if (!result || !result.masks.length) return -1;
  const last = object.steps[object.steps.length - 1];
  return last && last.choice !== null ? Math.min(last.choice, result.masks.length - 1) : result.chosen;
}

function chosenMask(object) {
  const k = chosenIndex(object);
  return k < 0 ? null : resultOf(object).masks[k];
}
