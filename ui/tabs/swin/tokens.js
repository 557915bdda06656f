// The main stage: the picture's tokens on their way through a block, in their own coordinates and as the block sees them, and the
// N x N pairs of the clicked token's window. Stepping, playing, hovering and lighting up partners ask the server nothing.
import { outline, pointing, reached, resized, sized, spotlight, weights } from '../../js/board.js';
import { button, cell, make, note, panel } from '../../js/maps.js';
import { LINK, captions, pairs, peers, pointed, reads } from './pairs.js';
import { frame, hatch, spots } from './places.js';
import { aspect, bar as colours, css, ground, pictureSwitch, tallest, tint } from './scale.js';
import { pair, tell } from './words.js';

export const HUES = ['#4a9fdc', '#e69f00', '#00b184', '#c270a0', '#7ec8f2', '#e5701a', '#7970db', '#e8dc4a', '#aab4c0'];
const LAYERS = ['#ffe27a', '#f5a03c', '#e3622f', '#bb3258', '#854770', '#2d3c86'];
const STEPS = {
  picture: 'Picture', roll: 'Roll', pad: 'Pad', windows: 'Windows', regions: 'Regions', mask: 'Mask', attention: 'Attention', back: 'Roll back',
};
const EASE = (t) => t * t * (3 - 2 * t);
const still = () => matchMedia('(prefers-reduced-motion: reduce)').matches;
const mix = (a, b, t) => Object.fromEntries(Object.keys(b).map((key) => [key, a[key] + (b[key] - a[key]) * t]));

// how far each thing has come at a step
function pose(scene, step) {
  const done = (name) => Number(scene.steps.indexOf(step) >= scene.steps.indexOf(name) && scene.steps.includes(name));
  const back = step === 'back';
  return { roll: back ? 0 : done('roll'), pad: back ? 0 : done('pad'), gap: back ? 0 : done('windows'), cut: done('windows'),
    regions: step === 'regions' || step === 'mask' ? 1 : 0, mask: step === 'mask' ? 1 : 0, heat: done('attention') };
}

// everything that can be told from the scene: places of tokens, windows, partners
function read(scene) {
  const [ph, pw] = scene.padded;
  const [mh, mw] = scene.window;
  const across = pw / mw;
  const place = new Int32Array(scene.rows * scene.columns);
  scene.source.forEach((token, at) => { if (token >= 0) place[token] = at; });
  const cells = scene.source.map((token, at) => {
    const [r, c] = [Math.floor(at / pw), at % pw];
    const window = Math.floor(r / mh) * across + Math.floor(c / mw);
    return { token, at, r, c, window, inner: (r % mh) * mw + (c % mw), region: scene.region[at] };
  });
  const n = mh * mw;
  const members = Array.from({ length: cells.length / n }, () => new Array(n));
  for (const cell of cells) members[cell.window][cell.inner] = cell;
  const all = new Float32Array(members.length * n * n);        // of all windows, or of the one that is held
  all.set(weights(scene.weights), (scene.held ?? 0) * n * n);
  return { ph, pw, mh, mw, n, across, place, cells, members, weights: all };
}

function choose(stage, token) {
  const { scene, map } = stage;
  if (stage.twin) choose(stage.twin, token);
  const cell = map.cells[map.place[token]];
  const row = map.weights.subarray((cell.window * map.n + cell.inner) * map.n, (cell.window * map.n + cell.inner + 1) * map.n);
  const sees = (other) => !scene.masked || other.region === cell.region;
  const seen = map.members[cell.window].filter(sees);          // padding too
  stage.chosen = { token, cell, row, sees, members: map.members[cell.window], visible: seen.length, partners: seen.filter((other) => other.token >= 0) };
  scene.token = [Math.floor(token / scene.columns), token % scene.columns];
}

function over(pen, stage, cell, now, box) {
  const { scene, chosen } = stage;
  const mine = cell.window === chosen.cell.window;
  if (now.regions) {
    pen.globalAlpha = 0.42 * now.regions;
    pen.fillStyle = HUES[cell.region];
    pen.fillRect(...box);
    pen.globalAlpha = 1;
    if (box[2] > 24 && now.regions === 1 && !now.mask) {
      pen.fillStyle = 'rgba(0, 0, 0, .8)';
      pen.font = `${Math.round(Math.min(box[2], box[3]) * 0.34)}px sans-serif`;
      pen.fillText(cell.region, box[0] + 4, box[1] + box[3] * 0.4);
    }
  }
  if (now.mask && (!mine || !chosen.sees(cell))) {
    pen.fillStyle = `rgba(8, 12, 20, ${(mine ? 0.6 : 0.5) * now.mask})`;
    pen.fillRect(...box);
    if (mine && cell.token >= 0) hatch(pen, ...box);
  }
  if (now.heat) {
    pen.globalAlpha = now.heat;
    pen.fillStyle = mine ? css(tint(chosen.row[cell.inner] * chosen.visible)) : 'rgba(8, 12, 20, .68)';
    pen.fillRect(...box);
    pen.globalAlpha = 1;
  }
  if (stage.hovered === cell.at) outline(pen, box[0] + 1, box[1] + 1, box[2] - 2, box[3] - 2, '#ffffff', 1);
}

function tile(pen, stage, cell, box, now) {
  const { scene, tools: { picture } } = stage;
  if (cell.token < 0) {
    pen.globalAlpha = now.pad;
    pen.fillStyle = '#3a414b';
    pen.fillRect(...box);
    hatch(pen, ...box);
    pen.globalAlpha = 1;
    return;
  }
  const [w, h] = [picture.naturalWidth / scene.columns, picture.naturalHeight / scene.rows];
  const [from, to] = [[(cell.token % scene.columns) * w, Math.floor(cell.token / scene.columns) * h, w, h], [box[0], box[1], box[2] + 0.7, box[3] + 0.7]];
  pen.drawImage(picture, ...from, ...to);
  if (!now.heat) return;
  pen.globalAlpha = now.heat;
  ground(pen, picture, from, to);
  pen.globalAlpha = 1;
}

function layer(pen, scene, cell, box) {
  const { overlay } = scene;
  if (!overlay || cell.token < 0) return;
  if (overlay.kind === 'layers') {
    const blocks = overlay.first[cell.token];
    pen.fillStyle = blocks ? LAYERS[Math.min(blocks, LAYERS.length) - 1] : 'rgb(8, 12, 20)';
    pen.globalAlpha = blocks ? 0.5 : 0.72;
    pen.fillRect(...box);
    pen.globalAlpha = 1;
  } else spotlight(pen, overlay.values[cell.token] / (overlay.kind === 'share' ? 1 : overlay.bound), ...box);
}

// one of the two pictures: `now` is the pose, `own` whether it is the one in the picture's own coordinates
function map(stage, canvas, now, own) {
  const { scene, map: m, chosen } = stage;
  const ratio = aspect(stage.tools.value.aspect) * (own ? 1 : (m.pw / scene.columns) / (m.ph / scene.rows));
  const [pen, width, height] = sized(canvas, ratio, tallest());
  const at = frame(stage, width, height, now, own);
  const where = [];
  for (const cell of m.cells) {
    if (cell.token < 0 && (own || !now.pad)) continue;
    for (const [r, c] of spots(scene, m, cell, now)) where.push([cell, [at.x(c), at.y(r), at.cw, at.ch]]);
  }
  for (const [cell, box] of where) tile(pen, stage, cell, box, now);
  for (const [cell, box] of where) if (own && scene.overlay) layer(pen, scene, cell, box); else over(pen, stage, cell, now, box);
  if (now.cut) edges(pen, stage, now, at, own);
  const read = reads(stage);
  for (const [cell, box] of where) if (cell === read) outline(pen, box[0] + 1, box[1] + 1, box[2] - 2, box[3] - 2, LINK, Math.max(2, width / 260));
  for (const [cell, box] of where) if (cell === chosen.cell) outline(pen, box[0] + 1, box[1] + 1, box[2] - 2, box[3] - 2, '#ffffff', Math.max(2, width / 260));
  canvas.setAttribute('aria-label', `${own ? 'The picture' : 'What the block works on'}: ${scene.rows} by ${scene.columns} tokens, row ${scene.token[0]}, column ${scene.token[1]} is chosen; arrow keys choose another`);
  return at;
}

// the border of the chosen window, and of its regions, wherever its tokens are
function edges(pen, stage, now, at, own) {
  const { scene, map: m, chosen } = stage;
  const rolled = now.roll > 0.5 && !own;
  const side = (cell) => (rolled ? [cell.r, cell.c] : cell.token >= 0 ? [Math.floor(cell.token / scene.columns), cell.token % scene.columns] : null);
  const members = m.members[chosen.cell.window].filter((cell) => side(cell));
  const key = ([r, c]) => r * 1000 + c;
  const regions = new Map(members.map((cell) => [key(side(cell)), cell.region]));
  if (!rolled && now.roll > 0) return;
  pen.globalAlpha = now.cut;
  for (const [wide, colour] of [[5, 'rgba(0, 0, 0, .7)'], [2.5, null]]) {
    pen.lineWidth = wide;
    for (const cell of members) {
      const [r, c] = side(cell);
      const [x, y] = [at.x(c), at.y(r)];
      for (const [dr, dc, x0, y0, x1, y1] of [[-1, 0, 0, 0, 1, 0], [1, 0, 0, 1, 1, 1], [0, -1, 0, 0, 0, 1], [0, 1, 1, 0, 1, 1]]) {
        if (regions.get(key([r + dr, c + dc])) === cell.region) continue;
        pen.strokeStyle = colour || HUES[cell.region];
        pen.beginPath();
        pen.moveTo(x + x0 * at.cw, y + y0 * at.ch);
        pen.lineTo(x + x1 * at.cw, y + y1 * at.ch);
        pen.stroke();
      }
    }
  }
  pen.globalAlpha = 1;
}

function paint(stage, now) {
  stage.now = now;
  map(stage, stage.parts.work.canvas, now, false);
  map(stage, stage.parts.own.canvas, { ...now, roll: 0, pad: 0, gap: 0 }, true);
  if (!stage.twin) return;
  const pad = stage.twin.scene.order === 'timm' ? Math.min(now.pad, now.roll) : Math.max(now.pad, now.roll);
  stage.twin.now = { ...now, pad };
  map(stage.twin, stage.parts.twin.canvas, stage.twin.now, false);
}

export function repaint(stage) {
  paint(stage, stage.now);
  if (!stage.twin) pairs(stage, stage.now.heat > 0);
}

// moves from the present pose to that of a step; the way back closes the gaps first
function go(stage, step, slow) {
  const { scene } = stage;
  const from = stage.now || pose(scene, step);
  const to = pose(scene, step);
  stage.step = step;
  stage.scale.hidden = !to.heat;
  cancelAnimationFrame(stage.frame);
  for (const [name, node] of stage.chips) node.setAttribute('aria-pressed', name === step);
  if (!stage.twin) pairs(stage, to.heat > 0);
  const began = performance.now();
  const span = slow && !still() ? 650 : 0;
  const tick = (time) => {
    const t = span ? Math.min(1, Math.max(0, time - began) / span) : 1;
    const first = EASE(Math.min(1, t * 2));
    const second = EASE(Math.max(0, t * 2 - 1));
    const closing = from.gap > to.gap;
    paint(stage, { ...mix(from, to, EASE(t)), gap: from.gap + (to.gap - from.gap) * (closing ? first : EASE(t)), roll: from.roll + (to.roll - from.roll) * (closing ? second : EASE(t)) });
    if (t < 1) stage.frame = requestAnimationFrame(tick);
  };
  tick(began);
  tell(stage);
  stage.root.dataset.step = step;
}

function move(stage, by) {
  const { steps } = stage.scene;
  const next = steps[Math.min(steps.length - 1, Math.max(0, steps.indexOf(stage.step) + by))];
  if (next === stage.step) return false;
  stepTo(stage, next);
  return true;
}

export function stepTo(stage, step) {
  go(stage, step, true);
  stage.tools.note({ step });
}

function play(stage, on) {
  clearInterval(stage.timer);
  stage.timer = on ? setInterval(() => { if (!stage.root.isConnected || !move(stage, 1)) play(stage, false); }, 1700) : 0;
  stage.player.textContent = on ? 'Pause' : 'Play';
}

function bar(stage) {
  const row = make('div', 'gb-stage-buttons');
  row.append(button('Back', () => { play(stage, false); move(stage, -1); }));
  stage.player = button('Play', () => {
    const on = !stage.timer;
    if (on && stage.step === stage.scene.steps.at(-1)) go(stage, stage.scene.steps[0], true);
    play(stage, on);
  });
  row.append(stage.player, button('Forward', () => { play(stage, false); move(stage, 1); }));
  stage.strip = make('div', 'gb-board-steps');
  stage.scale = make('div', 'gb-swin-bar');
  stage.scale.append(pictureSwitch(() => repaint(stage)), colours('times what equal weights would give'));
  row.append(stage.strip);
  return row;
}

function chips(stage) {
  stage.chips = new Map(stage.scene.steps.map((name, k) => {
    const press = () => { play(stage, false); stepTo(stage, name); };
    const node = button(`${k + 1} `, press);
    node.append(make('span', '', STEPS[name]));
    return [name, node];
  }));
  stage.strip.replaceChildren(...stage.chips.values());
}

function pick(stage, row, column) {
  const { scene } = stage;
  choose(stage, row * scene.columns + column);
  go(stage, stage.step, false);
  stage.tools.set({ y: (row + 0.5) / scene.rows, x: (column + 0.5) / scene.columns });
}

function built(root) {
  const stage = { root, now: null, hovered: null, note: note() };
  stage.note.classList.add('gb-board-say');
  stage.parts = { own: panel('In the picture’s own coordinates'), work: panel(''), twin: panel(''), pairs: panel('', 'gb-board-pairs') };
  stage.panels = make('div', 'gb-board-panels');
  stage.panels.append(...Object.values(stage.parts).map((one) => one.figure));
  root.replaceChildren(bar(stage), stage.panels, stage.scale, stage.note);
  for (const name of ['own', 'work', 'twin']) {
    const { canvas } = stage.parts[name];
    const shown = () => (name === 'twin' ? stage.twin : stage);
    const grid = () => ({ rows: stage.scene.rows, columns: stage.scene.columns, token: stage.scene.token, find: (event) => found(shown(), name, canvas, event) });
    reached(canvas, '');
    pointing(canvas, grid, (r, c) => pick(stage, r, c), (at) => hover(stage, at));
  }
  const { canvas } = stage.parts.pairs;
  const under = (event) => cell(event, canvas, stage.map.n, stage.map.n);
  canvas.addEventListener('pointermove', (event) => { pair(stage, under(event)); pointed(stage, under(event)); });
  canvas.addEventListener('pointerleave', () => { tell(stage); pointed(stage, null); });
  canvas.addEventListener('click', (event) => {
    const { token } = stage.map.members[stage.chosen.cell.window][under(event)[0]];
    if (token >= 0) pick(stage, Math.floor(token / stage.scene.columns), token % stage.scene.columns);
  });
  resized(stage.parts.own.canvas, () => { if (stage.now) repaint(stage); });
  return stage;
}

// the token under a pointer as (row, column), or null
function found(stage, name, canvas, event) {
  const { scene, map: m } = stage;
  const box = canvas.getBoundingClientRect();
  const [rows, columns] = name === 'own' ? [scene.rows, scene.columns] : [m.ph, m.pw];
  const [r, c] = [((event.clientY - box.top) / box.height) * rows, ((event.clientX - box.left) / box.width) * columns].map(Math.floor);
  if (r < 0 || c < 0 || r >= rows || c >= columns) return null;
  const rolled = name !== 'own' && stage.now.roll > 0.5;
  const token = rolled ? scene.source[r * m.pw + c] : r < scene.rows && c < scene.columns ? r * scene.columns + c : -1;
  return token < 0 ? null : [Math.floor(token / scene.columns), token % scene.columns];
}

function hover(stage, at) {
  const cell = at && stage.map.cells[stage.map.place[at[0] * stage.scene.columns + at[1]]];
  if (stage.hovered === (cell ? cell.at : null)) return;
  stage.hovered = cell ? cell.at : null;
  if (stage.twin) stage.twin.hovered = cell ? stage.twin.map.place[cell.token] : null;
  paint(stage, stage.now);
  tell(stage, cell);
}

export function board(root, scene, tools) {
  const before = root.gbTokens;
  const stage = before || (root.gbTokens = built(root));
  const mine = tools.old && before && ['rows', 'columns', 'view'].every((name) => stage.scene[name] === scene[name]);
  if (mine) scene.token = stage.scene.token;                 // what was chosen since is newer than this answer
  const step = mine && scene.steps.includes(stage.step) ? stage.step : scene.steps.includes(scene.step) ? scene.step : 'roll';
  Object.assign(stage, { scene, tools, map: read(scene), hovered: null, twin: null });
  if (scene.other) stage.twin = { scene: scene.other, map: read(scene.other), tools, hovered: null };
  peers(root).tokens = stage;
  captions(stage);
  if (scene.overlay?.data) scene.overlay.values = weights(scene.overlay);
  choose(stage, scene.token[0] * scene.columns + scene.token[1]);
  chips(stage);
  go(stage, step, false);
}
board.follows = true;
