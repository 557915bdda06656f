// Real attention: the clicked patch on the picture, every block's part of the picture that it may look at, and the heads of the chosen
// block. Another block or head, or another patch, is asked from the server; the overlay is switched here.
import { outline, pixels, pointing, reached, resized, sized, weights } from '../../js/board.js';
import { button, cell, make, note, number, panel } from '../../js/maps.js';
import { aspect, bar, ground, pictureSwitch, tallest, tint } from './scale.js';

// the weights (rows, columns) of one head of a block; 0 is the mean
function values(block, head) {
  const size = block.inside[0] * block.inside[1];
  return block.all.subarray(head * size, (head + 1) * size);
}

// where a block's part lies on the picture, as shares of its sides
function part(block) {
  return { y: block.corner[0] / block.map[0], x: block.corner[1] / block.map[1], h: block.inside[0] / block.map[0], w: block.inside[1] / block.map[1] };
}

// one pixel for each patch, against equal weights
function heat(block, head) {
  const shown = values(block, head);
  return pixels(...block.inside, (at) => tint(shown[at] * block.visible));
}

// on pixels of the device, so that no seams show
function cells(pen, picture, block, head, x, y, w, h) {
  const [rows, columns] = block.inside;
  const [left, top, right, bottom] = [x, y, x + w, y + h].map(Math.round);
  const { x: px, y: py, w: pw, h: ph } = part(block);
  const from = [px * picture.naturalWidth, py * picture.naturalHeight, pw * picture.naturalWidth, ph * picture.naturalHeight];
  pen.imageSmoothingEnabled = false;
  ground(pen, picture, from, [left, top, right - left, bottom - top]);
  pen.drawImage(heat(block, head), left, top, right - left, bottom - top);
  const [r, c] = [block.token[0] - block.corner[0], block.token[1] - block.corner[1]];
  outline(pen, x + c * w / columns, y + r * h / rows, w / columns, h / rows, '#ffffff', 1.5);
}

function whole(stage) {
  const { scene, parts, tools: { picture, value } } = stage;
  const [pen, w, h] = sized(parts.whole.canvas, aspect(value.aspect), tallest());
  pen.drawImage(picture, 0, 0, w, h);
  const block = scene.blocks[scene.chosen];
  if (stage.region && scene.alike) {
    const { rows, columns } = scene.alike;
    const small = pixels(rows, columns, (at) => { const p = scene.alike.all[at]; return p > 0.5 ? [255, 140, 0, 90] : [8, 12, 20, 200 - 140 * p]; });
    pen.drawImage(small, 0, 0, w, h);
    const [py, px] = [scene.place[0] * h, scene.place[1] * w];
    outline(pen, px - 4, py - 4, 8, 8, '#ffffff', 2);
  } else {
    const { x, y, w: pw, h: ph } = part(block);
    pen.fillStyle = 'rgba(8, 12, 20, .55)';
    for (const box of [[0, 0, w, y * h], [0, (y + ph) * h, w, h], [0, y * h, x * w, ph * h], [(x + pw) * w, y * h, w, ph * h]]) pen.fillRect(...box);
    cells(pen, picture, block, Math.max(0, Math.min(scene.head + 1, block.figures.length - 1)), x * w, y * h, pw * w, ph * h);
    outline(pen, x * w + 1, y * h + 1, pw * w - 2, ph * h - 2, '#ffd166', 2);
  }
  parts.whole.canvas.setAttribute('aria-label', `The picture; the chosen patch is row ${block.token[0]}, column ${block.token[1]} of ${block.map[0]} by ${block.map[1]}; arrow keys choose another`);
}

function thumb(stage, node, block, head) {
  const { picture } = stage.tools;
  const { w, h } = part(block);
  const [pen, width, height] = sized(node, aspect((w * picture.naturalWidth) / (h * picture.naturalHeight)), 110);
  cells(pen, picture, block, head, 0, 0, width, height);
}

function card(row, press, caption, chosen, share) {
  const node = button('', press, 'gb-board-card');
  const canvas = make('canvas', '');
  node.setAttribute('aria-pressed', chosen);
  node.append(canvas, make('span', '', caption), make('span', '', `${Math.round(100 * share)} %`));
  row.append(node);
  return canvas;
}

function lists(stage) {
  const { scene, parts } = stage;
  const block = scene.blocks[scene.chosen];
  parts.blocks.replaceChildren();
  parts.heads.replaceChildren();
  const cards = scene.blocks.map((one, at) => {
    const moved = one.shift[0] + one.shift[1] > 0;
    const caption = `Stage ${one.stage + 1}·${one.block + 1}${moved ? ', shifted' : ''}`;
    return [card(parts.blocks, () => stage.tools.set({ map_block: at + 1 }), caption, at === scene.chosen, one.figures[0][2]), one, 0];
  });
  block.figures.forEach(([, , share], head) => {
    const caption = head ? `Head ${head}` : 'Mean';
    cards.push([card(parts.heads, () => stage.tools.set({ map_head: head }), caption, head === scene.head + 1, share), block, head]);
  });
  stage.paint = () => { for (const one of cards) thumb(stage, ...one); };
}

function tell(stage) {
  const { scene } = stage;
  const block = scene.blocks[scene.chosen];
  const [itself, support, share, padding] = block.figures[Math.min(scene.head + 1, block.figures.length - 1)];
  stage.note.textContent = [
    `${scene.name}, picture resized to ${scene.seen[1]} × ${scene.seen[0]} px.`,
    `Block ${block.stage + 1}·${block.block + 1}: map ${block.map[0]} × ${block.map[1]}, shift ${block.shift[0]}; the patch may look at ${block.inside[0]} × ${block.inside[1]} patches.`,
    `${scene.head < 0 ? 'The mean of the heads' : `Head ${scene.head + 1}`} gives ${number(itself)} to itself, ${number(itself * block.visible)} times equal weights${padding > 0.001 ? `; ${number(padding)} goes to padding` : ''}.`,
    `It looks at ${number(support)} of ${block.visible} places in effect: ${number(100 * share)} %.`,
  ].join(' ');
}

// the region instead of the attention, whose scale goes
function over(stage, region) {
  stage.region = region;
  stage.switch.setAttribute('aria-pressed', region);
  stage.bar.hidden = region;
}

function built(root) {
  const stage = { root, note: note(), bar: bar('times what equal weights would give') };
  stage.parts = { whole: panel('Click a patch'), blocks: make('div', 'gb-board-cards'), heads: make('div', 'gb-board-cards') };
  stage.switch = button('Its region, says the model', () => {
    over(stage, !stage.region);
    whole(stage);
    stage.tools.set({ region: stage.region });
  });
  stage.note.classList.add('gb-board-say');
  const tools = make('div', 'gb-stage-buttons'), side = make('div', 'gb-board-lists');
  const row = make('div', 'gb-board-model'), left = make('div', '');
  tools.append(stage.switch, pictureSwitch(() => { stage.paint(); whole(stage); }));
  side.append(make('h4', '', 'Every block, mean of its heads, and the share of the visible places that it looks at in effect'), stage.parts.blocks, make('h4', '', 'Heads of the chosen block'), stage.parts.heads);
  left.append(stage.parts.whole.figure, tools, stage.bar);
  row.append(left, side);
  root.replaceChildren(row, stage.note);
  const { canvas } = stage.parts.whole;
  const grid = () => {
    const { map } = stage.scene.blocks[stage.scene.chosen];
    return { rows: map[0], columns: map[1], token: stage.at, find: (event) => cell(event, canvas, ...map) };
  };
  reached(canvas, '');
  pointing(canvas, grid, (r, c) => {
    const { rows, columns } = grid();
    stage.at = [r, c];
    stage.tools.set({ y: (r + 0.5) / rows, x: (c + 0.5) / columns });
  });
  resized(canvas, () => { stage.paint(); whole(stage); });
  return stage;
}

export function model(root, scene, tools) {
  const before = root.gbModel;
  const stage = before || (root.gbModel = built(root));
  if (!before || !tools.old || stage.scene.chosen !== scene.chosen) stage.at = scene.blocks[scene.chosen].token;
  for (const block of scene.blocks) block.all = weights(block);
  if (scene.alike) scene.alike.all = weights(scene.alike);
  Object.assign(stage, { scene, tools });
  stage.switch.hidden = !scene.alike;
  over(stage, scene.region && Boolean(scene.alike));
  lists(stage);
  tell(stage);
  stage.paint();
  whole(stage);
}
model.follows = true;                      // a patch that was chosen since stays the one from which arrow keys go on
