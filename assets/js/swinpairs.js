/* The pairs of the Swin stage's chosen window: who may look at whom, or how much. In the view of the position bias they are linked with the
   table: a cell of it marks all pairs of its offset, and the key that the chosen token reads with it; a pair marks its cell. Where both libraries are shown, the other one's map takes their place. */
(() => {
  const CLOSED = '#20262e';
  const LINK = '#ffd166';

  const stageNow = () => {
    const stage = document.querySelector('.gb-tab-swin .gb-board')?.glassbox;
    return stage && stage.kind === 'board' && stage.now ? stage : null;
  };

  const tableNow = () => document.querySelector('.gb-tab-swin .gb-board-bias')?.glassbox;

  // the offset of the table's cell that is chosen or pointed at; null in the other views
  function linked({ scene }) {
    return scene.view === 'bias' ? tableNow()?.linked : null;
  }

  // (dy, dx) = query - key of two places of a window
  function apart({ mw }, i, j) {
    return { dy: Math.floor(i / mw) - Math.floor(j / mw), dx: (i % mw) - (j % mw) };
  }

  // all pairs of the window, one pixel each
  function grid(stage, weighted) {
    const { scene, map: m, chosen } = stage;
    const small = Object.assign(document.createElement('canvas'), { width: m.n, height: m.n });
    if (weighted) {
      const from = chosen.cell.window * m.n * m.n;
      const values = m.weights.slice(from, from + m.n * m.n);
      glassbox.maps.paint(small, values, m.n, m.n, { bound: glassbox.maps.largest(values) || 1, signed: false });
      return small;
    }
    const brush = small.getContext('2d');
    const members = m.members[chosen.cell.window];
    members.forEach((a, i) => members.forEach((b, j) => {
      brush.fillStyle = !scene.masked || a.region === b.region ? glassbox.board.HUES[a.region] : CLOSED;
      brush.fillRect(j, i, 1, 1);
    }));
    return small;
  }

  function marks(stage, pen, size) {
    const { map: m } = stage;
    const offset = linked(stage);
    if (!offset) return;
    for (let i = 0; i < m.n; i += 1) {
      for (let j = 0; j < m.n; j += 1) {
        const { dy, dx } = apart(m, i, j);
        if (dy !== offset.dy || dx !== offset.dx) continue;
        pen.fillStyle = '#000';
        pen.fillRect(j * size, i * size, size, size);
        pen.fillStyle = LINK;
        pen.fillRect(j * size + 1, i * size + 1, Math.max(1, size - 2), Math.max(1, size - 2));
      }
    }
  }

  function pairs(stage, weighted) {
    const { map: m, chosen, parts } = stage;
    const { words } = glassbox.maps;
    const [pen, width] = glassbox.board.sized(parts.pairs.canvas, 1);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(grid(stage, weighted), 0, 0, width, width);
    const size = width / m.n;
    marks(stage, pen, size);
    glassbox.board.outline(pen, 1, chosen.cell.inner * size, width - 2, size, '#ffffff', 1.5);
    if (weighted) words(parts.pairs.caption, `Attention, ${m.n} × ${m.n}`, `窗口内的注意力，${m.n} × ${m.n}`);
    else words(parts.pairs.caption, `Who sees whom, ${m.n} × ${m.n}`, `谁可以看谁，${m.n} × ${m.n}`);
    parts.pairs.canvas.setAttribute('aria-label', `${m.n} by ${m.n} pairs of the chosen window; the sentence below says what is under the pointer`);
  }

  // the place of the window that the chosen token reads with the marked offset, or null
  function reads(stage) {
    const { map: m, chosen } = stage;
    const offset = linked(stage);
    if (!offset) return null;
    const [r, c] = [Math.floor(chosen.cell.inner / m.mw) - offset.dy, (chosen.cell.inner % m.mw) - offset.dx];
    return r >= 0 && c >= 0 && r < m.mh && c < m.mw ? m.members[chosen.cell.window][r * m.mw + c] : null;
  }

  // a cell of the table is chosen or under the pointer
  function link(table, offset) {
    const stage = stageNow();
    table.linked = offset;
    if (stage) glassbox.board.repaint(stage);
  }

  // a pair is under the pointer: its cell of the table
  function pointed(stage, pair) {
    if (stage.scene.view !== 'bias') return;
    const table = tableNow();
    if (table) table.pointed(pair && apart(stage.map, ...pair));
  }

  // what was edited is seen in the attention
  function attention() {
    const stage = stageNow();
    if (!stage || ['attention', 'back'].includes(stage.step)) return;
    glassbox.board.step(stage, 'attention');
  }

  const ORDERS = { timm: ['timm: roll, then pad', 'timm：先滚动，后补零'], torchvision: ['torchvision: pad, then roll', 'torchvision：先补零，后滚动'] };

  // the second picture, and the third where both libraries are shown
  function captions(stage) {
    const { parts, scene, twin } = stage;
    stage.panels.toggleAttribute('data-twin', Boolean(twin));
    parts.twin.figure.hidden = !twin;
    parts.pairs.figure.hidden = Boolean(twin);
    glassbox.maps.words(parts.work.caption, ...(twin ? ORDERS[scene.order] : ['What the block works on', '这一层实际处理的图']));
    if (twin) glassbox.maps.words(parts.twin.caption, ...ORDERS[twin.scene.order]);
  }

  Object.assign(glassbox.board, { captions, pairs, reads, link, pointed, attention, LINK });
})();
