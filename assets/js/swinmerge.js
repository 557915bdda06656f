/* Two smaller faces of the Swin tab: the pyramid of patch merging, and the tables of the position bias, which can be edited. */
(() => {
  const HUES = () => glassbox.board.HUES;

  function stageMap(stage, one, canvas, covers) {
    const { scene, picture } = stage;
    const base = scene.stages[0];
    const aspect = Math.min(2.5, Math.max(0.4, scene.aspect));
    const [pen, w, h] = glassbox.board.sized(canvas, aspect);
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
    pen.strokeStyle = 'rgba(255, 255, 255, .45)';
    pen.lineWidth = 1;
    for (let r = 1; r < one.rows; r += 1) { pen.beginPath(); pen.moveTo(0, r * ch); pen.lineTo(w, r * ch); pen.stroke(); }
    for (let c = 1; c < one.columns; c += 1) { pen.beginPath(); pen.moveTo(c * cw, 0); pen.lineTo(c * cw, h); pen.stroke(); }
    if (covers > 1) {
      scene.order.forEach(([dr, dc], k) => {
        const [x, y] = [token[1] * cw + dc * cw / 2, token[0] * ch + dr * ch / 2];
        if (x >= w || y >= h) return;
        pen.globalAlpha = 0.45;
        pen.fillStyle = HUES()[k];
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
    glassbox.board.outline(pen, token[1] * cw, token[0] * ch, Math.min(cw, w - token[1] * cw), Math.min(ch, h - token[0] * ch), '#ffffff', 2);
  }

  function caption(one, k) {
    const shift = one.shift[0] || one.shift[1];
    const zeros = one.padded[0] + one.padded[1];
    return [
      `Stage ${k + 1}: ${one.rows} × ${one.columns} tokens of ${one.pixels} px, ${one.channels} channels; ${one.windows} window${one.windows > 1 ? 's' : ''}, ${shift ? `shift ${shift}` : 'no shift'}${zeros ? '; zeros were added to make it even' : ''}`,
      `阶段 ${k + 1}：${one.rows} × ${one.columns} 个 token，每个 ${one.pixels} 像素，${one.channels} 通道；${one.windows} 个窗口，${shift ? `移位 ${shift}` : '不移位'}${zeros ? '；先补零成偶数' : ''}`];
  }

  function start(stage) {
    stage.row = glassbox.board.make('div', 'gb-board-pyramid');
    stage.body.append(stage.row);
  }

  function draw(stage, anew) {
    const { scene } = stage;
    if (anew) {
      stage.panels = scene.stages.map((one, k) => {
        const made = glassbox.board.panel(...caption(one, k));
        const find = (event) => glassbox.maps.cell(event, made.canvas, scene.stages[0].rows, scene.stages[0].columns);
        const grid = () => ({ rows: stage.scene.stages[0].rows, columns: stage.scene.stages[0].columns, token: stage.scene.token, find });
        glassbox.board.pointing(made.canvas, grid, (r, c) => {
          stage.scene.token = [r, c];
          draw(stage);
          stage.trigger('pick', { y: (r + 0.5) / stage.scene.stages[0].rows, x: (c + 0.5) / stage.scene.stages[0].columns });
        });
        made.canvas.setAttribute('aria-label', `Stage ${k + 1}: ${one.rows} by ${one.columns} tokens; arrow keys move the token of the first stage`);
        return made;
      });
      const focused = [...stage.row.querySelectorAll('canvas')].indexOf(document.activeElement);
      stage.row.replaceChildren(...stage.panels.map((one) => one.figure));
      if (focused >= 0) stage.panels[focused].canvas.focus();
    }
    scene.stages.forEach((one, k) => stageMap(stage, one, stage.panels[k].canvas, 2 ** k));
    const names = (order) => order.map((pair) => `(${pair.join(', ')})`).join(' ');
    glassbox.board.say(stage, `Four neighbours become one token: concatenated as ${names(scene.order)} (row, column), down before across; pixel_unshuffle would give ${names(scene.unshuffle)}.`,
      `四个相邻 token 合成一个：按 ${names(scene.order)}（行，列）拼接，先向下再向右；pixel_unshuffle 的顺序是 ${names(scene.unshuffle)}。`);
  }

  // ---- the bias tables ----

  function tables(element, props, trigger) {
    const root = element.querySelector('.gb-board-bias');
    const scene = props.value;
    if (!root || !scene) return;
    const state = root.glassbox || begin(root, trigger);
    state.scene = { ...scene };
    state.values = glassbox.maps.floats(scene.data);
    state.small = Float32Array.from(glassbox.maps.bytes(scene.small), (level) => level - 128);
    const [dy, dx] = scene.edited.at(-1) || [0, 0];
    if (!state.at || state.at[0] >= scene.rows || state.at[1] >= scene.columns) state.at = [dy + (scene.rows - 1) / 2, dx + (scene.columns - 1) / 2];
    shown(state);
    glassbox.board.link(state, offset(state));
  }

  function begin(root, trigger) {
    const { panel, make, button } = glassbox.board;
    const state = { root, trigger, big: panel('', ''), heads: make('div', 'gb-board-cards'), note: make('p', 'gb-note'), at: null };
    state.note.setAttribute('aria-live', 'polite');
    const bar = make('div', 'gb-stage-buttons');
    const change = (by) => () => edit(state, by);
    bar.append(button('−1', '−1', change(-1)), button('+1', '+1', change(1)), button('−5', '−5', change(-5)), button('+5', '+5', change(5)),
      button('Reset the cell', '还原此格', () => state.trigger('edit', { ...offset(state), value: null })), button('Reset all', '全部还原', () => state.trigger('edit', { all: true })));
    const left = make('div', 'gb-board-table');
    left.append(state.big.figure, bar, state.note);
    const row = make('div', 'gb-board-model');
    row.append(left, state.heads);
    root.replaceChildren(row);
    const { canvas } = state.big;
    canvas.tabIndex = 0;
    canvas.setAttribute('role', 'application');
    const under = (event) => glassbox.maps.cell(event, canvas, state.scene.rows, state.scene.columns);
    canvas.addEventListener('click', (event) => { state.at = under(event); big(state); glassbox.board.link(state, offset(state)); });
    canvas.addEventListener('pointermove', (event) => glassbox.board.link(state, offset(state, under(event))));
    canvas.addEventListener('pointerleave', () => glassbox.board.link(state, offset(state)));
    state.pointed = (pair) => { state.pair = pair; big(state); };
    canvas.addEventListener('keydown', (event) => {
      const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      if (event.key === '+' || event.key === '-') edit(state, event.key === '+' ? 1 : -1);
      else if (step) state.at = state.at.map((v, k) => Math.min([state.scene.rows, state.scene.columns][k] - 1, Math.max(0, v + step[k])));
      else return;
      event.preventDefault();
      big(state);
      glassbox.board.link(state, offset(state));
    });
    root.glassbox = state;
    return state;
  }

  function offset(state, at = state.at) {
    return { dy: at[0] - (state.scene.rows - 1) / 2, dx: at[1] - (state.scene.columns - 1) / 2 };
  }

  function cell(state) { return state.at[0] * state.scene.columns + state.at[1]; }

  function edit(state, by) {
    const value = Math.max(-20, Math.min(20, Math.round((state.values[cell(state)] + by) * 100) / 100));
    state.values[cell(state)] = value;
    shown(state);
    glassbox.board.attention();
    state.trigger('edit', { ...offset(state), value });
  }

  // a head's table: its numbers where it is the drawn one, else levels of one byte
  function table(state, head) {
    const size = state.scene.rows * state.scene.columns;
    return head === state.scene.head ? state.values : state.small.subarray(head * size, (head + 1) * size);
  }

  function big(state) {
    const { scene } = state;
    const { paint, words, number, largest } = glassbox.maps;
    const [pen, w, h] = glassbox.board.sized(state.big.canvas, scene.columns / scene.rows);
    const small = document.createElement('canvas');
    const shownTable = table(state, scene.head);
    paint(small, shownTable, scene.rows, scene.columns, { bound: largest(shownTable) || 1, signed: true });
    pen.imageSmoothingEnabled = false;
    pen.drawImage(small, 0, 0, w, h);
    const [cw, ch] = [w / scene.columns, h / scene.rows];
    const middle = [(scene.rows - 1) / 2, (scene.columns - 1) / 2];
    const marks = [...scene.edited.map(([dy, dx]) => [dy + middle[0], dx + middle[1], '#e69f00']), [...state.at, '#ffffff']];
    if (state.pair) marks.push([state.pair.dy + middle[0], state.pair.dx + middle[1], glassbox.board.LINK]);
    for (const [r, c, colour] of marks) glassbox.board.outline(pen, c * cw + 1, r * ch + 1, cw - 2, ch - 2, colour, 2);
    const { dy, dx } = offset(state);
    const pairs = ((scene.rows + 1) / 2 - Math.abs(dy)) * ((scene.columns + 1) / 2 - Math.abs(dx));
    words(state.big.caption, `Bias of head ${scene.head + 1}: rows are dy, columns dx, query − key; blue below zero, red above`, `头 ${scene.head + 1} 的偏置：行为 dy，列为 dx，查询 − 键；蓝色小于零，红色大于零`);
    words(state.note, `Offset (${dy}, ${dx}): ${number(shownTable[state.at[0] * scene.columns + state.at[1]])}, shared by the ${pairs} pairs of every window that are marked above. Keys + and − change it; the attention above follows.`,
      `偏移 (${dy}, ${dx})：${number(shownTable[state.at[0] * scene.columns + state.at[1]])}，每个窗口中有 ${pairs} 对共用，已在上面标出。按 + 和 − 修改，上面的注意力随之变化。`);
    state.big.canvas.setAttribute('aria-label', `Bias table of head ${scene.head + 1}, ${scene.rows} by ${scene.columns} offsets; arrow keys choose a cell, plus and minus change it`);
  }

  function shown(state) {
    const { scene } = state;
    big(state);
    state.heads.replaceChildren(...Array.from({ length: scene.heads }, (_, head) => {
      const node = glassbox.board.make('button', 'gb-board-card');
      node.type = 'button';
      const canvas = glassbox.board.make('canvas', '');
      const values = table(state, head);
      glassbox.maps.paint(canvas, values, scene.rows, scene.columns, { bound: glassbox.maps.largest(values) || 1, signed: true });
      node.append(canvas, glassbox.maps.words(glassbox.board.make('span', ''), `Head ${head + 1}`, `头 ${head + 1}`));
      node.setAttribute('aria-pressed', head === scene.head);
      node.addEventListener('click', () => state.trigger('choose', { head: head + 1 }));
      return node;
    }));
    state.root.dataset.head = scene.head + 1;
  }

  glassbox.board.faces.merge = { start, draw };
  glassbox.swinBias = tables;
})();
