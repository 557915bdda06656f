// Shared state of the canvas: one a page. `begin` binds it to its element.
// Frame of every coordinate: pixels of the upright picture, x right, y down, pixel (i, j) covers [i, i+1) x [j, j+1).
export let root, canvas, ctx;
export const part = name => root.querySelector('.gx-' + name);

const PALETTE = ['#56b4e9', '#e69f00', '#1fc29a', '#e38ec1', '#f0e442', '#f2712b', '#7d8cff', '#c9c9c9', '#a5764b'];   // after Okabe and Ito
export const PLAIN = 'object';                       // the label of an object that nobody has labelled
export const LIMITS = { name: 40, objects: 24, steps: 200, undo: 200, cached: 60 };

const START = () => ({
  picture: null, imageId: '', epoch: '', width: 0, height: 0,          // what is shown
  objects: [], active: 0, undo: [], redo: [], uid: 0,                  // what the user said
  sign: 1, cursor: null, drag: null, pointer: null, preview: null, picked: -1,     // what the user is doing
  tool: 'click', radius: 8, polygon: null, sketch: [], labels: [],     // what the pointer does, and the list of labels
  seq: 0, shown: 0, pending: new Map(), results: new Map(), encoded: false, smallest: null,                             // what the server said
  busy: -Infinity, again: false, failed: false,
  hoverable: false, ghost: null, ghosts: 0,                            // the mask that a click under the pointer would give
  records: [], regions: null, regionsOn: false, hovered: -1,           // everything mode
  view: { scale: 1, tx: 0, ty: 0, fit: 1, custom: false },             // device pixels per picture pixel, offset in device pixels
});
export const S = START();

export function begin(element) {
  root = element.querySelector('.gx');
  canvas = part('canvas');
  ctx = canvas.getContext('2d');
  Object.assign(S, START());
}

export const clamp = (v, low, high) => Math.min(Math.max(v, low), high);
export const active = () => S.objects[S.active];
export const swatch = k => PALETTE[k % PALETTE.length];
export const colour = object => swatch(S.labels.includes(object.label) ? S.labels.indexOf(object.label) : object.colour);
export const keyOf = object => JSON.stringify(object.steps);
export const resultOf = object => object && S.results.get(keyOf(object));
export const inside = p => p && p[0] >= 0 && p[1] >= 0 && p[0] < S.width && p[1] < S.height;

// an object as messages and the store hold it
export const plain = object => JSON.parse(JSON.stringify({ name: object.name, label: object.label, steps: object.steps }));

export function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;      // user text enters the page here and nowhere else
  return node;
}

// one sentence for screen readers and the line below the canvas
export function tell(text) { part('live').textContent = text; }

export function fail(text) {
  part('error-text').textContent = text || '';
  part('error').hidden = !text;
  root.dataset.error = text || '';
}

export const rated = (score, digits) => score === null ? '\u2013' : score.toFixed(digits);   // an imported mask has no rating

export function chosenIndex(object) {
  const result = resultOf(object);
  if (!result || !result.masks.length) return -1;
  const last = object.steps[object.steps.length - 1];
  return last && last.choice !== null ? Math.min(last.choice, result.masks.length - 1) : result.chosen;
}

export function chosenMask(object) {
  const k = chosenIndex(object);
  return k < 0 ? null : resultOf(object).masks[k];
}
