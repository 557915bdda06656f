/* The lessons that are stepped or hovered: the state of linear attention, and the reach of a sparse mask.
   A state is added up here from its writes, so that stepping asks the server nothing. The page's own slider holds the step. */
(() => {
  const glassbox = (window.glassbox ||= {});
  const LAYERS = ['#d55e00', '#e69f00', '#7aa62f', '#009e73', '#2a7fbf', '#7b5fc7'];   // first layer to last
  const make = (tag, className, text) => glassbox.element(tag, { className }, text);
  const said = (label) => (label === '\\x0a' ? '↵' : label);
  const slider = () => document.querySelector('#attention-step input[type=range]');

  function panel(title, chinese, className = '') {
    const figure = make('figure', 'gb-panel ' + className);
    const canvas = make('canvas', '');
    figure.append(glassbox.maps.words(make('figcaption', ''), title, chinese), canvas);
    return { figure, canvas };
  }

  // S after `step` tokens, from S after `from` tokens
  function add(scene, total, from, step) {
    const { rows, columns, keys, writes } = scene;
    for (let i = from; i < step; i += 1) {
      for (let a = 0; a < rows; a += 1) {
        const weight = keys[i * rows + a];
        for (let b = 0; b < columns; b += 1) total[a * columns + b] += weight * writes[i * columns + b];
      }
    }
  }

  // relative error of reading every value so far with its own key: k^T S / k^T z, or k^T S under the delta rule
  function readBack({ scene, total, sum }, step) {
    const { rows, columns, keys, values } = scene;
    const errors = new Float32Array(scene.n);
    for (let j = 0; j < step; j += 1) {
      const key = keys.subarray(j * rows, (j + 1) * rows);
      const scale = scene.delta ? 1 : key.reduce((all, v, a) => all + v * sum[a], 0);
      let gap = 0;
      let size = 0;
      for (let b = 0; b < columns; b += 1) {
        let found = 0;
        for (let a = 0; a < rows; a += 1) found += key[a] * total[a * columns + b];
        const value = values[j * columns + b];
        gap += (found / scale - value) ** 2;
        size += value ** 2;
      }
      errors[j] = Math.sqrt(gap / size);
    }
    return errors;
  }

  function stepped(stage, step) {
    const { scene } = stage;
    const { paint, words, number, largest, bars } = glassbox.maps;
    if (step < stage.done) {
      stage.total.fill(0);
      stage.sum.fill(0);
      stage.done = 0;
    }
    add(scene, stage.total, stage.done, step);
    for (let i = stage.done; i < step; i += 1) for (let a = 0; a < scene.rows; a += 1) stage.sum[a] += scene.keys[i * scene.rows + a];
    stage.done = step;
    const last = step - 1;
    const write = new Float32Array(scene.rows * scene.columns);
    add(scene, write, last, step);
    const signed = { bound: scene.bound, signed: true };
    paint(stage.state.canvas, stage.total, scene.rows, scene.columns, signed);
    paint(stage.write.canvas, write, scene.rows, scene.columns, signed);
    paint(stage.sums, stage.sum, scene.rows, 1, { bound: stage.highest, signed: false });
    const errors = readBack(stage, step);
    const mean = errors.reduce((all, v) => all + v, 0) / step;
    const colour = getComputedStyle(stage.root).getPropertyValue('--gb-accent');
    bars(stage.recall.canvas, errors, 0, scene.n, { bound: Math.max(1, largest(errors)), signed: false, colour });
    stage.root.dataset.step = step;
    stage.root.dataset.mean = mean;
    const token = said(scene.labels[last]);
    words(stage.note, `After token ${step} of ${scene.n}, “${token}”: the value just written reads back with relative error ${number(errors[last])}, the first one with ${number(errors[0])}, all ${step} with ${number(mean)} on average. Tallest bar: ${number(largest(errors))}.`,
      `读入第 ${step}/${scene.n} 个符号「${token}」之后：刚写入的值读回的相对误差为 ${number(errors[last])}，第一个值为 ${number(errors[0])}，全部 ${step} 个平均为 ${number(mean)}。最高的柱：${number(largest(errors))}。`);
  }

  // the step lives in the page's slider: it travels in the link, and arrow keys move it
  function go(stage, step) {
    const input = slider(), next = Math.min(stage.scene.n, Math.max(1, step));
    stepped(stage, next);
    if (!input) return;
    input.value = next;
    input.dispatchEvent(new Event('input', { bubbles: true }));
  }

  function play(stage, on) {
    clearInterval(stage.timer);
    stage.timer = on ? setInterval(() => {
      if (!stage.root.isConnected || stage.done >= stage.scene.n) play(stage, false); else go(stage, stage.done + 1);
    }, 160) : 0;
    glassbox.maps.words(stage.button, on ? 'Pause' : 'Play', on ? '暂停' : '播放');
  }

  function drawState(root, scene) {
    const { floats, words } = glassbox.maps;
    for (const name of ['keys', 'writes']) scene[name] = floats(scene[name]);
    scene.values = scene.delta ? floats(scene.values) : scene.writes;
    const stage = { root, scene, total: new Float32Array(scene.rows * scene.columns), sum: new Float32Array(scene.rows), done: 0, note: make('p', 'gb-note') };
    stage.note.setAttribute('aria-live', 'polite');
    const whole = new Float32Array(scene.rows);
    scene.keys.forEach((v, at) => { whole[at % scene.rows] += v; });
    stage.highest = glassbox.maps.largest(whole) || 1;
    stage.state = scene.delta ? panel('State S', '状态 S') : panel('State S, and z at its right', '状态 S，右侧是 z');
    stage.sums = make('canvas', '');
    const beside = make('div', 'gb-beside');
    beside.append(stage.state.canvas, ...(scene.delta ? [] : [stage.sums]));
    stage.state.figure.append(beside);
    stage.write = panel('What this step adds to S', '这一步加到 S 上的部分');
    stage.recall = panel('Relative error of reading every value back with its own key', '用各自的键读回每个值的相对误差', 'gb-strip');
    const buttons = make('div', 'gb-stage-buttons');
    const button = (en, zh, press) => {
      const node = words(glassbox.element('button', { type: 'button' }), en, zh);
      node.addEventListener('click', press);
      buttons.append(node);
      return node;
    };
    button('Back', '后退', () => { play(stage, false); go(stage, stage.done - 1); });
    stage.button = button('Play', '播放', () => {
      if (!stage.timer && stage.done >= scene.n) go(stage, 1);
      play(stage, !stage.timer);
    });
    button('Forward', '前进', () => { play(stage, false); go(stage, stage.done + 1); });
    const row = make('div', 'gb-panels');
    row.append(stage.state.figure, stage.write.figure);
    root.replaceChildren(buttons, row, stage.recall.figure, stage.note);
    stage.state.canvas.setAttribute('role', 'img');
    stage.state.canvas.setAttribute('aria-label', `State of ${scene.rows} features by ${scene.columns} value channels; the sentence below says what it holds`);
    stepped(stage, Math.min(scene.step, scene.n));
    return stage;
  }

  function drawMask(root, scene) {
    const { bytes, words, number, cell } = glassbox.maps;
    const first = bytes(scene.first);
    const { n } = scene;
    const hue = (layer) => LAYERS[scene.depth <= LAYERS.length ? layer - 1 : Math.round(((layer - 1) / (scene.depth - 1)) * (LAYERS.length - 1))];
    const show = (canvas, depth) => {
      Object.assign(canvas, { width: n, height: n, tabIndex: 0 });
      const pen = canvas.getContext('2d');
      first.forEach((layer, at) => {
        if (!layer || layer > depth) return;
        pen.fillStyle = hue(layer);
        pen.fillRect(at % n, Math.floor(at / n), 1, 1);
      });
      canvas.setAttribute('role', 'img');
    };
    const one = panel('What one layer may look at', '一层可以看到的位置');
    const all = panel(`What ${scene.depth} layers reach`, `${scene.depth} 层可达的位置`);
    show(one.canvas, 1);
    show(all.canvas, scene.depth);
    const key = make('p', 'gb-layers');
    scene.reach.forEach((share, k) => {
      const entry = words(make('span', ''), `${k + 1} layer${k ? 's' : ''}: ${number(100 * share)} %`, `${k + 1} 层：${number(100 * share)} %`);
      entry.style.setProperty('--hue', hue(k + 1));
      key.append(entry);
    });
    const note = make('p', 'gb-note');
    note.setAttribute('aria-live', 'polite');
    let at = [n - 1, 0];
    const say = () => {
      const layer = first[at[0] * n + at[1]];
      const pair = [said(scene.labels[at[0]]), said(scene.labels[at[1]])];
      words(note, `Query ${at[0]} “${pair[0]}” ${layer ? `first depends on key ${at[1]} “${pair[1]}” after ${layer} layer${layer > 1 ? 's' : ''}` : `does not depend on key ${at[1]} “${pair[1]}” within ${scene.depth} layers`}.`,
        `查询 ${at[0]}「${pair[0]}」${layer ? `经过 ${layer} 层后首次依赖` : `在 ${scene.depth} 层之内不依赖`}键 ${at[1]}「${pair[1]}」。`);
    };
    for (const { canvas } of [one, all]) {
      canvas.setAttribute('aria-label', 'Map of queries by keys; arrow keys read it');
      canvas.addEventListener('pointermove', (event) => { at = cell(event, canvas, n, n); say(); });
      canvas.addEventListener('keydown', (event) => {
        const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
        if (!step) return;
        event.preventDefault();
        at = at.map((value, k) => Math.min(n - 1, Math.max(0, value + step[k])));
        say();
      });
    }
    const row = make('div', 'gb-panels');
    row.append(one.figure, all.figure);
    root.replaceChildren(row, key, note);
    say();
    return null;
  }

  Object.assign((glassbox.stages ||= {}), { state: drawState, mask: drawMask });

  // element: the component's root; scene: a dict of ui/figures/stages.py, or null
  function stage(element, scene) {
    const root = element.querySelector('.gb-stage');
    if (!root) return;
    if (root.glassbox) play(root.glassbox, false);
    root.glassbox = null;
    root.dataset.kind = scene ? scene.kind : '';
    if (!scene) { root.replaceChildren(); return; }
    root.glassbox = glassbox.stages[scene.kind](root, { ...scene });
  }

  // called by the page's slider: browser only
  function step(value) {
    const found = document.querySelector('#attention-stage .gb-stage')?.glassbox;
    if (found) stepped(found, Math.min(found.scene.n, Math.max(1, Number(value))));
  }

  Object.assign(glassbox, { stage, step });
})();
