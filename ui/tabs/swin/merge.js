// The pyramid of patch merging: every stage's tokens on the picture, and the order of four neighbours.
import { line, outline, pointing, reached, resized, sized } from '../../js/board.js';
import { cell, make, note, panel } from '../../js/maps.js';
import { aspect, tallest } from './scale.js';
import { HUES } from './tokens.js';

function stageMap(stage, one, canvas, covers) {
  const { scene, tools: { picture, value } } = stage;
  const base = scene.stages[0];
  const [pen, w, h] = sized(canvas, aspect(value.aspect), tallest());
  pen.drawImage(picture, 0, 0, w, h);
  const [cw, ch] = [w / base.columns * covers, h / base.rows * covers];
  const token = scene.token.map((v) => Math.floor(v / covers));
  pen.fillStyle = 'rgba(8, 12, 20, .5)';
  pen.fillRect(0, 0, w, h);
  const draw = (r, c) => {
    const [x, y] = [c * cw, r * ch];
    pen.drawImage(picture, x / w * picture.naturalWidth, y / h * picture.naturalHeight, Math.min(cw, w - x) / w * picture.naturalWidth, Math.min(ch, h - y) / h * picture.naturalHeight, x, y, Math.min(cw, w - x), Math.min(ch, h - y));
  };
  draw(...token);
  const rule = (from, to) => line(pen, from, to, 'rgba(255, 255, 255, .45)', 1);
  for (let r = 1; r < one.rows; r += 1) rule([0, r * ch], [w, r * ch]);
  for (let c = 1; c < one.columns; c += 1) rule([c * cw, 0], [c * cw, h]);
  if (covers > 1) {
    scene.order.forEach(([dr, dc], k) => {
      const [x, y] = [token[1] * cw + dc * cw / 2, token[0] * ch + dr * ch / 2];
      if (x >= w || y >= h) return;
      pen.globalAlpha = 0.45;
      pen.fillStyle = HUES[k];
      pen.fillRect(x, y, Math.min(cw / 2, w - x), Math.min(ch / 2, h - y));
      pen.globalAlpha = 1;
      pen.fillStyle = '#ffffff';
      const [seenW, seenH] = [Math.min(cw / 2, w - x), Math.min(ch / 2, h - y)];
      pen.font = `600 ${Math.round(Math.max(11, Math.min(seenW, seenH, 60) * 0.6))}px sans-serif`;
      pen.textAlign = 'center';
      pen.textBaseline = 'middle';
      pen.fillText(k + 1, x + seenW / 2, y + seenH / 2);
    });
  }
  outline(pen, token[1] * cw, token[0] * ch, Math.min(cw, w - token[1] * cw), Math.min(ch, h - token[0] * ch), '#ffffff', 2);
}

function caption(one, k) {
  const shift = one.shift[0] || one.shift[1];
  const zeros = one.padded[0] + one.padded[1];
  return `Stage ${k + 1}: ${one.rows} × ${one.columns} tokens of ${one.pixels} px, ${one.channels} channels; ${one.windows} window${one.windows > 1 ? 's' : ''}, ${shift ? `shift ${shift}` : 'no shift'}${zeros ? '; zeros were added to make it even' : ''}`;
}

function paint(stage) {
  stage.scene.stages.forEach((one, k) => stageMap(stage, one, stage.panels[k].canvas, 2 ** k));
}

function stagePanel(stage, k) {
  const made = panel('');
  const grid = () => {
    const { rows, columns } = stage.scene.stages[0];
    return { rows, columns, token: stage.scene.token, find: (event) => cell(event, made.canvas, rows, columns) };
  };
  reached(made.canvas, '');
  pointing(made.canvas, grid, (r, c) => {
    const { rows, columns } = grid();
    stage.scene.token = [r, c];
    paint(stage);
    stage.tools.set({ y: (r + 0.5) / rows, x: (c + 0.5) / columns });
  });
  if (k === 0) resized(made.canvas, () => paint(stage));
  return made;
}

export function merge(root, scene, tools) {
  const stage = root.gbMerge || (root.gbMerge = { panels: [], row: make('div', 'gb-board-pyramid'), note: note() });
  Object.assign(stage, { scene, tools });
  if (stage.panels.length !== scene.stages.length) {
    stage.panels = scene.stages.map((_, k) => stagePanel(stage, k));
    stage.row.replaceChildren(...stage.panels.map((one) => one.figure));
    stage.note.classList.add('gb-board-say');
    root.replaceChildren(stage.row, stage.note);
  }
  scene.stages.forEach((one, k) => {
    stage.panels[k].caption.textContent = caption(one, k);
    stage.panels[k].canvas.setAttribute('aria-label', `Stage ${k + 1}: ${one.rows} by ${one.columns} tokens; arrow keys move the token of the first stage`);
  });
  paint(stage);
  const names = (order) => order.map((pair) => `(${pair.join(', ')})`).join(' ');
  stage.note.textContent = `Four neighbours become one token: concatenated as ${names(scene.order)} (row, column), down before across; pixel_unshuffle would give ${names(scene.unshuffle)}.`;
}
