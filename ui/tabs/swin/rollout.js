// Rollout: over which patches of the picture one patch of a block is spread, were attention all that happens; the same for equal weights in
// the same windows, and the ratio of both, which is what attention itself does.
import { outline, pixels, pointing, reached, resized, sized } from '../../js/board.js';
import { button, bytes, cell, make, note, number, panel } from '../../js/maps.js';
import { aspect, bar, ground, pictureSwitch, tallest, tint } from './scale.js';

const CAPTIONS = ['Rollout of the chosen patch', 'Equal weights, the same windows', 'Rollout over equal weights: what attention does'];
const UNSEEN = [8, 12, 20, 190];

// one pixel a patch, of a logarithmic byte: 0 is nothing at all
function map({ scene }, text) {
  const levels = bytes(text);
  return pixels(scene.rows, scene.columns, (at) => (levels[at] ? tint(2 ** ((levels[at] - 128) / 127 * scene.octaves)) : UNSEEN));
}

function paint(stage) {
  const { scene, tools: { picture, value } } = stage;
  stage.panels.forEach(({ canvas }, k) => {
    const [pen, w, h] = sized(canvas, aspect(value.aspect), tallest());
    ground(pen, picture, [0, 0, picture.naturalWidth, picture.naturalHeight], [0, 0, w, h]);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(stage.maps[k], 0, 0, w, h);
    const [rows, columns] = scene.size;
    outline(pen, scene.token[1] * w / columns, scene.token[0] * h / rows, w / columns, h / rows, '#ffffff', 1.5);
    canvas.setAttribute('aria-label', `${CAPTIONS[k]}; the chosen patch is row ${scene.token[0]}, column ${scene.token[1]} of ${rows} by ${columns}; arrow keys choose another`);
  });
}

function built(root) {
  const stage = { root, panels: CAPTIONS.map((text) => panel(text)), blocks: make('div', 'gb-stage-buttons'), note: note() };
  const row = make('div', 'gb-board-panels gb-rollout'), tools = make('div', 'gb-swin-bar');
  row.dataset.twin = '';
  row.append(...stage.panels.map((one) => one.figure));
  tools.append(pictureSwitch(() => paint(stage)), bar('times the mean of all patches reached; in the third picture, times equal weights'));
  stage.blocks.setAttribute('role', 'group');
  stage.blocks.setAttribute('aria-label', 'Block from which the rollout starts');
  stage.note.classList.add('gb-board-say');
  root.replaceChildren(stage.blocks, row, tools, stage.note);
  for (const { canvas } of stage.panels) {
    reached(canvas, '');
    const grid = () => ({ rows: stage.scene.size[0], columns: stage.scene.size[1], token: stage.at, find: (event) => cell(event, canvas, ...stage.scene.size) });
    pointing(canvas, grid, (r, c) => {
      stage.at = [r, c];
      stage.tools.set({ y: (r + 0.5) / stage.scene.size[0], x: (c + 0.5) / stage.scene.size[1] });
    });
  }
  resized(stage.panels[0].canvas, () => paint(stage));
  return stage;
}

export function rollout(root, scene, tools) {
  const stage = root.gbRollout || (root.gbRollout = built(root));
  Object.assign(stage, { scene, tools, maps: [] });
  stage.maps = scene.maps.map((text) => map(stage, text));
  if (!tools.old || !stage.at) stage.at = scene.token;
  stage.blocks.replaceChildren(...scene.blocks.map(([k, block], at) => {
    const node = button(`Block ${k + 1}·${block + 1}`, () => stage.tools.set({ map_block: at + 1 }));
    node.setAttribute('aria-pressed', at === scene.chosen);
    return node;
  }));
  const [all, support, even, moved, padding] = scene.flow;
  const [k, block] = scene.blocks[scene.chosen];
  stage.note.textContent = [
    `Through the windows of block ${k + 1}·${block + 1} and all before it, the chosen patch depends on ${all} of ${scene.rows * scene.columns} patches.`,
    `Its rollout is spread over ${number(support)} of them in effect, that of equal weights over ${number(even)}.`,
    `Attention moves ${number(100 * moved)} % of the weight; the rest of this map is geometry${padding > 0.001 ? `, and ${number(100 * padding)} % goes to padding` : ''}.`,
  ].join(' ');
  paint(stage);
}
rollout.follows = true;
