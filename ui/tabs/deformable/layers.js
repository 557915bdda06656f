// The other stages of Deformable: 729 places of both networks on one picture, offsets that learn, and the table of conventions.
import { board, cells, cross, dot, line, outline, pixels, pointing, resized, sized } from '../../js/board.js';
import { bytes, cell, floats, make, note } from '../../js/maps.js';

const KINDS = [[107, 114, 128], [42, 127, 191], [213, 94, 0], [0, 158, 115], [204, 121, 167]];   // ground, and the marks' own colours
const NAMES = { deformable: 'Deformable layers', plain: 'Plain layers' };
const percent = (v) => `${(100 * v).toFixed(0)} %`;

// the pen of a canvas that is cleared and covered by a picture of cells, or by `photo` in its place and shape; [pen, device pixels of one cell]
export function covered(canvas, picture, photo) {
  const [pen, width] = sized(canvas, picture.width / picture.height);
  pen.imageSmoothingEnabled = Boolean(photo);
  pen.imageSmoothingQuality = 'high';
  pen.drawImage(photo || picture, 0, 0, canvas.width, canvas.height);
  pen.imageSmoothingEnabled = false;
  return [pen, width / picture.width];
}

const density = (canvas) => canvas.width / Math.max(1, canvas.clientWidth);

// --- three layers ---

function paintField({ scene, picture }, { canvas, field }) {
  const [pen, unit] = covered(canvas, scene, picture);                    // of what the networks saw
  const device = density(canvas);
  const columns = scene.width / 2;
  bytes(field.gradient).forEach((strength, i) => {
    if (strength < 3) return;
    pen.fillStyle = `rgba(255, 60, 0, ${0.75 * Math.sqrt(strength / 255)})`;
    pen.fillRect((i % columns) * 2 * unit, Math.floor(i / columns) * 2 * unit, 2 * unit, 2 * unit);
  });
  const places = floats(field.places);
  floats(field.weights).forEach((w, k) =>
    dot(pen, (places[2 * k + 1] + 0.5) * unit, (places[2 * k] + 0.5) * unit, (0.8 + 1.8 * w) * device, '#fff', 'rgba(0, 0, 0, .7)', 0.7 * device));
  const side = (2 * scene.reach + 1) * unit;
  outline(pen, (4 * scene.cell[1] - scene.reach) * unit, (4 * scene.cell[0] - scene.reach) * unit, side, side, '#ffd400', device);
  cross(pen, (4 * scene.cell[1] + 2) * unit, (4 * scene.cell[0] + 2) * unit, 7 * device);
}

function built(root) {
  const stage = { root, fields: [], maps: [] };
  const first = make('div', 'gb-twins'), second = make('div', 'gb-named');
  for (const name of ['deformable', 'plain']) {
    const found = board(NAMES[name], 'The picture: a click or arrow keys choose the output cell');
    const grid = () => {
      const [rows, columns] = [stage.scene.height / 4, stage.scene.width / 4];
      return { rows, columns, token: stage.place, find: (event) => cell(event, found.canvas, rows, columns) };
    };
    pointing(found.canvas, grid, (row, column) => {
      const { rows, columns } = grid();
      stage.place = [row, column];
      stage.tools.set({ at: [(row + 0.5) / rows, (column + 0.5) / columns].map((v) => Math.round(1000 * v) / 1000) });
    });
    stage.fields.push({ canvas: found.canvas, note: note() });
    found.figure.append(stage.fields.at(-1).note);
    first.append(found.figure);
  }
  for (const title of ['Truth', 'Named by the deformable layers', 'Named by the plain ones']) {
    stage.maps.push(board(title));
    second.append(stage.maps.at(-1).figure);
  }
  root.replaceChildren(first, second);
  resized(stage.fields[0].canvas, () => all(stage));
  return stage;
}

// without offsets many reads fall on the same place
function counted(places, spread) {
  const reads = places.length / 2;
  const distinct = new Set(Array.from({ length: reads }, (_, k) => `${places[2 * k].toFixed(2)} ${places[2 * k + 1].toFixed(2)}`)).size;
  if (distinct < reads) return `${reads} reads on ${distinct} places (dots), ${spread} px away (rms).`;
  return `${reads} places (dots), ${spread} px away (rms).`;
}

function sentence(scene, { here, places, spread, outside, inside, accuracy }) {
  return [
    scene.truth ? `Names this cell “${here}”.` : '',
    counted(floats(places), spread),
    `${percent(outside)} of the gradient (red) lies beyond the plain layers' square.`,
    inside === null ? '' : `${percent(inside)} of their weight lies on the cell's own thing.`,
    accuracy === null ? '' : `${percent(accuracy)} of the things' cells are named right.`,
  ].filter(Boolean).join(' ');
}

function all(stage) {
  const { scene } = stage;
  stage.fields.forEach((one, k) => {
    one.field = scene.fields[k];
    paintField(stage, one);
    one.note.textContent = sentence(scene, one.field);
  });
  const size = [scene.height / 4, scene.width / 4];
  [scene.truth, ...scene.fields.map((f) => f.named)].forEach((packed, k) => {
    stage.maps[k].figure.hidden = !scene.truth;
    if (!scene.truth) return;
    const kinds = bytes(packed);
    covered(stage.maps[k].canvas, pixels(...size, (at) => KINDS[kinds[at]]));
  });
  stage.root.dataset.cell = scene.cell.join(' ');
}

export function stack(root, scene, tools) {
  const stage = root.gbStack || (root.gbStack = built(root));
  if (!tools.old || !stage.scene) stage.place = scene.cell;
  const photo = scene.photo ? cells(scene.photo, scene.height, scene.width) : tools.picture;
  Object.assign(stage, { scene, tools, picture: photo });
  all(stage);
}
stack.follows = true;

// --- offsets that learn ---

function paintFit({ scene, canvas, picture }) {
  const [pen, unit] = covered(canvas, picture, picture);
  const device = density(canvas);
  const place = ([y, x]) => [(x + 0.5) * unit, (y + 0.5) * unit];
  scene.points.forEach((p, k) => {
    line(pen, place(scene.ghost[k]), place(p), 'rgba(255, 255, 255, .9)', 1.5 * device);
    dot(pen, ...place(scene.ghost[k]), 3 * device, '', '#fff', 1.5 * device);
    dot(pen, ...place(scene.goal[k]), 8 * device, '', '#2fd07f', 2.5 * device);
    dot(pen, ...place(p), 4.5 * device, '#ffd400', '#000', 1.5 * device);
  });
  cross(pen, ...place(scene.start), 6 * device);
}

export function fit(root, scene) {
  if (!root.gbFit) {
    const { figure, canvas } = board('Yellow: the taps; rings: where they began (white) and where the true turn would put them (green)', '', 'gb-fit');
    root.gbFit = { canvas, note: make('p', 'gb-note') };
    figure.append(root.gbFit.note);
    root.replaceChildren(figure);
    resized(canvas, () => paintFit(root.gbFit));
  }
  const stage = Object.assign(root.gbFit, { scene, picture: cells(scene.map, scene.rows, scene.columns) });
  root.dataset.step = scene.step;
  stage.note.textContent = `Step ${scene.step - 1} of ${scene.plan}: the taps are ${scene.error} cells from the true places (rms); their gradient has the norm ${scene.gradient}.`;
  paintFit(stage);
}

export function conventions(root, scene) {
  const table = make('table', 'gb-habits');
  const row = (values, tag) => {
    const made = make('tr', '');
    made.append(...values.map((text, k) => make(k ? tag : 'th', '', text)));
    return made;
  };
  const head = make('thead', ''), rows = make('tbody', '');
  head.append(row(scene.columns, 'th'));
  rows.append(...scene.rows.map((values) => row(values, 'td')));
  table.append(head, rows);
  const frame = make('div', 'gb-habits-frame');
  frame.tabIndex = 0;
  frame.append(table);
  root.replaceChildren(frame);
}
