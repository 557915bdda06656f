// The RoPE tab's stages: clock faces, and maps of effective distance. Scenes are the dicts of figures.py.
import { make } from '../../js/maps.js';
import { distance } from './distance.js';

const STATES = {
  safe: ['✓', 'safe: every angle was trained'],
  stretched: ['!', 'stretched: beyond the trained arc'],
  squeezed: ['≈', 'squeezed: slowed down without need'],
};
const TURN = 2 * Math.PI;

function svg(tag, attributes) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

// an arc clockwise from twelve o'clock; a whole circle from one turn on
function arc(radius, angle, className) {
  if (angle >= TURN) return svg('circle', { cx: 30, cy: 30, r: radius, class: className });
  const end = [30 + radius * Math.sin(angle), 30 - radius * Math.cos(angle)].map((v) => v.toFixed(2));
  const path = `M30 ${30 - radius} A${radius} ${radius} 0 ${angle > Math.PI ? 1 : 0} 1 ${end.join(' ')}`;
  return svg('path', { d: path, class: className });
}

const number = (v) => (v >= 10 ? v.toFixed(0) : v >= 1 ? v.toFixed(1) : v >= 0.005 ? v.toFixed(2) : '<0.01');

function face(pair, { arc: tested, state }) {
  const node = make('figure', 'gb-face');
  node.dataset.state = state;
  const picture = svg('svg', { viewBox: '0 0 60 60', 'aria-hidden': 'true' });
  const rims = [26, 18].map((r) => svg('circle', { cx: 30, cy: 30, r, class: 'gb-rim' }));
  const mark = svg('text', { x: 30, y: 36, 'text-anchor': 'middle' });
  mark.textContent = STATES[state][0];
  picture.append(...rims, arc(26, tested, 'gb-tested'), arc(18, pair.arc, 'gb-trained'), mark);
  const turns = [number(pair.turns), number(tested / TURN)];
  node.title = `pair ${pair.pair}, wavelength ${number(pair.wave)} tokens: `
    + `${turns[0]} turns trained, ${turns[1]} tested, ${STATES[state][1]}`;
  node.setAttribute('role', 'img');
  node.setAttribute('aria-label', node.title);
  node.append(picture, make('figcaption', '', turns.join(' → ')));
  return node;
}

// where a pair and a wavelength stand in a drawing of this width, both lengths on a logarithmic axis
function axes(scene, width) {
  const [height, left, right, top, bottom] = [240, 46, 12, 10, 34];
  const every = scene.waves.flatMap((one) => one.wave).concat(scene.trained, scene.target);
  const low = Math.floor(Math.log10(Math.min(...every)));
  const high = Math.ceil(Math.log10(Math.max(...every)));
  const x = (pair) => left + (pair / Math.max(1, scene.all - 1)) * (width - left - right);
  const y = (wave) => top + ((high - Math.log10(wave)) / (high - low)) * (height - top - bottom);
  return { width, height, left, end: width - right, top, low, high, x, y };
}

function waves(scene, at) {
  const picture = svg('svg', { viewBox: `0 0 ${at.width} ${at.height}`, class: 'gb-waves', role: 'img' });
  picture.setAttribute('aria-label', 'wavelength of every pair, tokens a turn');
  const across = (y, className) => svg('line', { x1: at.left, x2: at.end, y1: y, y2: y, class: className });
  const say = (x, y, said, anchor, className = '') => {
    const node = svg('text', { x, y, 'text-anchor': anchor, class: className });
    node.textContent = said;
    picture.append(node);
  };
  const { left, top, low, high, x, y } = at;
  const untrained = Math.max(0, y(scene.trained) - top);
  picture.append(svg('rect', { x: left, y: top, width: at.end - left, height: untrained, class: 'gb-unfinished' }));
  for (let power = low; power <= high; power += 1) {
    picture.append(across(y(10 ** power), 'gb-grid'));
    const shown = power >= 0 && (high - low < 9 || power % 2 === 0);
    if (shown) say(left - 6, y(10 ** power) + 4, power < 4 ? String(10 ** power) : `1e${power}`, 'end');
  }
  for (const one of scene.waves) {
    const points = one.wave.map((wave, pair) => [x(pair).toFixed(1), y(wave).toFixed(1)]);
    picture.append(svg('polyline', { points: points.join(' '), style: `stroke: ${one.colour}` }));
    const dots = points.length <= 64 ? points : [];
    picture.append(...dots.map(([cx, cy]) => svg('circle', { cx, cy, r: 2.5, style: `fill: ${one.colour}` })));
  }
  picture.append(across(y(scene.trained), 'gb-length'), across(y(scene.target), 'gb-length gb-later'));
  say(left + 6, y(scene.trained) - 5, `trained, ${scene.trained}`, 'start', 'gb-said');
  const apart = scene.target > scene.trained * 1.5;
  if (apart) say(left + 6, y(scene.target) - 5, `target, ${scene.target}`, 'start', 'gb-said');
  const marked = new Set([0, Math.floor((scene.all - 1) / 2), scene.all - 1]);
  for (const pair of marked) say(x(pair), at.height - 18, String(pair), 'middle');
  say((left + at.end) / 2, at.height - 3, 'pair', 'middle');
  return picture;
}

// a mark and what it stands for
function entry(mark, ...said) {
  const node = make('span', 'gb-state');
  node.append(make('b', '', mark), ...said.map((text) => make('span', '', text)));
  return node;
}

function wavelengths(root, scene) {
  const key = make('p', 'gb-clock-states');
  for (const { labels, colour } of scene.waves) {
    const one = entry('●', ...labels);
    one.querySelector('b').style.color = colour;
    key.append(one);
  }
  const title = make('h4', 'gb-waves-title', 'Wavelength of every pair: tokens that one turn takes');
  const note = make('p', 'gb-note', 'Shaded: longer than the trained length, so a pair there never completed a turn in '
    + 'training. Methods that change frequencies lift the curve; the others leave it alone.');
  return [title, key, waves(scene, axes(scene, Math.max(300, root.clientWidth || 700))), note];
}

function clocks(root, scene) {
  const some = scene.all > scene.pairs.length ? `; ${scene.pairs.length} of ${scene.all} are drawn` : '';
  const legend = make('p', 'gb-note', `One clock a pair, fastest first${some}. Inner ring: the arc trained `
    + `on ${scene.trained} tokens. Outer ring: the arc that ${scene.target} tokens need. `
    + 'Below: turns, trained → tested.');
  const states = make('p', 'gb-clock-states');
  for (const [name, [mark, said]] of Object.entries(STATES)) {
    const one = entry(mark, said);
    one.dataset.state = name;
    states.append(one);
  }
  const rows = scene.rows.map((row) => {
    const line = make('section', 'gb-clock-row');
    const faces = make('div', 'gb-faces');
    faces.append(...row.faces.map((one, k) => face(scene.pairs[k], one)));
    line.append(make('h4', '', row.label), faces);
    return line;
  });
  root.replaceChildren(legend, states, ...rows, ...wavelengths(root, scene));
}

export const stages = { clocks, distance };
