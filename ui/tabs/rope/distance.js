// Maps of effective distance, a query a row and a key a column. What is read stays when they are drawn anew.
import { bytes, cell, make, note, number, paint } from '../../js/maps.js';

const HIDDEN = 0x30808080;                 // as ImageData stores pixels: alpha, blue, green, red
const UNTRAINED = 0xff2a34d8;
const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
const UNITS = { tokens: 'tokens away', bias: 'added to the logit', factor: 'times the score' };
const place = (i, j) => (i * (i + 1)) / 2 + j;

function unpacked(map) {
  const levels = new Uint16Array(bytes(map.data).buffer);
  const value = (at) => map.low + (levels[at] / 65535) * (map.high - map.low);
  return { ...map, marks: bytes(map.marks), value };
}

// one scale for all distances; what was never trained is hatched
function coloured(canvas, map, count, most) {
  const values = new Float32Array(count * count);
  for (let i = 0; i < count; i += 1) for (let j = 0; j <= i; j += 1) values[i * count + j] = map.value(place(i, j));
  paint(canvas, values, count, count, { bound: most, signed: map.low < 0, triangle: true });
  const pen = canvas.getContext('2d');
  const picture = pen.getImageData(0, 0, count, count);
  const pixels = new Uint32Array(picture.data.buffer);
  for (let i = 0; i < count; i += 1) {
    for (let j = 0; j < count; j += 1) {
      const mark = j > i ? 0 : map.marks[place(i, j)];
      if (j > i) pixels[i * count + j] = 0;
      else if (mark & 1) pixels[i * count + j] = HIDDEN;
      else if (mark & 2 && (i + j) % 4 === 0) pixels[i * count + j] = UNTRAINED;
    }
  }
  pen.putImageData(picture, 0, 0);
}

function told(map, [i, j]) {
  if (j > i) return 'later: not seen';
  const mark = map.marks[place(i, j)];
  if (mark & 1) return 'not kept: not seen';
  const value = map.value(place(i, j));
  const text = Math.abs(value) >= 100 ? String(Math.round(value)) : number(value);
  return `${text} ${UNITS[map.unit]}${mark & 2 ? ', never trained' : ''}`;
}

function read(board) {
  const [query, key] = board.at.map((k) => board.scene.at[k]);
  board.note.textContent = `Query ${query}, key ${key}: truly ${query - key} tokens apart.`;
  board.maps.forEach((map, k) => { board.figures[k].said.textContent = told(map, board.at); });
}

function figure(board) {
  const node = make('figure', 'gb-distance');
  const caption = make('figcaption', '');
  const canvas = make('canvas', '');
  const said = make('p', 'gb-note');
  canvas.tabIndex = 0;
  canvas.setAttribute('role', 'img');
  canvas.addEventListener('pointermove', (event) => {
    board.at = cell(event, canvas, board.scene.at.length, board.scene.at.length);
    read(board);
  });
  canvas.addEventListener('keydown', (event) => {
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    board.at = board.at.map((v, k) => Math.min(board.scene.at.length - 1, Math.max(0, v + step[k])));
    read(board);
  });
  node.append(caption, canvas, said);
  return { node, caption, canvas, said };
}

function laid(root) {
  const board = { figures: [], at: null, key: make('p', 'gb-note'), note: note(), grid: make('div', 'gb-distances') };
  root.replaceChildren(board.key, board.note, board.grid);
  return board;
}

export function distance(root, scene) {
  const board = (root.board ||= laid(root));
  const count = scene.at.length;
  const same = board.scene?.at.length === count;
  board.at = same ? board.at : [count - 1, 0];
  Object.assign(board, { scene, maps: scene.maps.map(unpacked) });
  while (board.figures.length < scene.maps.length) board.figures.push(figure(board));
  board.figures.splice(scene.maps.length).forEach(({ node }) => node.remove());
  const farthest = Math.max(...board.maps.filter((map) => map.unit === 'tokens').map((map) => map.high), 1);
  board.maps.forEach((map, k) => {
    const { node, caption, canvas } = board.figures[k];
    caption.textContent = map.label;
    canvas.setAttribute('aria-label', `${map.label}: map of queries by keys; arrow keys read it`);
    coloured(canvas, map, count, map.unit === 'tokens' ? farthest : Math.max(Math.abs(map.low), Math.abs(map.high)));
    if (!node.isConnected) board.grid.append(node);
  });
  board.key.textContent = `Rows are queries, columns keys, both from 0 to ${scene.n - 1}. Colours: the distance that `
    + 'the slowest pair feels, by the root, dark is 0, the same scale on all. Red hatching: an angle that it never had '
    + 'in training. Grey: earlier keys that are not looked at.';
  read(board);
}
