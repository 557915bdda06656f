// Routers on the plane, whose experts are dragged. Scenes are the dicts of figures.py.
import { button, bytes, floats, make } from '../../js/maps.js';

const SIZE = 120;            // cells of the coloured ground along each side
const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

// the expert that a token at (x, y) prefers; a bias is added to sigmoid(logit) where the router has one
function first(scene, panel, x, y) {
  let best = 0;
  let top = -Infinity;
  scene.prototypes.forEach(([a, b], e) => {
    const logit = scene.sharp * (x * a + y * b - (a * a + b * b) / 2);
    const value = panel.router === 'free' ? 1 / (1 + Math.exp(-logit)) + panel.bias[e] : logit;
    if (value > top) { top = value; best = e; }
  });
  return best;
}

function ground(pen, scene, panel, side) {
  const cells = document.createElement('canvas');
  cells.width = cells.height = SIZE;
  const image = new ImageData(SIZE, SIZE);
  const tones = scene.colours.map(rgb);
  for (let row = 0; row < SIZE; row += 1) {
    for (let column = 0; column < SIZE; column += 1) {
      const e = first(scene, panel, (2 * (column + 0.5)) / SIZE - 1, 1 - (2 * (row + 0.5)) / SIZE);
      image.data.set([...tones[e], 46], 4 * (row * SIZE + column));
    }
  }
  cells.getContext('2d').putImageData(image, 0, 0);
  pen.drawImage(cells, 0, 0, side, side);
}

// a token, divided like its weights among the experts that took it
function pie(pen, scene, panel, t, x, y) {
  const count = scene.prototypes.length;
  const gates = panel.gates.subarray(t * count, (t + 1) * count);
  const total = gates.reduce((a, b) => a + b, 0);
  let from = -Math.PI / 2;
  gates.forEach((gate, e) => {
    if (!gate) return;
    const to = from + (2 * Math.PI * gate) / total;
    pen.beginPath();
    pen.moveTo(x, y);
    pen.arc(x, y, 4, from, to);
    pen.fillStyle = scene.colours[e];
    pen.fill();
    from = to;
  });
}

function dots(pen, scene, panel, side, ink) {
  const at = (v, flip) => ((flip ? 1 - v : 1 + v) / 2) * side;
  for (let t = 0; t < scene.points.length / 2; t += 1) {
    const x = at(scene.points[2 * t]);
    const y = at(scene.points[2 * t + 1], true);
    const lost = panel.state[t] === 2;
    pen.beginPath();
    if (lost) {
      pen.moveTo(x - 4, y - 4); pen.lineTo(x + 4, y + 4); pen.moveTo(x + 4, y - 4); pen.lineTo(x - 4, y + 4);
      pen.strokeStyle = ink;
      pen.lineWidth = 1.5;
      pen.stroke();
      continue;
    }
    pie(pen, scene, panel, t, x, y);
    if (panel.state[t] === 1) { pen.beginPath(); pen.arc(x, y, 4, 0, 2 * Math.PI); pen.strokeStyle = ink; pen.lineWidth = 1; pen.stroke(); }
  }
  scene.prototypes.forEach(([a, b], e) => {
    pen.beginPath();
    pen.arc(at(a), at(b, true), 12, 0, 2 * Math.PI);
    pen.fillStyle = scene.colours[e];
    pen.fill();
    pen.strokeStyle = ink;
    pen.lineWidth = 1.5;
    pen.stroke();
    pen.fillStyle = '#fff';
    pen.font = '600 13px system-ui, sans-serif';
    pen.textAlign = 'center';
    pen.textBaseline = 'middle';
    pen.fillText(String(e), at(a), at(b, true) + 1);
  });
}

function paint(stage) {
  const { scene } = stage;
  const ink = getComputedStyle(stage.root).getPropertyValue('--gb-ink').trim() || '#222';
  stage.canvases.forEach((canvas, k) => {
    const side = 2 * Math.round(canvas.clientWidth || 300);
    canvas.width = canvas.height = side;
    const pen = canvas.getContext('2d');
    pen.scale(2, 2);
    ground(pen, scene, scene.panels[k], side / 2);
    dots(pen, scene, scene.panels[k], side / 2, ink);
  });
}

// hands the places to the server, which answers with the routing
function send(stage) {
  stage.tools.set({ prototypes: stage.scene.prototypes.map((place) => place.map((v) => Number(v.toFixed(3)))) });
}

function move(stage, e, x, y) {
  const bound = (v) => Math.min(1, Math.max(-1, v));
  stage.scene.prototypes[e] = [bound(x), bound(y)];
  paint(stage);
  send(stage);
}

function draggable(stage, canvas) {
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(2 * (event.clientX - box.left)) / box.width - 1, 1 - (2 * (event.clientY - box.top)) / box.height];
  };
  canvas.addEventListener('pointerdown', (event) => {
    const [x, y] = place(event);
    const reach = 44 / (canvas.clientWidth || 300);
    const gaps = stage.scene.prototypes.map(([a, b]) => Math.hypot(a - x, b - y));
    const e = gaps.indexOf(Math.min(...gaps));
    if (gaps[e] > reach) return;
    event.preventDefault();
    stage.drag = e;
    stage.chosen = e;
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener('pointermove', (event) => { if (stage.drag >= 0) move(stage, stage.drag, ...place(event)); });
  for (const name of ['pointerup', 'pointercancel']) canvas.addEventListener(name, () => { stage.drag = -1; });
  canvas.addEventListener('keydown', (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    const number = Number(event.key);
    if (event.key >= '0' && event.key <= '9' && number < stage.scene.prototypes.length) { stage.chosen = number; return; }
    if (!step) return;
    event.preventDefault();
    const [x, y] = stage.scene.prototypes[stage.chosen];
    move(stage, stage.chosen, x + 0.05 * step[0], y + 0.05 * step[1]);
  });
}

function loads(scene, panel) {
  const box = make('div', 'gb-loads');
  const most = Math.max(...panel.asked, panel.capacity || 0, 1);
  panel.asked.forEach((asked, e) => {
    const bar = make('span', 'gb-load');
    bar.style.setProperty('--hue', scene.colours[e]);
    bar.style.setProperty('--kept', `${(100 * panel.kept[e]) / most}%`);
    bar.style.setProperty('--asked', `${(100 * asked) / most}%`);
    bar.append(make('i', ''), make('b', '', String(panel.kept[e])));
    bar.title = `expert ${e}: ${panel.kept[e]} of ${asked} asked`;
    box.append(bar);
  });
  if (panel.capacity) {
    const mark = make('u', '');
    mark.style.setProperty('--at', `${(100 * panel.capacity) / most}%`);
    mark.title = `capacity ${panel.capacity}`;
    box.append(mark);
  }
  return box;
}

function changed(stage, count) {
  const old = stage.scene.prototypes;
  const more = Array.from({ length: count - old.length }, (_, k) => [0.8 * Math.cos(k + old.length), 0.8 * Math.sin(k + old.length)]);
  stage.scene.prototypes = [...old, ...more].slice(0, count);
  send(stage);
}

export function plane(root, scene, tools) {
  scene.points = floats(scene.points);
  scene.panels = scene.panels.map((panel) => ({ ...panel, gates: bytes(panel.gates), state: bytes(panel.state) }));
  const before = root.gbPlane;
  if (before && tools.old) scene.prototypes = before.scene.prototypes;
  if (before && before.canvases.length === scene.panels.length) {
    Object.assign(before, { scene, tools, chosen: Math.min(before.chosen, scene.prototypes.length - 1) });
    before.sides.forEach((side, k) => {
      side.replaceChildren(...aside(scene, scene.panels[k]));
      side.previousSibling.previousSibling.textContent = scene.panels[k].label;
    });
    paint(before);
    return;
  }
  const stage = { root, scene, tools, canvases: [], sides: [], drag: -1, chosen: 0 };
  const buttons = make('div', 'gb-stage-buttons');
  for (const [text, by] of [['Add an expert', 1], ['Remove the last', -1]]) {
    buttons.append(button(text, () => {
      const count = stage.scene.prototypes.length + by;
      if (count >= 2 && count <= stage.scene.colours.length) changed(stage, count);
    }));
  }
  const grid = make('div', 'gb-planes');
  for (const panel of scene.panels) {
    const figure = make('figure', 'gb-plane');
    const canvas = make('canvas', '');
    canvas.tabIndex = 0;
    canvas.setAttribute('role', 'application');
    canvas.setAttribute('aria-label', `${panel.label}: tokens and experts; a number chooses an expert, arrow keys move it`);
    const side = make('div', '');
    side.append(...aside(scene, panel));
    figure.append(make('figcaption', '', panel.label), canvas, side);
    stage.canvases.push(canvas);
    stage.sides.push(side);
    draggable(stage, canvas);
    grid.append(figure);
  }
  const note = make('p', 'gb-note', 'Drag an expert. The ground shows whose logit is largest; a token is divided like its weights; crosses are tokens that no expert took, rings those that lost one of two. Bars: assignments taken; faint: asked; line: capacity.');
  root.replaceChildren(buttons, grid, note);
  root.gbPlane = stage;
  requestAnimationFrame(() => paint(stage));
  new ResizeObserver(() => paint(stage)).observe(grid);
}
plane.follows = true;                      // answers to an earlier place show its routing, under the experts as they are now

function aside(scene, panel) {
  const asked = panel.asked.reduce((a, b) => a + b, 0);
  const kept = panel.kept.reduce((a, b) => a + b, 0);
  const causal = panel.causal ? '' : '; not causal';
  return [loads(scene, panel), make('p', 'gb-note', `${kept} kept + ${asked - kept} dropped = ${asked} asked; ${panel.lost} tokens lost${causal}`)];
}
