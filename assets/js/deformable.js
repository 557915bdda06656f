/* The Deformable tab's stage for one output: points on the picture, the cells that they read, a tap that is dragged, its four neighbours, and
   the sum that the browser adds up at once. Own taps, raw modulations and the place are written into the page's fields, so that links know them. */
(() => {
  const glassbox = (window.glassbox ||= {});
  const make = (tag, className, text) => glassbox.element(tag, { className }, text);
  const GROUPS = ['#ffd400', '#ff7f0e', '#ff4f9a', '#b06bff'];
  const DRAGGED = ['dcn1', 'dcn2', 'dcn3'];
  const NEAR = 14;             // CSS px within which a point is meant

  function send(name, text) {
    const input = document.querySelector(`#deformable-${name} textarea, #deformable-${name} input`);
    if (!input) return;
    Object.getOwnPropertyDescriptor(Object.getPrototypeOf(input), 'value').set.call(input, text);
    input.dispatchEvent(new Event('input', { bubbles: true }));
  }

  // bytes of colours -> a canvas of one pixel for each cell
  function cells(text, rows, columns) {
    const rgb = glassbox.maps.bytes(text);
    const canvas = document.createElement('canvas');
    Object.assign(canvas, { width: columns, height: rows });
    const data = new ImageData(columns, rows);
    for (let i = 0; i < rows * columns; i += 1) data.data.set([rgb[3 * i], rgb[3 * i + 1], rgb[3 * i + 2], 255], 4 * i);
    canvas.getContext('2d').putImageData(data, 0, 0);
    return canvas;
  }

  // the pen of a canvas that is cleared and covered by a picture of cells, or by `photo` in its place; [pen, device pixels of one cell]
  function covered(canvas, picture, photo) {
    const [pen, width] = glassbox.board.sized(canvas, picture.width / picture.height);
    pen.imageSmoothingEnabled = Boolean(photo);
    pen.imageSmoothingQuality = 'high';
    pen.drawImage(photo || picture, 0, 0, canvas.width, canvas.height);
    pen.imageSmoothingEnabled = false;
    return [pen, width / picture.width];
  }

  // loads the photograph of a scene unless it is there; `ready` draws
  function photograph(stage, url, ready) {
    if (stage.url === url) return;
    const image = new Image();
    Object.assign(stage, { url, photo: null });
    image.onload = () => { if (stage.url === url) { stage.photo = image; ready(stage); } };
    image.src = url;
  }

  function dot(pen, x, y, radius, fill, line = 'rgba(0, 0, 0, .85)', width = 1.5) {
    pen.beginPath();
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    if (fill) { pen.fillStyle = fill; pen.fill(); }
    pen.lineWidth = width;
    pen.strokeStyle = line;
    pen.stroke();
  }

  function cross(pen, x, y, size) {
    for (const [colour, width] of [['rgba(0, 0, 0, .8)', 5], ['#fff', 2]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = width;
      pen.beginPath();
      pen.moveTo(x - size, y);
      pen.lineTo(x + size, y);
      pen.moveTo(x, y - size);
      pen.lineTo(x, y + size);
      pen.stroke();
    }
  }

  // --- the picture with its points ---

  function paint(stage) {
    const { scene, chosen } = stage;
    const [pen, unit] = covered(stage.canvas, stage.picture, stage.coarse ? null : stage.photo);
    const place = ([y, x]) => [(x + 0.5) * unit, (y + 0.5) * unit];
    const largest = Math.max(...scene.points.map((p) => Math.abs(p.weight)), 1e-9), few = scene.points.length <= 9;
    const device = stage.canvas.width / Math.max(1, stage.canvas.clientWidth);
    if (few) for (const p of scene.points) squares(stage, pen, unit, p, 0);
    if (scene.points[chosen]) squares(stage, pen, unit, scene.points[chosen], device);
    if (few || scene.operator === 'dat') {
      for (const p of scene.points) {
        const from = place(p.ghost), to = place(p.at);
        pen.strokeStyle = 'rgba(255, 255, 255, .75)';
        pen.lineWidth = device;
        pen.beginPath();
        pen.moveTo(...from);
        pen.lineTo(...to);
        pen.stroke();
        dot(pen, ...from, 4 * device, '', 'rgba(255, 255, 255, .95)', 1.5 * device);
      }
    }
    scene.points.forEach((p, k) => {
      const radius = (2 + (few ? 3.5 : 4.5) * Math.sqrt(Math.abs(p.weight) / largest)) * device;
      dot(pen, ...place(p.at), radius, p.weight < 0 ? '#3aa0ff' : GROUPS[p.group], k === chosen ? '#fff' : 'rgba(0, 0, 0, .85)', (k === chosen ? 3 : 1.5) * device);
    });
    cross(pen, ...place(scene.start), 8 * device);
    inset(stage);
    tell(stage);
  }

  // a point's place in its group's own map
  function inGroup(scene, p) {
    const size = scene.sizes[p.group] || scene.sizes[0];
    return [size, [((p.at[0] + 0.5) / scene.rows) * size[0] - 0.5, ((p.at[1] + 0.5) / scene.columns) * size[1] - 0.5]];
  }

  // the four cells that a point reads, in their own colours; outlined where a line's width is given
  function squares(stage, pen, unit, p, line) {
    const { scene } = stage;
    const [size, at] = inGroup(scene, p);
    const high = scene.rows / size[0], wide = scene.columns / size[1];
    for (const one of glassbox.reading.around(at, size)) {
      const box = [one.column * wide * unit, one.row * high * unit, wide * unit, high * unit];
      if (one.inside) pen.drawImage(stage.levels[p.group], one.column, one.row, 1, 1, ...box);
      if (line) glassbox.board.outline(pen, ...box, one.inside ? '#fff' : '#999', line);
    }
  }

  // the chosen point from near: its four cells and their weights
  function inset(stage) {
    const { scene } = stage;
    const p = scene.points[stage.chosen];
    const [pen, width, height] = glassbox.board.sized(stage.near, 1);
    pen.fillStyle = '#777';
    pen.fillRect(0, 0, width, height);
    if (!p) return;
    const [size, at] = inGroup(scene, p);
    const four = glassbox.reading.around(at, size);
    const unit = width / 4, top = four[0].row - 1, left = four[0].column - 1;
    pen.imageSmoothingEnabled = false;
    pen.drawImage(stage.levels[p.group], left, top, 4, 4, 0, 0, width, height);
    const text = Math.round(unit / 4.2);
    pen.font = `600 ${text}px system-ui, sans-serif`;
    pen.textAlign = 'center';
    for (const one of four) {
      const x = (one.column - left) * unit, y = (one.row - top) * unit;
      glassbox.board.outline(pen, x, y, unit, unit, one.inside ? '#fff' : '#bbb', 2);
      pen.lineWidth = 4;
      pen.strokeStyle = 'rgba(0, 0, 0, .8)';
      pen.fillStyle = '#fff';
      const said = one.inside ? one.weight.toFixed(2) : '0';
      pen.strokeText(said, x + unit / 2, y + unit - text / 2);
      pen.fillText(said, x + unit / 2, y + unit - text / 2);
    }
    dot(pen, (at[1] - left + 0.5) * unit, (at[0] - top + 0.5) * unit, unit / 9, p.weight < 0 ? '#3aa0ff' : GROUPS[p.group], '#fff', 3);
  }

  function swatch(node, value, signed) {
    const shown = value.map((v) => Math.round(255 * Math.min(1, Math.max(0, signed ? 0.5 + 0.5 * v : v))));
    node.style.background = `rgb(${shown.join(', ')})`;
    node.title = value.map((v) => v.toFixed(3)).join(', ');
  }

  function tell(stage) {
    const { scene } = stage;
    const { words, number } = glassbox.maps;
    const p = scene.points[stage.chosen];
    const sum = glassbox.reading.total(scene.points);
    swatch(stage.swatches.output, sum, scene.signed);
    swatch(stage.swatches.plain, scene.plain, scene.signed);
    if (p) swatch(stage.swatches.value, p.value, false);
    stage.root.dataset.output = sum.map((v) => v.toFixed(4)).join(' ');
    const shared = scene.points.reduce((all, one) => all + one.share, 0);
    const [now, before] = [sum, scene.plain].map((values) => values.map((v) => v.toFixed(3)).join(', '));
    words(stage.sum, `Output ${now}; without offsets ${before}. Modulations or weights sum to ${number(shared)}.`, `输出 ${now}；无偏移时 ${before}。调制或权重之和为 ${number(shared)}。`);
    if (!p) return;
    const [y, x] = p.at.map((v) => v.toFixed(2));
    words(stage.said, `${p.name}: reads at y ${y}, x ${x}, weight ${number(p.weight)}.`, `${p.name}：读取位置 y ${y}、x ${x}，权重 ${number(p.weight)}。`);
    const modulated = scene.operator === 'dcn2' || scene.operator === 'dcn3';
    stage.raw.hidden = !modulated;
    if (modulated && document.activeElement !== stage.slider) stage.slider.value = scene.raw[stage.chosen];
    if (modulated) words(stage.rawSaid, `Raw modulation of this tap: ${number(Number(scene.raw[stage.chosen]))}, becomes ${number(p.share)}`, `该采样点的原始调制：${number(Number(scene.raw[stage.chosen]))}，变为 ${number(p.share)}`);
  }

  // --- moving ---

  const rounded = (v) => Math.round(v * 1000) / 1000;

  function written(scene) {
    const d = scene.dilation, scale = scene.operator === 'dcn3' ? scene.scale : 1;
    return JSON.stringify(scene.points.map((p, k) => [[Math.floor(k / 3) - 1, 0], [(k % 3) - 1, 1]].map(([step, axis]) =>
      rounded((p.at[axis] - scene.start[axis]) / scale - step * d))));
  }

  function later(stage, name, text) {
    stage.moved = performance.now();
    clearTimeout(stage.timer);
    stage.timer = setTimeout(() => send(name, text()), 50);
  }

  function moveTap(stage, y, x) {
    const p = stage.scene.points[stage.chosen];
    const far = Math.max(stage.scene.rows, stage.scene.columns);
    p.at = [y, x].map((v) => Math.min(2 * far, Math.max(-far, v)));
    p.value = glassbox.reading.read(stage, p.at);
    paint(stage);
    later(stage, 'offsets', () => written(stage.scene));
  }

  function goTo(stage, row, column) {
    const { rows, columns } = stage.scene;
    const r = Math.min(rows - 1, Math.max(0, row)), c = Math.min(columns - 1, Math.max(0, column));
    stage.place = [r, c];
    stage.placed = performance.now();
    clearTimeout(stage.walk);
    stage.walk = setTimeout(() => send('at', JSON.stringify([rounded((r + 0.5) / rows), rounded((c + 0.5) / columns)])), 40);
  }

  function listen(stage) {
    const { canvas } = stage;
    const under = (event) => {
      const box = canvas.getBoundingClientRect();
      return [((event.clientY - box.top) / box.height) * stage.scene.rows - 0.5, ((event.clientX - box.left) / box.width) * stage.scene.columns - 0.5, box.width / stage.scene.columns];
    };
    canvas.addEventListener('pointerdown', (event) => {
      const [y, x, unit] = under(event);
      const gaps = stage.scene.points.map((p) => Math.hypot(p.at[0] - y, p.at[1] - x) * unit);
      const nearest = gaps.indexOf(Math.min(...gaps));
      if (!(gaps[nearest] < NEAR)) { goTo(stage, Math.round(y), Math.round(x)); return; }
      event.preventDefault();
      canvas.focus();
      stage.chosen = nearest;
      stage.drag = DRAGGED.includes(stage.scene.operator);
      canvas.setPointerCapture(event.pointerId);
      paint(stage);
    });
    canvas.addEventListener('pointermove', (event) => { if (stage.drag) moveTap(stage, ...under(event)); });
    for (const name of ['pointerup', 'pointercancel']) canvas.addEventListener(name, () => { stage.drag = false; });
    canvas.addEventListener('keydown', (event) => keyed(stage, event));
    stage.slider.addEventListener('input', () => {
      stage.scene.raw[stage.chosen] = Number(stage.slider.value);
      glassbox.reading.reweigh(stage);
      paint(stage);
      later(stage, 'raw', () => JSON.stringify(stage.scene.raw));
    });
  }

  function keyed(stage, event) {
    const { points } = stage.scene;
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (event.key === 'n' || event.key === 'p') {
      stage.chosen = (stage.chosen + (event.key === 'n' ? 1 : points.length - 1)) % points.length;
      paint(stage);
    }
    if (!step) return;
    event.preventDefault();
    if (!event.shiftKey) {
      const from = performance.now() - stage.placed < 500 ? stage.place : stage.scene.start;
      goTo(stage, from[0] + step[0], from[1] + step[1]);
    } else if (DRAGGED.includes(stage.scene.operator)) {
      const { at } = points[stage.chosen];
      moveTap(stage, at[0] + 0.25 * step[0], at[1] + 0.25 * step[1]);
    }
  }

  // --- the stage ---

  function panel(en, zh) {
    const found = glassbox.board.panel(en, zh);
    found.canvas.className = 'gb-cells';
    return found;
  }

  function built(root) {
    const { words } = glassbox.maps;
    const stage = { root, chosen: 0, drag: false, moved: -1e9, placed: -1e9, place: [0, 0], swatches: {} };
    const main = panel('Where it reads', '读取的位置');
    const near = panel('The chosen point and its four cells', '所选采样点与四个邻格');
    Object.assign(stage, { caption: main.caption, canvas: main.canvas, near: near.canvas, said: make('p', 'gb-note'), sum: make('p', 'gb-note'), raw: make('label', 'gb-raw') });
    stage.canvas.tabIndex = 0;
    stage.canvas.setAttribute('role', 'application');
    stage.canvas.setAttribute('aria-label', 'The map: arrow keys move the output, n and p choose a point, shift and arrows move it');
    stage.said.setAttribute('aria-live', 'polite');
    stage.slider = glassbox.element('input', { type: 'range', min: -8, max: 8, step: 0.1 });
    stage.rawSaid = make('span', '');
    stage.raw.append(stage.rawSaid, stage.slider);
    const chips = make('p', 'gb-swatches');
    for (const [name, en, zh] of [['value', 'read here', '此处读值'], ['output', 'output', '输出'], ['plain', 'without offsets', '无偏移']]) {
      const chip = make('span', 'gb-swatch');
      stage.swatches[name] = make('i', '');
      chip.append(stage.swatches[name], words(make('span', ''), en, zh));
      chips.append(chip);
    }
    const buttons = make('div', 'gb-stage-buttons');
    stage.back = glassbox.board.button('Back to the pattern', '恢复预设偏移', () => { stage.moved = -1e9; send('offsets', '[]'); });
    stage.even = glassbox.board.button('Equal modulation', '均等调制', () => { stage.moved = -1e9; send('raw', '[]'); });
    stage.cells = glassbox.board.button('Show all cells', '显示全部格子', () => { stage.coarse = !stage.coarse; paint(stage); });
    buttons.append(stage.cells, glassbox.reading.exact(stage.root), stage.back, stage.even);
    stage.legend = make('p', 'gb-swatches');
    main.figure.append(stage.legend);
    near.figure.append(stage.said, stage.raw, chips, stage.sum, buttons);
    const regular = panel('Every output without offsets', '无偏移的全部输出');
    const whole = panel('Every output with them', '有偏移的全部输出');
    Object.assign(stage, { regular: regular.canvas, whole: whole.canvas });
    const first = make('div', 'gb-reads'), second = make('div', 'gb-twins');
    first.append(main.figure, near.figure);
    second.append(regular.figure, whole.figure);
    root.replaceChildren(first, second);
    listen(stage);
    new ResizeObserver(() => { if (stage.canvas.clientWidth) all(stage); }).observe(stage.canvas);
    return stage;
  }

  function all(stage) {
    const { rows, columns, whole, regular } = stage.scene;
    paint(stage);
    covered(stage.whole, cells(whole, rows, columns));
    covered(stage.regular, cells(regular, rows, columns));
  }

  // the levels' colours, where there are several
  function named(stage) {
    stage.legend.replaceChildren(...(stage.scene.sizes.length > 1 ? stage.scene.sizes : []).map(([rows, columns], k) => {
      const chip = make('span', 'gb-swatch gb-level');
      const colour = make('i', '');
      colour.style.background = GROUPS[k];
      chip.append(colour, glassbox.maps.words(make('span', ''), `level ${k + 1}: ${rows} × ${columns} cells`, `层级 ${k + 1}：${rows} × ${columns} 格`));
      return chip;
    }));
  }

  function drawTaps(root, scene) {
    const before = root.gbTaps && root.contains(root.gbTaps.canvas) ? root.gbTaps : null;
    const stage = before || built(root);
    const mine = stage.scene;
    const busy = before && mine.operator === scene.operator && (stage.drag || performance.now() - stage.moved < 400);
    root.gbTaps = stage;
    scene.points = glassbox.reading.points(scene);
    scene.points.forEach((p) => { p.kernel = p.share ? p.weight / p.share : 0; });
    if (busy) Object.assign(scene, { points: mine.points, raw: mine.raw });   // what is being moved is newer than the answer
    stage.scene = scene;
    const dragged = DRAGGED.includes(scene.operator);
    const same = before && mine.operator === scene.operator && mine.points.length === scene.points.length;
    const weights = scene.points.map((p) => p.weight);
    if (!same) stage.chosen = dragged ? 2 : weights.indexOf(Math.max(...weights));
    if (dragged) glassbox.maps.words(stage.caption, 'Where it reads: click a place, drag a point', '读取的位置：点击选择输出，拖动采样点');
    else glassbox.maps.words(stage.caption, 'Where it reads: click a place or a point', '读取的位置：点击选择输出或采样点');
    stage.rgb = glassbox.maps.bytes(scene.map);
    stage.picture = cells(scene.map, scene.rows, scene.columns);
    stage.levels = scene.sizes.map((size, k) => (k ? glassbox.reading.level(stage.rgb, scene.columns, scene.rows, size, k) : stage.picture));
    named(stage);
    photograph(stage, scene.photo, paint);
    stage.back.hidden = !scene.own;
    stage.even.hidden = !scene.raw.some((v) => v) || !['dcn2', 'dcn3'].includes(scene.operator);
    requestAnimationFrame(() => all(stage));
    return null;
  }

  Object.assign((glassbox.stages ||= {}), { taps: drawTaps });
  Object.assign(glassbox, { deform: { cells, covered, photograph, dot, cross, send, rounded, panel } });
})();
