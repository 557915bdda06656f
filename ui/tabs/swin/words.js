// What the main stage says in words: the step, a token under the pointer, a pair of the window.
import { number } from '../../js/maps.js';
import { spread } from './scale.js';

const percent = (v) => `${number(100 * v)} %`;
const named = (scene, token) => `(${Math.floor(token / scene.columns)}, ${token % scene.columns})`;

const TELL = {
  picture: ({ scene }) => `${scene.rows} × ${scene.columns} tokens of the picture. Click one, or move with the arrow keys; everything follows it.`,
  roll: ({ scene }) => (scene.shift[0] + scene.shift[1]
    ? `The map is rolled by (−${scene.shift[0]}, −${scene.shift[1]}): its first ${scene.shift[0]} rows go to the bottom, its first ${scene.shift[1]} columns to the right.`
    : 'No shift, so nothing is rolled.'),
  pad: ({ scene, map }) => `The window does not divide the map: ${map.ph - scene.rows} rows and ${map.pw - scene.columns} columns of zeros are added, ${scene.order === 'timm' ? 'after the roll, at the end of the rolled map (timm)' : 'before the roll'}. Nothing masks them.`,
  windows: ({ scene, map, chosen }) => `Cut into ${map.ph / map.mh} × ${map.across} windows of ${map.mh} × ${map.mw}. Token ${named(scene, chosen.token)} is in window ${chosen.cell.window}: place ${chosen.cell.inner} of ${map.n}.`,
  regions: ({ scene, map, chosen }) => {
    const kinds = new Set(map.members[chosen.cell.window].map((cell) => cell.region)).size;
    return `Slices at −M and −s number the regions. This window holds ${kinds} of ${new Set(scene.region).size}: ${kinds > 1 ? 'the roll put together what is not neighbours' : 'nothing strange came in'}.`;
  },
  mask: ({ scene, map, chosen }) => `Token ${named(scene, chosen.token)} may look at ${chosen.partners.length} tokens of the ${map.n} places in its window${scene.masked ? ': those of its own region' : ', as the mask is off'}. Of all pairs ${percent(scene.blocked)} are blocked${scene.through ? `; still ${scene.through} pairs of strangers get through` : ''}.`,
  attention: ({ scene, chosen }) => `Softmax over the window${scene.masked ? ', −100 on blocked pairs' : ', nothing blocked'}: most goes to ${named(scene, best(chosen))}: ${number(chosen.row[at(chosen)])}, ${number(chosen.row[at(chosen)] * chosen.visible)} times equal weights. In effect it looks at ${number(spread(chosen.row))} of ${chosen.visible} places (${percent(spread(chosen.row) / chosen.visible)}).${padding(chosen) > 1e-3 ? ` Padding gets ${percent(padding(chosen))}.` : ''} All tokens and heads give strangers ${scene.leak < 1e-6 ? 'nothing worth showing' : percent(scene.leak)} on average.`,
  back: ({ scene, chosen }) => `Rolled back: every token stands where it was, and its ${chosen.partners.length} partners ${scene.masked ? 'lie around it, on one side of every seam' : 'lie wherever the roll took them from'}.`,
};

// the cell of the window that gets most, and its place there
const top = ({ cell, partners, row }) => partners.reduce((a, b) => (row[b.inner] > row[a.inner] ? b : a), partners[0] || cell);
const padding = ({ members, row }) => members.reduce((sum, cell) => sum + (cell.token < 0 ? row[cell.inner] : 0), 0);
const best = (chosen) => top(chosen).token;
const at = (chosen) => top(chosen).inner;

const LAID = {
  layers: ({ overlay }, at) => { const k = overlay.first[at]; return k ? `reached after ${k} block${k > 1 ? 's' : ''}` : 'not reached'; },
  share: ({ overlay }, at) => `gives ${percent(overlay.values[at])} to strangers without the mask`,
  difference: ({ overlay }, at) => `outputs differ by ${number(overlay.values[at])}`,
};

const KEY = {
  layers: ({ overlay }) => `Over the picture: the tokens that the chosen one depends on after 1 block (yellow) to ${overlay.depth} (dark).`,
  share: () => 'Over the picture, without the mask: the warmer a token, the more it gives to strangers.',
  difference: ({ overlay }) => (overlay.largest < 1e-5 ? 'Here the outputs of the two conventions are the same.'
    : `Over the picture: how much the outputs of the two conventions differ, up to ${number(overlay.largest)}, where outputs have a root mean square of ${number(overlay.scale)}.`),
};

// the step, or the token under the pointer
export function tell(stage, cell) {
  const { scene, chosen } = stage;
  if (!cell) {
    const key = scene.overlay ? KEY[scene.overlay.kind](scene) : '';
    stage.note.textContent = `${TELL[stage.step](stage)} ${key}`.trim();
    return;
  }
  const laid = scene.overlay ? LAID[scene.overlay.kind](scene, cell.token) : '';
  const mine = cell.window === chosen.cell.window;
  const sees = !mine ? 'another window' : chosen.sees(cell) ? `may be seen, weight ${number(chosen.row[cell.inner])}, ${number(chosen.row[cell.inner] * chosen.visible)} times equal weights` : 'blocked: another region';
  stage.note.textContent = `Token ${named(scene, cell.token)}: at (${cell.r}, ${cell.c}) after the roll, window ${cell.window}, region ${cell.region}; ${laid || sees}.`;
}

export function pair(stage, [i, j]) {
  const { scene, map, chosen } = stage;
  const [a, b] = [i, j].map((k) => map.members[chosen.cell.window][k]);
  const name = (cell) => (cell.token < 0 ? '∅' : named(scene, cell.token));
  const weight = map.weights[(chosen.cell.window * map.n + i) * map.n + j];
  const open = !scene.masked || a.region === b.region;
  const strange = a.token >= 0 && b.token >= 0 && scene.crossed[a.at] !== scene.crossed[b.at];
  const why = strange ? 'side by side only because of the roll' : 'on the same side of the seam';
  stage.note.textContent = `Query ${name(a)}, key ${name(b)}: ${why}, ${open ? `allowed, weight ${number(weight)}` : 'blocked'}.`;
}
