// Layers that learned on photographs: where they read for a click, before and after they learned, and both networks' masks.
import { board, cross, dot, pointing, resized } from '../../js/board.js';
import { bytes, cell, floats, make, note } from '../../js/maps.js';
import { covered } from './layers.js';

const COLOURS = ['#ffd400', '#ff4f9a'];    // of the two levels
const CELL = 8;                            // px
const TITLES = ['Before they learned', 'After'], MASKS = ['The mask that follows from what was read', 'Of the plain twin'];

function paintLook({ scene, tools }, { canvas, look }) {
  const [pen, unit] = covered(canvas, scene, tools.picture);
  const device = canvas.width / Math.max(1, canvas.clientWidth);
  const at = floats(look.at), level = bytes(look.level), weight = floats(look.weight);
  const most = Math.max(...weight);
  weight.forEach((w, k) =>
    dot(pen, (at[2 * k + 1] + 0.5) * unit, (at[2 * k] + 0.5) * unit, (1.5 + 4 * Math.sqrt(w / most)) * device, COLOURS[level[k]], 'rgba(0, 0, 0, .85)', device));
  cross(pen, (scene.cell[1] + 0.5) * CELL * unit, (scene.cell[0] + 0.5) * CELL * unit, 8 * device);
}

// what the mask leaves out is dimmed
function paintMask({ scene, tools }, { canvas, mask }) {
  const [pen, unit] = covered(canvas, scene, tools.picture);
  const edge = (cells) => Math.round(cells * CELL * unit);              // whole pixels: no seams, nothing dimmed twice
  bytes(mask).forEach((inside, k) => {
    const [row, column] = [Math.floor(k / scene.columns), k % scene.columns];
    pen.fillStyle = `rgba(15, 20, 30, ${0.8 * (1 - inside / 255)})`;
    pen.fillRect(edge(column), edge(row), edge(column + 1) - edge(column), edge(row + 1) - edge(row));
  });
}

function built(root) {
  const stage = { root, looks: [], masks: [] };
  const first = make('div', 'gb-twins'), second = make('div', 'gb-twins');
  for (const title of TITLES) {
    const found = board(title, 'The picture: a click or arrow keys choose the thing');
    const grid = () => ({ rows: stage.scene.rows, columns: stage.scene.columns, token: stage.place,
      find: (event) => cell(event, found.canvas, stage.scene.rows, stage.scene.columns) });
    pointing(found.canvas, grid, (row, column) => {
      stage.place = [row, column];
      stage.tools.set({ at: [(row + 0.5) / stage.scene.rows, (column + 0.5) / stage.scene.columns].map((v) => Math.round(1000 * v) / 1000) });
    });
    stage.looks.push({ canvas: found.canvas, note: note() });
    found.figure.append(stage.looks.at(-1).note);
    first.append(found.figure);
  }
  for (const title of MASKS) {
    const found = board(title);
    stage.masks.push({ canvas: found.canvas });
    second.append(found.figure);
  }
  root.replaceChildren(first, second);
  resized(stage.looks[0].canvas, () => all(stage));
  return stage;
}

function all(stage) {
  const { scene } = stage;
  [scene.before, scene.after].forEach((look, k) => {
    const one = Object.assign(stage.looks[k], { look });
    paintLook(stage, one);
    const inside = look.inside === null ? '' : ` ${Math.round(100 * look.inside)} % of their weight lies on the clicked thing.`;
    one.note.textContent = `${floats(look.weight).length} places, ${look.spread} px away (rms).${inside}`;
  });
  [scene.mask, scene.twin].forEach((mask, k) => paintMask(stage, Object.assign(stage.masks[k], { mask })));
  stage.root.dataset.cell = scene.cell.join(' ');
}

export function photo(root, scene, tools) {
  const stage = root.gbPhoto || (root.gbPhoto = built(root));
  if (!tools.old || !stage.scene) stage.place = scene.cell;
  Object.assign(stage, { scene, tools });
  all(stage);
}
photo.follows = true;
