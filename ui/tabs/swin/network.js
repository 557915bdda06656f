// The whole network for this picture: each stage's map with its windows, one token as large in all of them, and its blocks; below, the
// chosen block from inside. What can be pressed leads to the view of that part.
import { line, resized, sized } from '../../js/board.js';
import { button, make, note } from '../../js/maps.js';
import { aspect } from './scale.js';

const WIDEST = 236;                        // px of the first map's longer side
const LARGEST_WINDOW = 12;                 // that the views of single tokens take

const million = (work) => `${(work / 1e6).toFixed(1)} M`;
const pair = ([a, b]) => `${a} × ${b}`;
const some = (values) => values.some((v) => v > 0);

// stages as {parts, merge or embed that leads there}
function stages(parts) {
  const found = [];
  for (const part of parts) {
    if (part.kind === 'block') found.at(-1).blocks.push(part);
    else found.push({ enter: part, blocks: [] });
  }
  return found;
}

// the picture in the tokens of a stage, cut into the windows of a block
function draw({ tools: { picture, value } }, canvas, one, scale) {
  const [rows, columns] = one.size;
  canvas.style.width = `${Math.max(12, Math.round(columns * scale))}px`;
  const [pen, w, h] = sized(canvas, aspect(value.aspect));
  const small = Object.assign(document.createElement('canvas'), { width: columns, height: rows });
  small.getContext('2d').drawImage(picture, 0, 0, columns, rows);
  pen.imageSmoothingEnabled = false;
  pen.drawImage(small, 0, 0, w, h);
  for (const [axis, length] of [[0, rows], [1, columns]]) {
    for (let at = one.shift[axis] || one.window[axis]; at < length; at += one.window[axis]) {
      const [x, y] = [at * w / columns, at * h / rows];
      line(pen, axis ? [x, 0] : [0, y], axis ? [x, h] : [w, y], 'rgba(255, 255, 255, .8)', 1);
    }
  }
}

function link(text, press, hint, className = '') {
  const node = button(text, press, `gb-net-link ${className}`);
  node.title = hint;
  return node;
}

function entry(stage, part) {
  const box = make('div', 'gb-net-enter');
  if (part.kind === 'merge') {
    box.append(link('Merge 2 × 2', () => stage.tools.set({ view: 'merge' }), 'Shows: Patch merging'),
      make('span', '', `${part.channels * 2} → ${part.channels} channels`), make('span', '', million(part.work)));
  } else {
    box.append(make('span', 'gb-net-name', 'Patch embedding'), make('span', '', `${part.side} × ${part.side} px → ${part.channels} channels`),
      make('span', '', million(part.work)));
  }
  return box;
}

function column(stage, { enter, blocks }, k) {
  const box = make('div', 'gb-net-stage');
  const canvas = make('canvas', '');
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', `Stage ${k + 1}: ${pair(enter.size)} tokens in windows of ${pair(blocks[0].window)}`);
  const row = make('div', 'gb-net-blocks');
  for (const one of blocks) {
    const text = some(one.shift) ? `${one.block + 1}, shifted` : String(one.block + 1);
    const node = link(text, () => choose(stage, one.number), 'Shows this block from inside');
    node.setAttribute('aria-label', `Block ${k + 1}·${one.block + 1}${some(one.shift) ? ', shifted' : ''}`);
    node.setAttribute('aria-pressed', one.number === stage.scene.chosen);
    node.dataset.number = one.number;
    row.append(node);
  }
  const { windows, window, padded, size, heads } = blocks[0];
  box.append(make('h4', '', `Stage ${k + 1}: ${pair(size)} tokens, ${enter.channels} channels`), canvas, row,
    make('p', '', `${windows} windows of ${pair(window)}, ${heads} heads; ${pair(padded) === pair(size) ? 'no padding' : `padded to ${pair(padded)}`}`),
    make('p', '', `${million(blocks.reduce((sum, one) => sum + one.work, 0))} multiply-adds`));
  return [box, canvas];
}

// a step of the block: text, or [text, view it leads to, further settings]
function steps(one, after) {
  const moved = some(one.shift);
  const roll = { window: Math.min(LARGEST_WINDOW, one.window[0]), shift: Math.min(one.shift[0], LARGEST_WINDOW - 1) };
  const norm = 'Norm', add = '+ residual';
  const padding = pair(one.padded) === pair(one.size) ? [] : [[`Pad to ${pair(one.padded)}`, 'orders', {}]];
  const attention = [
    moved ? [`Roll by (−${one.shift[0]}, −${one.shift[1]})`, 'roll', { ...roll, step: 'roll' }] : null,
    ...padding,
    [`Cut into ${one.windows} windows`, 'roll', { ...roll, step: 'windows' }],
    `q, k, v: ${one.heads} heads of ${one.channels / one.heads} channels`,
    [after ? 'cos(q, k) × scale' : 'q · k / √d', 'cosine', {}], ['+ position bias', 'bias', {}],
    moved ? ['+ mask', 'leak', {}] : null, ['Softmax: attention', 'model', { map_block: one.number }], '· v, output',
    moved ? ['Roll back', 'reach', {}] : null,
  ].filter(Boolean);
  return [after ? [...attention, norm, add] : [norm, ...attention, add], after ? ['MLP', norm, add] : [norm, 'MLP', add]];
}

function inside(stage) {
  const { scene, parts } = stage;
  const one = scene.parts.find((part) => part.number === scene.chosen);
  parts.title.textContent = `Block ${one.stage + 1}·${one.block + 1} from inside: ${million(one.work)} multiply-adds`;
  parts.chains.replaceChildren(...steps(one, scene.after).map((chain) => {
    const row = make('ol', 'gb-net-chain');
    for (const step of chain) {
      const item = make('li', '');
      if (Array.isArray(step)) item.append(link(step[0], () => stage.tools.set({ view: step[1], ...step[2] }), 'Shows the view of this step'));
      else item.textContent = step;
      row.append(item);
    }
    return row;
  }));
}

function choose(stage, number) {
  stage.scene.chosen = number;
  for (const node of stage.root.querySelectorAll('[data-number]')) node.setAttribute('aria-pressed', Number(node.dataset.number) === number);
  inside(stage);
  paint(stage);
  stage.tools.note({ map_block: number });
}

function paint(stage) {
  const { scene } = stage;
  const first = scene.parts[0].size;
  const room = Math.min(WIDEST, stage.root.clientWidth - 24);
  const ratio = aspect(stage.tools.value.aspect);
  const scale = Math.min(room, room * ratio) / first[1];
  stage.stages.forEach(({ blocks }, k) => draw(stage, stage.canvases[k], blocks.find((one) => one.number === scene.chosen) || blocks[0], scale));
}

export function network(root, scene, tools) {
  const fresh = !root.gbNetwork;
  const stage = root.gbNetwork || (root.gbNetwork = { root, parts: { row: make('div', 'gb-net'), title: make('h4', ''), chains: make('div', ''), more: make('div', 'gb-stage-buttons') }, note: note() });
  if (fresh) {
    stage.note.classList.add('gb-board-say');
    root.replaceChildren(...Object.values(stage.parts), stage.note);
    stage.parts.more.append(link('What windows save', () => stage.tools.set({ view: 'cost' }), 'Shows: Cost'),
      link('Where a patch comes from, through all blocks', () => stage.tools.set({ view: 'rollout', map_block: 48 }), 'Shows: Rollout'));
    resized(stage.parts.row, () => paint(stage));
  }
  Object.assign(stage, { scene, tools, stages: stages(scene.parts), canvases: [] });
  stage.parts.row.replaceChildren(...stage.stages.flatMap((one, k) => {
    const [box, canvas] = column(stage, one, k);
    stage.canvases.push(canvas);
    return [entry(stage, one.enter), box];
  }));
  const total = scene.parts.reduce((sum, part) => sum + part.work, 0);
  stage.note.textContent = `${scene.name}, picture resized to ${scene.seen[1]} × ${scene.seen[0]} px: ${million(total)} multiply-adds. One token is as large in every stage; lines are the windows of the chosen block. Press a block to see it from inside, and its steps to see their views.`;
  inside(stage);
  paint(stage);
}
