/* The Memory tab's stages: a signal that is drawn by hand, and eigenvalues that are dragged on the unit disc. Both write into the page's own
   fields, so that links, the endpoint and the Python script know what was drawn. */
(() => {
  const glassbox = (window.glassbox ||= {});
  const make = (tag, className, text) => glassbox.element(tag, { className }, text);
  const colour = (root, name) => getComputedStyle(root).getPropertyValue(name).trim() || '#777';
  let held = null;             // eigenvalues while one is dragged: the browser's, not yet the server's

  function send(name, text) {
    const input = document.querySelector(`#memory-${name} textarea, #memory-${name} input`);
    if (!input) return;
    Object.getOwnPropertyDescriptor(Object.getPrototypeOf(input), 'value').set.call(input, text);
    input.dispatchEvent(new Event('input', { bubbles: true }));
  }

  function button(row, en, zh, press) {
    const node = glassbox.maps.words(glassbox.element('button', { type: 'button' }), en, zh);
    node.addEventListener('click', press);
    row.append(node);
    return node;
  }

  // a canvas of its own size in device pixels, with a pen in CSS pixels
  function sharp(canvas) {
    const wide = canvas.clientWidth || 300;
    const high = canvas.clientHeight || 100;
    canvas.width = 2 * wide;
    canvas.height = 2 * high;
    const pen = canvas.getContext('2d');
    pen.scale(2, 2);
    return { pen, wide, high };
  }

  // --- a signal that is drawn ---

  function paintSignal(stage) {
    const { pen, wide, high } = sharp(stage.canvas);
    const { values } = stage.scene;
    pen.strokeStyle = colour(stage.root, '--gb-line');
    pen.beginPath();
    pen.moveTo(0, high / 2);
    pen.lineTo(wide, high / 2);
    pen.stroke();
    pen.strokeStyle = colour(stage.root, stage.drawing ? '--gb-accent' : '--gb-soft');
    pen.lineWidth = 2;
    pen.beginPath();
    values.forEach((v, k) => pen.lineTo(((k + 0.5) / values.length) * wide, high / 2 - v * (high / 2 - 4)));
    pen.stroke();
  }

  function drawn(stage, event) {
    const box = stage.canvas.getBoundingClientRect();
    const { values } = stage.scene;
    const bound = (v, low, high) => Math.min(high, Math.max(low, v));
    const k = bound(Math.floor(((event.clientX - box.left) / box.width) * values.length), 0, values.length - 1);
    const v = bound(1.06 * (1 - (2 * (event.clientY - box.top)) / box.height), -1, 1);
    const from = stage.last ? stage.last.k : k;
    const before = stage.last ? stage.last.v : v;
    for (let at = Math.min(from, k); at <= Math.max(from, k); at += 1) {
      values[at] = from === k ? v : before + ((v - before) * (at - from)) / (k - from);
    }
    stage.last = { k, v };
    paintSignal(stage);
  }

  function drawPen(root, scene) {
    const { words } = glassbox.maps;
    const stage = { root, scene, last: null, drawing: false, canvas: make('canvas', 'gb-pen') };
    const { canvas } = stage;
    canvas.setAttribute('role', 'img');
    canvas.setAttribute('aria-label', 'The signal. Draw a new one with the pointer, or type numbers into the field of your own signal.');
    canvas.addEventListener('pointerdown', (event) => {
      event.preventDefault();
      canvas.setPointerCapture(event.pointerId);
      const old = scene.values;
      scene.values = Array.from({ length: scene.count }, (_, k) => old[Math.floor((k / scene.count) * old.length)]);
      stage.drawing = true;
      stage.last = null;
      drawn(stage, event);
    });
    canvas.addEventListener('pointermove', (event) => { if (stage.drawing) drawn(stage, event); });
    for (const name of ['pointerup', 'pointercancel']) {
      canvas.addEventListener(name, () => {
        if (!stage.drawing) return;
        stage.drawing = false;
        send('text', scene.values.map((v) => v.toFixed(2)).join(', '));
      });
    }
    const row = make('div', 'gb-stage-buttons');
    const note = words(make('span', 'gb-note'), 'Draw a signal here, or change this one.', '可在此画出信号，或修改现有信号。');
    row.append(note);
    if (scene.own) button(row, 'Back to the chosen signal', '恢复所选信号', () => send('text', ''));
    root.replaceChildren(canvas, row);
    requestAnimationFrame(() => paintSignal(stage));
    new ResizeObserver(() => paintSignal(stage)).observe(canvas);
    return null;
  }

  // --- eigenvalues on the disc ---

  const REACH = 1.12;          // half the side of the picture, in radii

  function disc(stage, pen, side) {
    const middle = side / 2;
    const radius = middle / REACH;
    pen.strokeStyle = colour(stage.root, '--gb-line');
    for (const share of [0.25, 0.5, 0.75, 1]) {
      pen.lineWidth = share === 1 ? 2 : 1;
      pen.beginPath();
      pen.arc(middle, middle, share * radius, 0, 2 * Math.PI);
      pen.stroke();
    }
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(middle - radius, middle);
    pen.lineTo(middle + radius, middle);
    pen.moveTo(middle, middle - radius);
    pen.lineTo(middle, middle + radius);
    pen.stroke();
    const at = ([x, y]) => [middle + x * radius, middle - y * radius];
    stage.scene.poles.forEach((pole, k) => {
      for (const mirrored of [true, false]) {
        const [x, y] = at(mirrored ? [pole[0], -pole[1]] : pole);
        pen.beginPath();
        pen.arc(x, y, k === stage.chosen && !mirrored ? 8 : 5.5, 0, 2 * Math.PI);
        pen.globalAlpha = mirrored ? 0.3 : 0.9;
        pen.fillStyle = k === stage.chosen ? '#D55E00' : '#2a7fbf';
        pen.fill();
      }
    });
    pen.globalAlpha = 1;
  }

  function tell(stage) {
    const [x, y] = stage.scene.poles[stage.chosen] || [0, 0];
    const size = Math.hypot(x, y);
    const half = size > 0 ? Math.log(0.5) / Math.log(size) : 0;
    const turn = Math.abs(Math.atan2(y, x)) / (2 * Math.PI);
    const { number, words } = glassbox.maps;
    words(stage.said, `Eigenvalue ${stage.chosen + 1} of ${stage.scene.poles.length}: |λ| = ${size.toFixed(4)}, half is gone after ${number(half)} samples, ${turn.toFixed(3)} cycles per sample.`,
      `第 ${stage.chosen + 1}/${stage.scene.poles.length} 个特征值：|λ| = ${size.toFixed(4)}，${number(half)} 个样本后剩一半，每个样本转 ${turn.toFixed(3)} 圈。`);
  }

  function paintDisc(stage) {
    const { pen, wide } = sharp(stage.canvas);
    disc(stage, pen, wide);
    tell(stage);
  }

  const short = (v) => Number(v.toFixed(4));
  const written = (poles) => poles.map(([x, y]) => (short(y) ? `${short(x)}${y < 0 ? '' : '+'}${short(y)}i` : `${short(x)}`)).join(', ');

  function move(stage, x, y) {
    const size = Math.hypot(x, y);
    const shrink = size > 0.999 ? 0.999 / size : 1;
    stage.scene.poles[stage.chosen] = [x * shrink, y * shrink];
    held = stage.scene.poles;
    stage.moved = performance.now();
    paintDisc(stage);
    clearTimeout(stage.timer);
    stage.timer = setTimeout(() => send('poles', written(stage.scene.poles)), 50);
  }

  function draggable(stage) {
    const { canvas } = stage;
    const place = (event) => {
      const box = canvas.getBoundingClientRect();
      return [((event.clientX - box.left) / box.width * 2 - 1) * REACH, (1 - (event.clientY - box.top) / box.height * 2) * REACH];
    };
    canvas.addEventListener('pointerdown', (event) => {
      const [x, y] = place(event);
      const gaps = stage.scene.poles.map(([a, b]) => Math.min(Math.hypot(a - x, b - y), Math.hypot(a - x, b + y)));
      const nearest = gaps.indexOf(Math.min(...gaps));
      if (!(gaps[nearest] < 0.12)) return;
      event.preventDefault();
      const [a, b] = stage.scene.poles[nearest];
      stage.flip = Math.hypot(a - x, b + y) < Math.hypot(a - x, b - y) ? -1 : 1;
      stage.chosen = nearest;
      stage.drag = true;
      canvas.setPointerCapture(event.pointerId);
      paintDisc(stage);
    });
    canvas.addEventListener('pointermove', (event) => {
      if (!stage.drag) return;
      const [x, y] = place(event);
      move(stage, x, stage.flip * y);
    });
    for (const name of ['pointerup', 'pointercancel']) canvas.addEventListener(name, () => { stage.drag = false; held = null; });
    canvas.addEventListener('keydown', (event) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (event.key === 'n' || event.key === 'p') {
        const count = stage.scene.poles.length;
        stage.chosen = (stage.chosen + (event.key === 'n' ? 1 : count - 1)) % count;
        paintDisc(stage);
      }
      if (!step) return;
      event.preventDefault();
      const [x, y] = stage.scene.poles[stage.chosen];
      move(stage, x + 0.01 * step[0], y + 0.01 * step[1]);
      held = null;
    });
  }

  function drawPoles(root, scene) {
    const { words } = glassbox.maps;
    if (held && held.length === scene.poles.length) scene.poles = held;
    const before = root.gbDisc;
    const busy = before && (before.drag || (performance.now() - before.moved < 500 && before.scene.poles.length === scene.poles.length));
    if (busy && root.contains(before.canvas)) {
      scene.poles = before.scene.poles;
      before.scene = scene;    // a drag goes on, or keys are pressed: the canvas that holds the pointer or the focus stays
      return null;
    }
    const focused = before && root.contains(before.canvas) && document.activeElement === before.canvas;
    const stage = { root, scene, drag: false, flip: 1, chosen: before ? Math.min(before.chosen, scene.poles.length - 1) : 0 };
    stage.canvas = make('canvas', 'gb-disc');
    stage.canvas.tabIndex = 0;
    stage.canvas.setAttribute('role', 'application');
    stage.canvas.setAttribute('aria-label', 'Eigenvalues on the unit disc: n and p choose one, arrow keys move it');
    stage.said = make('p', 'gb-note');
    stage.said.setAttribute('aria-live', 'polite');
    const row = make('div', 'gb-stage-buttons');
    const more = (poles) => send('poles', written(poles));
    button(row, 'Add one', '增加一个', () => {
      const count = scene.poles.length;
      if (count >= scene.most) return;
      stage.chosen = count;
      more([...scene.poles, [0.8 * Math.cos(0.3 + 0.5 * count), 0.8 * Math.abs(Math.sin(0.3 + 0.5 * count))]]);
    });
    button(row, 'Remove the chosen', '去掉所选', () => { if (scene.poles.length > 1) more(scene.poles.filter((_, k) => k !== stage.chosen)); });
    if (scene.own) button(row, 'Back to the chosen ones', '恢复预设', () => send('poles', ''));
    const note = words(make('p', 'gb-note'), 'Drag an eigenvalue; faint: its mirror image. The nearer to the circle, the longer it remembers; the angle is its frequency. Your own ones write with strength 1 − |λ|.',
      '拖动特征值；浅色是共轭。越靠近圆周，记忆越长；角度就是频率。自己的特征值以 1 − |λ| 的强度写入。');
    draggable(stage);
    const side = make('div', 'gb-disc-side');
    side.append(row, stage.said, note);
    const pair = make('div', 'gb-disc-pair');
    pair.append(stage.canvas, side);
    root.replaceChildren(pair);
    root.gbDisc = stage;
    requestAnimationFrame(() => { paintDisc(stage); if (focused) stage.canvas.focus(); });
    new ResizeObserver(() => paintDisc(stage)).observe(stage.canvas);
    return null;
  }

  Object.assign((glassbox.stages ||= {}), { pen: drawPen, poles: drawPoles });
})();
