/* The Deformable tab's other stages: 729 places of both networks on one picture, offsets that learn, and the table of conventions. */
(() => {
  const glassbox = (window.glassbox ||= {});
  const make = (tag, className, text) => glassbox.element(tag, { className }, text);
  const KINDS = ['#6b7280', '#2a7fbf', '#d55e00', '#009e73', '#cc79a7'];   // ground, and the marks' own colours
  const NAMES = { deformable: ['Deformable layers', '可变形层'], plain: ['Plain layers', '普通卷积层'] };
  const percent = (v) => `${(100 * v).toFixed(0)} %`;

  function classes(text, rows, columns) {
    const named = glassbox.maps.bytes(text);
    const canvas = document.createElement('canvas');
    Object.assign(canvas, { width: columns, height: rows });
    const pen = canvas.getContext('2d');
    named.forEach((kind, i) => {
      pen.fillStyle = KINDS[kind];
      pen.fillRect(i % columns, Math.floor(i / columns), 1, 1);
    });
    return canvas;
  }

  function paintField(stage, one) {
    const { scene, picture } = stage;
    const { covered, dot, cross } = glassbox.deform;
    const [pen, unit] = covered(one.canvas, picture, stage.photo);
    const device = one.canvas.width / Math.max(1, one.canvas.clientWidth);
    const gradient = glassbox.maps.bytes(one.field.gradient);
    const columns = scene.width / 2;
    gradient.forEach((level, i) => {
      if (level < 3) return;
      pen.fillStyle = `rgba(255, 60, 0, ${0.75 * Math.sqrt(level / 255)})`;
      pen.fillRect((i % columns) * 2 * unit, Math.floor(i / columns) * 2 * unit, 2 * unit, 2 * unit);
    });
    const places = glassbox.maps.floats(one.field.places), weights = glassbox.maps.floats(one.field.weights);
    weights.forEach((w, k) => dot(pen, (places[2 * k + 1] + 0.5) * unit, (places[2 * k] + 0.5) * unit, (0.8 + 1.8 * w) * device, '#fff', 'rgba(0, 0, 0, .7)', 0.7 * device));
    const middle = scene.cell.map((c) => 4 * c);
    const side = 2 * scene.reach + 1;
    glassbox.board.outline(pen, (middle[1] - scene.reach) * unit, (middle[0] - scene.reach) * unit, side * unit, side * unit, '#ffd400', device);
    cross(pen, (4 * scene.cell[1] + 2) * unit, (4 * scene.cell[0] + 2) * unit, 7 * device);
  }

  function listen(stage, canvas) {
    const { send, rounded } = glassbox.deform;
    const go = (row, column) => {
      const size = [stage.scene.height / 4, stage.scene.width / 4];
      const cell = [row, column].map((v, k) => Math.min(size[k] - 1, Math.max(0, v)));
      stage.placed = performance.now();
      stage.place = cell;
      clearTimeout(stage.timer);
      stage.timer = setTimeout(() => send('at', JSON.stringify(cell.map((v, k) => rounded((v + 0.5) / size[k])))), 40);
    };
    canvas.tabIndex = 0;
    canvas.setAttribute('role', 'application');
    canvas.setAttribute('aria-label', 'The picture: a click or arrow keys choose the output cell');
    canvas.addEventListener('click', (event) => {
      const box = canvas.getBoundingClientRect();
      go(Math.floor(((event.clientY - box.top) / box.height) * stage.scene.height / 4), Math.floor(((event.clientX - box.left) / box.width) * stage.scene.width / 4));
    });
    canvas.addEventListener('keydown', (event) => {
      const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      if (!step) return;
      event.preventDefault();
      const from = performance.now() - stage.placed < 500 ? stage.place : stage.scene.cell;
      go(from[0] + step[0], from[1] + step[1]);
    });
  }

  function built(root) {
    const stage = { root, placed: -1e9, place: [0, 0], fields: [], maps: [] };
    const first = make('div', 'gb-twins'), second = make('div', 'gb-named');
    for (const name of ['deformable', 'plain']) {
      const found = glassbox.deform.panel(...NAMES[name]);
      const note = make('p', 'gb-note');
      note.setAttribute('aria-live', 'polite');
      found.figure.append(note);
      first.append(found.figure);
      stage.fields.push({ canvas: found.canvas, note });
      listen(stage, found.canvas);
    }
    for (const [en, zh] of [['Truth', '真值'], ['Named by the deformable layers', '可变形层的判断'], ['Named by the plain ones', '普通层的判断']]) {
      const found = glassbox.deform.panel(en, zh);
      second.append(found.figure);
      stage.maps.push(found);
    }
    root.replaceChildren(first, second);
    new ResizeObserver(() => { if (stage.scene) all(stage); }).observe(stage.fields[0].canvas);
    root.gbStack = stage;
    return stage;
  }

  function all(stage) {
    const { scene } = stage;
    const { words } = glassbox.maps;
    stage.fields.forEach((one, k) => {
      one.field = scene.fields[k];
      paintField(stage, one);
      const { here, spread, outside, inside, accuracy } = one.field;
      const count = glassbox.maps.floats(one.field.weights).length;
      const judged = (inside === null ? '' : ` ${percent(inside)} of their weight lies on the cell's own thing.`) + (accuracy === null ? '' : ` ${percent(accuracy)} of the things' cells are named right.`);
      const also = (inside === null ? '' : `其权重的 ${percent(inside)} 落在该物体上。`) + (accuracy === null ? '' : `物体格子中 ${percent(accuracy)} 判断正确。`);
      const [named, so] = scene.truth ? [`Names this cell “${here}”. `, `此格判断为「${here}」。`] : ['', ''];
      words(one.note, `${named}${count} places (dots), ${spread} px away (rms). ${percent(outside)} of the gradient (red) lies beyond the plain layers' square.${judged}`,
        `${so}${count} 个读取位置（点），均方根距离 ${spread} 像素。梯度（红）的 ${percent(outside)} 在普通层的方框之外。${also}`);
    });
    const size = [scene.height / 4, scene.width / 4];
    [scene.truth, ...scene.fields.map((f) => f.named)].forEach((named, k) => {
      stage.maps[k].figure.hidden = !scene.truth;
      if (scene.truth) glassbox.deform.covered(stage.maps[k].canvas, classes(named, ...size));
    });
    stage.root.dataset.cell = scene.cell.join(' ');
  }

  function drawStack(root, scene) {
    const stage = root.gbStack && root.contains(root.gbStack.fields[0].canvas) ? root.gbStack : built(root);
    stage.scene = scene;
    stage.picture = Object.assign(document.createElement('canvas'), { width: scene.width, height: scene.height });
    glassbox.deform.photograph(stage, scene.photo, all);
    requestAnimationFrame(() => all(stage));
    return null;
  }

  // --- offsets that learn ---

  function paintFit(stage) {
    const { scene } = stage;
    const { covered, dot, cross } = glassbox.deform;
    const [pen, unit] = covered(stage.canvas, stage.picture, stage.picture);
    const device = stage.canvas.width / Math.max(1, stage.canvas.clientWidth);
    const place = ([y, x]) => [(x + 0.5) * unit, (y + 0.5) * unit];
    scene.points.forEach((p, k) => {
      pen.strokeStyle = 'rgba(255, 255, 255, .9)';
      pen.lineWidth = 1.5 * device;
      pen.beginPath();
      pen.moveTo(...place(scene.ghost[k]));
      pen.lineTo(...place(p));
      pen.stroke();
      dot(pen, ...place(scene.ghost[k]), 3 * device, '', '#fff', 1.5 * device);
      dot(pen, ...place(scene.goal[k]), 8 * device, '', '#2fd07f', 2.5 * device);
      dot(pen, ...place(p), 4.5 * device, '#ffd400', '#000', 1.5 * device);
    });
    cross(pen, ...place(scene.start), 6 * device);
  }

  function drawFit(root, scene) {
    let stage = root.gbFit && root.contains(root.gbFit.canvas) ? root.gbFit : null;
    if (!stage) {
      const found = glassbox.deform.panel('Yellow: the taps; rings: where they began (white) and where the true turn would put them (green)', '黄点：采样点；圆环：起点（白）与真实变换的位置（绿）');
      found.figure.classList.add('gb-fit');
      stage = { canvas: found.canvas, note: make('p', 'gb-note') };
      found.figure.append(stage.note);
      root.replaceChildren(found.figure);
      root.gbFit = stage;
      new ResizeObserver(() => paintFit(stage)).observe(stage.canvas);
    }
    stage.scene = scene;
    stage.picture = glassbox.deform.cells(scene.map, scene.rows, scene.columns);
    root.dataset.step = scene.step;
    glassbox.maps.words(stage.note, `Step ${scene.step - 1} of ${scene.plan}: the taps are ${scene.error} cells from the true places (rms); their gradient has the norm ${scene.gradient}.`,
      `第 ${scene.step - 1}/${scene.plan} 步：采样点距真实位置 ${scene.error} 格（均方根）；梯度范数 ${scene.gradient}。`);
    requestAnimationFrame(() => paintFit(stage));
    return null;
  }

  function drawConventions(root, scene) {
    const table = make('table', 'gb-habits');
    const row = (values, tag) => {
      const line = make('tr', '');
      values.forEach((text, k) => line.append(make(k ? tag : 'th', '', text)));
      return line;
    };
    const head = make('thead', ''), body = make('tbody', '');
    head.append(row(scene.columns, 'th'));
    body.append(...scene.rows.map((values) => row(values, 'td')));
    table.append(head, body);
    const frame = make('div', 'gb-habits-frame');
    frame.tabIndex = 0;
    frame.append(table);
    root.replaceChildren(frame);
    return null;
  }

  Object.assign((glassbox.stages ||= {}), { stack: drawStack, fit: drawFit, conventions: drawConventions });
})();
