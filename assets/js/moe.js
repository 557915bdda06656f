/* The MoE tab's stages: a text coloured by expert, and routers on the plane. Scenes are the dicts of ui/figures/moe.py; every text goes
   through textContent. */
(() => {
  const glassbox = (window.glassbox ||= {});
  const make = (tag, className, text) => glassbox.element(tag, { className }, text);
  const NONE = 255;
  const percent = (v) => `${Math.round(100 * v)} %`;

  // --- a text, coloured by expert ---

  function legend(root, scene) {
    const row = make('div', 'gb-experts');
    row.setAttribute('role', 'group');
    row.setAttribute('aria-label', 'Experts: press one to see its bytes alone');
    scene.colours.forEach((colour, e) => {
      const chip = make('button', 'gb-expert', String(e));
      chip.type = 'button';
      chip.style.setProperty('--hue', colour);
      chip.setAttribute('aria-pressed', 'false');
      chip.addEventListener('click', () => {
        const on = root.dataset.only !== String(e);
        root.dataset.only = on ? e : '';
        row.querySelectorAll('button').forEach((other, k) => other.setAttribute('aria-pressed', String(on && k === e)));
        root.querySelectorAll('.gb-byte').forEach((one) => one.classList.toggle('gb-faint', on && one.dataset.expert !== String(e)));
      });
      row.append(chip);
    });
    return row;
  }

  // one layer's probabilities at one byte, as bars with the experts that took it marked
  function bars(scene, layer, at) {
    const row = make('div', 'gb-bars');
    scene.colours.forEach((colour, e) => {
      const count = scene.colours.length;
      const p = layer.p[at * count + e] / 255;
      const gate = layer.gates[at * count + e] / 255;
      const bar = make('span', gate > 0 ? 'gb-bar gb-took' : 'gb-bar');
      bar.style.setProperty('--hue', colour);
      bar.style.setProperty('--size', `${Math.max(2, 100 * p)}%`);
      bar.append(make('i', ''), make('b', '', String(e)));
      bar.title = `expert ${e}: p = ${percent(p)}${gate > 0 ? `, weight ${percent(gate)}` : ''}`;
      row.append(bar);
    });
    return row;
  }

  function sentence(scene, layer, at) {
    const count = scene.colours.length;
    const took = [...Array(count).keys()].filter((e) => layer.gates[at * count + e] > 0)
      .sort((a, b) => layer.gates[at * count + b] - layer.gates[at * count + a]);
    const state = ['', ', not all it asked for', ', dropped: the residual alone'][layer.state[at]];
    const named = took.map((e) => `${e} (weight ${percent(layer.gates[at * count + e] / 255)})`).join(', ');
    return `layer ${layer.layer}: ${named ? `expert ${named}` : 'none'}${state}`;
  }

  function tell(stage, at) {
    const { scene, detail } = stage;
    const char = scene.chars[at];
    const name = { '\n': 'newline', ' ': 'space', '\t': 'tab' }[char] || char;
    const head = make('p', 'gb-at', `byte ${at}, “${name}”`);
    head.append(make('span', '', scene.layers.map((layer) => sentence(scene, layer, at)).join(' · ')));
    detail.replaceChildren(head, ...scene.layers.map((layer) => {
      const part = make('div', 'gb-at-layer');
      part.append(make('span', 'gb-note', `layer ${layer.layer}`), bars(scene, layer, at));
      return part;
    }));
    stage.at = at;
    for (const box of stage.boxes) {
      box.querySelector('.gb-here')?.classList.remove('gb-here');
      box.children[at].classList.add('gb-here');
    }
  }

  function colour(stage, layer) {
    const box = make('div', 'gb-routed');
    box.tabIndex = 0;
    box.setAttribute('role', 'group');
    box.setAttribute('aria-label', `The text by expert in layer ${layer.layer}; arrow keys read it`);
    const { chars, colours } = stage.scene;
    const bytes = chars.map((char, at) => {
      const e = layer.main[at];
      const one = make('span', `gb-byte gb-state-${layer.state[at]}`, char === '\n' ? '↵\n' : char);
      one.dataset.expert = e;
      if (e !== NONE) one.style.setProperty('--hue', colours[e]);
      return one;
    });
    box.append(...bytes);
    box.addEventListener('pointerover', (event) => {
      const at = bytes.indexOf(event.target);
      if (at >= 0) tell(stage, at);
    });
    box.addEventListener('keydown', (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -20, ArrowDown: 20 }[event.key];
      if (!step) return;
      event.preventDefault();
      tell(stage, Math.min(bytes.length - 1, Math.max(0, stage.at + step)));
    });
    return box;
  }

  function drawRouted(root, scene) {
    const { bytes, words } = glassbox.maps;
    scene.chars = Array.from(scene.text);
    scene.layers = scene.layers.map((layer) => ({ ...layer, ...Object.fromEntries(['main', 'state', 'p', 'gates'].map((k) => [k, bytes(layer[k])])) }));
    const stage = { root, scene, at: 0, boxes: [], detail: make('div', 'gb-detail') };
    stage.detail.setAttribute('aria-live', 'polite');
    root.dataset.only = '';
    const key = make('p', 'gb-note');
    words(key, 'Coloured by the expert with the largest weight; struck through: no expert had a place; dotted: not all that were asked. Hover, or use arrow keys, for the router’s probabilities.',
      '颜色是权重最大的专家；删除线：没有专家有空位；点线：只得到一部分。悬停或用方向键查看路由概率。');
    const texts = scene.layers.map((layer) => {
      const part = make('section', 'gb-routed-layer');
      const box = colour(stage, layer);
      stage.boxes.push(box);
      part.append(make('h4', '', `Layer ${layer.layer}`), box);
      return part;
    });
    const pair = make('div', 'gb-routed-pair');
    pair.append(...texts);
    root.replaceChildren(legend(root, scene), stage.detail, pair, key);
    tell(stage, Math.min(40, scene.chars.length - 1));
    return null;
  }

  // --- routers on the plane ---

  const SIZE = 120;            // cells of the coloured ground along each side
  const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  const field = () => document.querySelector('#moe-prototypes textarea, #moe-prototypes input');
  let held = null;             // experts' places while one is dragged: the browser's, not yet the server's

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
      pen.arc(x, y, 3.4, 0, 2 * Math.PI);
      pen.fillStyle = scene.colours[panel.main[t]];
      pen.fill();
      if (panel.state[t] === 1) { pen.strokeStyle = ink; pen.lineWidth = 1; pen.stroke(); }
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

  // hands the places to the page's field: the server answers with the routing
  function send(scene) {
    const input = field();
    if (!input) return;
    const text = JSON.stringify(scene.prototypes.map((place) => place.map((v) => Number(v.toFixed(3)))));
    Object.getOwnPropertyDescriptor(Object.getPrototypeOf(input), 'value').set.call(input, text);
    input.dispatchEvent(new Event('input', { bubbles: true }));
  }

  function move(stage, e, x, y) {
    const bound = (v) => Math.min(1, Math.max(-1, v));
    stage.scene.prototypes[e] = [bound(x), bound(y)];
    held = stage.scene.prototypes;
    stage.moved = performance.now();
    paint(stage);
    clearTimeout(stage.timer);
    stage.timer = setTimeout(() => send(stage.scene), 40);
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
    for (const name of ['pointerup', 'pointercancel']) canvas.addEventListener(name, () => { stage.drag = -1; held = null; });
    canvas.addEventListener('keydown', (event) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      const number = Number(event.key);
      if (event.key >= '0' && event.key <= '9' && number < stage.scene.prototypes.length) { stage.chosen = number; return; }
      if (!step) return;
      event.preventDefault();
      const [x, y] = stage.scene.prototypes[stage.chosen];
      move(stage, stage.chosen, x + 0.05 * step[0], y + 0.05 * step[1]);
      held = null;
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
    send(stage.scene);
  }

  function drawPlane(root, scene) {
    const { floats, bytes, words } = glassbox.maps;
    scene.points = floats(scene.points);
    scene.panels = scene.panels.map((panel) => ({ ...panel, main: bytes(panel.main), state: bytes(panel.state) }));
    if (held && held.length === scene.prototypes.length) scene.prototypes = held;
    const before = root.gbPlane;
    const keys = before && performance.now() - before.moved < 500 && before.scene.prototypes.length === scene.prototypes.length;
    if (keys) scene.prototypes = before.scene.prototypes;
    if (before && (before.drag >= 0 || keys) && before.canvases.length === scene.panels.length && root.contains(before.canvases[0])) {
      before.scene = scene;    // a drag goes on, or keys are pressed: the canvas that holds the pointer or the focus stays
      before.sides.forEach((side, k) => side.replaceChildren(...aside(scene, scene.panels[k])));
      paint(before);
      return null;
    }
    const stage = { root, scene, canvases: [], sides: [], drag: -1, chosen: before ? Math.min(before.chosen, scene.prototypes.length - 1) : 0 };
    const buttons = make('div', 'gb-stage-buttons');
    for (const [en, zh, by] of [['Add an expert', '增加专家', 1], ['Remove the last', '去掉最后一个', -1]]) {
      const button = words(glassbox.element('button', { type: 'button' }), en, zh);
      button.addEventListener('click', () => {
        const count = stage.scene.prototypes.length + by;
        if (count >= 2 && count <= stage.scene.colours.length) changed(stage, count);
      });
      buttons.append(button);
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
    const note = words(make('p', 'gb-note'), 'Drag an expert. The ground shows whose logit is largest; crosses are tokens that no expert took, rings those that lost one of two. Bars: assignments taken; faint: asked; line: capacity.',
      '拖动专家。底色表示谁的 logit 最大；叉是没有专家接收的符号，圆环是只失去一个的符号。柱：接收的分配；浅色：请求的；横线：容量。');
    root.replaceChildren(buttons, grid, note);
    root.gbPlane = stage;
    requestAnimationFrame(() => paint(stage));
    new ResizeObserver(() => paint(stage)).observe(grid);
    return null;
  }

  function aside(scene, panel) {
    const asked = panel.asked.reduce((a, b) => a + b, 0);
    const kept = panel.kept.reduce((a, b) => a + b, 0);
    const causal = panel.causal ? '' : '; not causal';
    return [loads(scene, panel), make('p', 'gb-note', `${kept} kept + ${asked - kept} dropped = ${asked} asked; ${panel.lost} tokens lost${causal}`)];
  }

  Object.assign((glassbox.stages ||= {}), { routed: drawRouted, plane: drawPlane });
})();
