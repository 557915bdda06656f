// Cards of attention maps side by side. Pointing at a cell of one map points at it on all of them; a click holds it, Escape lets go, arrow
// keys move it. Everything here happens in the browser: the server is asked for new maps only.
import { BAD, bars, button, cell, largest, legend, make, number, paint, unpack } from '../../js/maps.js';

const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
const METRICS = [
  ['entropy', 'Entropy, nats'], ['support', 'Effective keys'], ['top1', 'Top-1 weight'], ['sink', 'On key 0'], ['locality', 'Within r'],
  ['rank', 'Rank'], ['error', 'Error to softmax'],
];

// A token in a sentence that is translated: a sign that nobody sees keeps a word of the user's from being taken for one of ours.
export const named = (label) => (label.length > 2 ? `\u2060${label}` : label);

// an element with the user's own text
const own = (tag, className, text) => Object.assign(make(tag, className, text), { translate: false });

function map(state, view, extra) {
  const frame = make('div', 'gb-map' + extra);
  const canvas = make('canvas', '');
  canvas.tabIndex = 0;
  canvas.setAttribute('role', 'img');
  const [ticks, across, down] = [make('canvas', 'gb-ticks'), make('div', 'gb-across'), make('div', 'gb-down')];
  frame.append(canvas, ticks, across, down);
  listen(state, view, canvas);
  return { frame, canvas, ticks, across, down };
}

function scale() {
  const line = make('div', 'gb-scale');
  line.append(make('span', ''), make('canvas', ''), make('span', ''));
  return line;
}

function card(state, kind) {
  const view = { kind, root: make('article', 'gb-card'), title: make('h4', ''), badges: make('div', 'gb-badges'), cell: make('p', 'gb-cell') };
  view.cell.append('', make('small', ''));
  view.map = map(state, view, '');
  view.profile = make('canvas', 'gb-profile');
  view.scale = scale();
  view.beneath = make('div', 'gb-beneath');
  view.word = make('p', 'gb-cell');
  view.diff = map(state, view, ' gb-diff');
  view.diffScale = scale();
  view.beneath.append(view.word, view.diff.frame, view.diffScale);
  view.metrics = make('dl', 'gb-metrics');
  view.about = make('details', 'gb-about');
  view.note = make('p', '');
  view.about.append(make('summary', '', 'What it is'), view.note,
    button('Matrix as CSV', () => state.tools.say({ kind: 'rows', format: 'csv', of: kind }), 'gb-matrix'));
  view.root.append(view.title, view.badges, view.map.frame, view.scale, view.cell, view.profile, view.beneath, view.metrics, view.about);
  view.root.dataset.kind = kind;
  return view;
}

function badge(text, verdict, title = '') {
  const node = make('span', 'gb-badge', text);
  node.dataset.state = verdict;
  node.title = title;
  return node;
}

function badges(one, scene) {
  const found = [];
  if (!scene.causal) found.push(badge('sees all', 'plain'));
  else if (one.causal) found.push(badge('causal', 'plain'));
  else found.push(badge('sees the future', 'bad', 'Its weights reach tokens that come later.'));
  const sound = one.residual !== null && one.residual < 1e-5;
  found.push(badge(`A·V − y: ${number(one.residual)}`, sound ? 'plain' : 'bad',
    'Norm of A·V minus the output of the fast path, over the norm of that output.'));
  const bad = one.bad.length;
  if (bad) {
    found.push(badge(`${bad} bad row${bad > 1 ? 's' : ''}`, 'bad',
      `${bad} of ${scene.n} rows have no positive, finite sum; they are marked red at the left edge of the map.`));
  }
  return found;
}

function metrics(one, scene) {
  const m = one.metrics;
  return METRICS.flatMap(([name, words]) => {
    const term = make('dt', '', name === 'locality' ? `Within r = ${scene.radius}` : words);
    const value = make('dd', '', number(m[name] ?? null));
    if (name === 'error' && (m.error_low ?? null) !== null && m.error_low !== m.error_high) {
      value.append(make('small', '', ` ${number(m.error_low)}–${number(m.error_high)}`));
      value.title = 'lowest and highest over random draws';
    }
    return [term, value];
  });
}

function ticks(canvas, one, n) {
  canvas.width = 1;
  canvas.height = n;
  const pen = canvas.getContext('2d');
  pen.fillStyle = BAD;
  for (const i of one.bad) pen.fillRect(0, i, 1, 1);
}

// values of every card, and their differences to softmax where softmax is there
function fill(state) {
  const { scene } = state;
  scene.cards.forEach((one) => { state.views.get(one.kind).values = unpack(one, scene.n); });
  const reference = scene.cards.find((one) => one.kind === 'softmax');
  for (const one of scene.cards) {
    const view = state.views.get(one.kind);
    view.card = one;
    view.delta = reference && one !== reference ? view.values.map((v, at) => v - state.views.get('softmax').values[at]) : null;
    view.reach = view.delta ? largest(view.delta) : 0;
    view.triangle = one.triangle && (!reference || reference.triangle);
    view.title.textContent = one.label;
    view.badges.replaceChildren(...badges(one, scene));
    view.metrics.replaceChildren(...metrics(one, scene));
    view.note.textContent = one.note;
    ticks(view.map.ticks, one, scene.n);
    view.diff.frame.hidden = view.diffScale.hidden = !view.delta;
    const name = `${one.label}: ${scene.n} queries by ${scene.n} keys`;
    view.map.canvas.setAttribute('aria-label', `Weights of ${name}; arrow keys move the cell, Enter holds it`);
    view.diff.canvas.setAttribute('aria-label', `Difference to softmax of ${name}; arrow keys move the cell, Enter holds it`);
  }
}

function colour(state) {
  const { n, cards: all } = state.scene;
  const views = all.map((one) => state.views.get(one.kind));
  const top = Math.max(...all.map((one) => one.bound));
  const apart = Math.max(...views.map((view) => view.reach));
  for (const view of views) {
    const signed = view.card.signs !== '';
    const bound = state.shared ? top : view.card.bound;
    paint(view.map.canvas, view.values, n, n, { bound, signed, triangle: view.card.triangle });
    mark(view.scale, signed ? `−${number(bound)}` : '0', number(bound), signed);
    if (!view.delta || !state.diff) continue;
    const reach = state.shared ? apart : view.reach;
    paint(view.diff.canvas, view.delta, n, n, { bound: reach, signed: true, triangle: view.triangle });
    mark(view.diffScale, `−${number(reach)}`, number(reach), true);
  }
}

function mark(line, low, high, signed) {
  line.firstChild.textContent = low;
  line.lastChild.textContent = high;
  legend(line.children[1], signed);
}

// the text with the query framed and every key shaded by its weight in the active card's row
function tokens(state, shade) {
  const { scene, strip, at } = state;
  const key = scene.labels.join('\u0000');
  if (strip.dataset.key !== key) {
    strip.replaceChildren(...scene.pieces.map((piece) => make('span', '', piece)));
    strip.dataset.key = key;
    strip.dataset.numbered = scene.labels.every((label, i) => label === `q${i}`);
    state.spans = [...strip.querySelectorAll('span')];
  }
  if (shade) {
    const view = state.views.get(state.active);
    const row = view.values.subarray(at[0] * scene.n, (at[0] + 1) * scene.n);
    const top = largest(row) || 1;
    state.spans.forEach((span, k) => span.style.setProperty('--w', `${Math.round((60 * (Math.abs(row[k]) || 0)) / top)}%`));
  }
  for (const span of state.marked || []) span.className = '';
  state.marked = [state.spans[at[1]], state.spans[at[0]]];
  state.marked[0].className = 'gb-key';
  state.marked[1].className += ' gb-query';
}

// what follows the query alone: the bars under each map
function profiles(state, views) {
  const { scene, root } = state;
  const from = state.at[0] * scene.n;
  const ink = getComputedStyle(root).getPropertyValue('--gb-accent');
  for (const view of views) view.top = largest(view.values.subarray(from, from + scene.n));
  const highest = Math.max(...views.map((view) => view.top));
  for (const view of views) {
    const bound = state.shared ? highest : view.top;
    bars(view.profile, view.values, from, scene.n, { bound, signed: view.card.signs !== '', colour: ink });
  }
}

// everything that follows the pointed cell; `anew` when maps or colours changed under it
function point(state, anew) {
  const { scene, at, root } = state;
  const [i, j] = at;
  root.dataset.locked = state.locked;
  root.dataset.at = `${i},${j}`;
  const views = scene.cards.map((one) => state.views.get(one.kind));
  const key = `${i} ${state.active}`;
  if (anew || state.row !== i) profiles(state, views);
  tokens(state, anew || state.shaded !== key);
  Object.assign(state, { row: i, shaded: key });
  for (const view of views) {
    for (const { across, down } of [view.map, view.diff]) {
      across.style.transform = `translateY(${(100 * i) / scene.n}%)`;
      down.style.transform = `translateX(${(100 * j) / scene.n}%)`;
    }
    view.cell.firstChild.nodeValue = number(view.values[i * scene.n + j]);
    view.cell.lastChild.textContent = ` row max ${number(view.top)}`;
    view.root.dataset.active = view.kind === state.active;
    if (view.delta) view.word.textContent = `Difference: ${number(view.delta[i * scene.n + j])}`;
    else view.word.textContent = view.kind === 'softmax' ? 'The reference' : 'Choose Softmax too for a difference';
  }
  const { card: one, values } = state.views.get(state.active);
  state.note.textContent = `Query ${i} “${named(scene.labels[i])}” → key ${j} “${named(scene.labels[j])}”: ` +
    `${number(values[i * scene.n + j])} in ${one.label}${state.locked ? '. Held; Esc lets go.' : ''}`;
}

function move(state, at, kind) {
  state.at = at;
  if (kind) state.active = kind;
  if (state.waiting) return;
  state.waiting = true;
  requestAnimationFrame(() => { state.waiting = false; point(state); });
}

function hold(state, locked) {
  state.locked = locked;
  move(state, state.at);
}

function listen(state, view, canvas) {
  const under = (event) => cell(event, canvas, state.scene.n, state.scene.n);
  canvas.addEventListener('pointermove', (event) => { if (!state.locked) move(state, under(event), view.kind); });
  canvas.addEventListener('click', (event) => {
    const at = under(event);
    const again = state.locked && String(at) === String(state.at);
    move(state, at, view.kind);
    hold(state, !again);
  });
  canvas.addEventListener('keydown', (event) => {
    const step = STEPS[event.key];
    if (event.key === 'Enter' || event.key === ' ') hold(state, !state.locked);
    else if (step) {
      const far = event.shiftKey ? 10 : 1;
      move(state, state.at.map((value, k) => Math.min(state.scene.n - 1, Math.max(0, value + far * step[k]))), view.kind);
    } else return;
    event.preventDefault();
  });
  canvas.addEventListener('focus', () => { if (canvas.matches(':focus-visible')) move(state, state.at, view.kind); });
}

// a button that turns one way of drawing on and off
function choice(state, name, words) {
  const node = button(words, () => {
    state[name] = !state[name];
    node.setAttribute('aria-pressed', state[name]);
    state.root.dataset[name] = state[name];
    colour(state);
    point(state, true);
  });
  node.dataset.set = name;
  node.setAttribute('aria-pressed', state[name]);
  state.root.dataset[name] = state[name];
  return node;
}

function start(place) {
  const root = make('div', 'gb-cards');
  const state = { root, strip: own('div', 'gb-tokens'), note: make('p', 'gb-cards-at'), grid: make('div', 'gb-cards-grid'), views: new Map(), locked: false, shared: false, diff: true };
  const bar = make('div', 'gb-cards-bar');
  bar.setAttribute('role', 'group');
  bar.setAttribute('aria-label', 'How the maps are drawn');
  state.rows = button('Figures as CSV', () => state.tools.say({ kind: 'rows', format: 'csv', of: 'figures' }));
  bar.append(choice(state, 'shared', 'Shared colours'), choice(state, 'diff', 'Difference to softmax'), state.rows,
    make('span', 'gb-cards-help', 'Hover reads a cell on every map, a click holds it, Esc lets go, arrow keys move it.'));
  state.note.setAttribute('aria-live', 'polite');
  state.strip.setAttribute('role', 'img');
  state.strip.setAttribute('aria-label', 'The tokens: the query is framed, each key is shaded by its weight');
  state.strip.addEventListener('pointermove', (event) => {
    const i = state.spans ? state.spans.indexOf(event.target) : -1;
    if (i >= 0 && !state.locked) move(state, [i, state.at[1]]);
  });
  root.append(bar, state.note, state.strip, state.grid);
  const release = (event) => {
    if (!root.isConnected) document.removeEventListener('keydown', release);
    else if (event.key === 'Escape' && state.locked) hold(state, false);
  };
  document.addEventListener('keydown', release);
  place.append(root);
  return state;
}

// scene: the dict of scenes.py. A held cell stays where it is as long as there is such a cell.
export function cards(place, scene, tools) {
  const state = (place.cards ||= start(place));
  const { root } = state;
  const kinds = scene.cards.map((one) => one.kind);
  if (state.scene?.n !== scene.n && !state.locked) state.at = null;         // where the pointer was means nothing in another text
  Object.assign(state, { scene, tools });
  if (String(kinds) !== String([...state.views.keys()])) {
    state.views = new Map(kinds.map((kind) => [kind, state.views.get(kind) || card(state, kind)]));
    state.grid.replaceChildren(...[...state.views.values()].map((view) => view.root));
  }
  if (!state.views.has(state.active)) [state.active] = kinds;
  if (!state.at || Math.max(...state.at) >= scene.n) Object.assign(state, { at: [scene.n - 1, 0], locked: false });
  state.rows.hidden = !scene.taught;
  fill(state);
  colour(state);
  point(state, true);
  root.style.setProperty('--n', scene.n);
  Object.assign(root.dataset, { n: scene.n, few: kinds.length <= 3, fine: scene.n > 40, digest: scene.digest, drawn: Number(root.dataset.drawn || 0) + 1 });
}
